"""Makes a decision from several tests: Holm's rule, then gains, losses and the primary metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoloss.records import Comparison, Decision
from autoloss.verdict.comparisons import CALIBRATION, holm, standard_error
from autoloss.verdict.named_metric import NamedMetric
from autoloss.verdict.paired import PairedTest

LEVEL = 0.05
LOG_LOSS = "log_loss"


@dataclass(frozen=True)
class Findings:
    """The tests of a verdict.

    Args:
        comparisons: All comparisons, the tested comparisons first.
        primary: The comparison in the metric that decides.
        significant: The tests that are significant at 5 %, corrected by Holm's rule.
    """

    comparisons: tuple[Comparison, ...]
    primary: Comparison
    significant: tuple[PairedTest, ...]

    @property
    def decision(self) -> Decision:
        """Return the decision."""
        return decide(self.significant, self.primary)


def findings(
    compared: Mapping[str, PairedTest], *, metric: NamedMetric | None, primary: str | None
) -> Findings:
    """Test a study's metric or the error, the log loss and the calibration error.

    Args:
        compared: All comparisons by name of the metric.
        metric: The study's metric; None for error.
        primary: The name of the metric that decides; by default `metric`, else log loss.
    """
    name = None if metric is None else metric.name
    tested = {one: compared[one] for one in (name or "error", LOG_LOSS, CALIBRATION)}
    corrected = holm(np.array([one.p_value for one in tested.values()]))
    pairs = zip(tested.values(), corrected, strict=True)
    return Findings(
        comparisons=tuple(one.comparison for one in {**tested, **compared}.values()),
        primary=compared[primary or name or LOG_LOSS].comparison,
        significant=tuple(one for one, p_value in pairs if p_value < LEVEL),
    )


def decide(shown: Sequence[PairedTest], primary: Comparison) -> Decision:
    """Return better for gains without losses, worse for the reverse, else no evidence.

    A gain in another score than the primary metric counts only if the primary metric is not worse
    (see `counts_as_worse`).

    Args:
        shown: The significant tests.
        primary: The comparison in the primary metric.
    """
    gains = {one.is_gain for one in shown}
    if gains == {True}:
        return "no_evidence" if counts_as_worse(primary) else "better"
    return "worse" if gains == {False} else "no_evidence"


def counts_as_worse(one: Comparison) -> bool:
    """Return whether a metric is worse by more than one paired standard error of the difference.

    The selection has the same margin, within which two candidates count as equal.
    """
    loss = one.difference if one.lower_is_better else -one.difference
    return loss > standard_error(one)
