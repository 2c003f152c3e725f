"""The verdict on held-out rows: the challenger against tuned cross-entropy, once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from autoloss.records import PairOptimism, Verdict
from autoloss.verdict.comparisons import CALIBRATION, compare, standard_error
from autoloss.verdict.named_metric import NamedMetric
from autoloss.verdict.paired import PairedTest
from autoloss.verdict.phrases import loss_name, undecided_text, verdict_text
from autoloss.verdict.significance import LOG_LOSS, findings
from autoloss.verdict.units import Units, units_of

ASSUMED_DISAGREEMENT = 0.04
LEVEL_OF_ONE = 0.05 / 3.0
"""The level at which a single test of three is significant by Holm's rule."""
FEWEST_ROWS = 7.0
"""The fewest rows with a difference that McNemar's exact test needs at that level."""


@dataclass(frozen=True, eq=False)
class Shipped:
    """The predictions of a trial for the locked test rows, as it would ship.

    Args:
        number: Number of the trial.
        label: Readable name of its loss.
        log_probs: Log probabilities after the read-out; (N, C).
    """

    number: int
    label: str
    log_probs: npt.NDArray[np.floating]


def detectable_difference(n_test: int, *, disagreement: float = ASSUMED_DISAGREEMENT) -> float:
    """Return the smallest difference in error that a test part can detect, in [0, 1].

    If nothing else differs, a true difference of this size is detected in half of all cases, and a
    difference of 1.35 times this size in 80 %: ``2.39 * sqrt(d / n)``, since the least p-value of
    three must be below 5 % / 3. It is at least ``7 / n``: with fewer differing rows McNemar's
    exact test cannot be significant at that level.

    Args:
        n_test: Rows of the test part.
        disagreement: Share d of rows on which exactly one of the two models is wrong. The default
            is typical of two tuned losses on the same network.

    Raises:
        ValueError: If there are no rows.

    Examples:
        >>> round(detectable_difference(2000), 4)
        0.0107
    """
    if n_test < 1:
        raise ValueError(f"A test part must have at least one row, but got n_test={n_test}.")
    normal = -float(special.ndtri(LEVEL_OF_ONE / 2.0))
    return min(1.0, max(normal * float(np.sqrt(disagreement / n_test)), FEWEST_ROWS / n_test))


def confirm(
    challenger: Shipped,
    baseline: Shipped,
    targets: npt.NDArray[np.integer],
    *,
    metric: NamedMetric | None = None,
    beside: Sequence[NamedMetric] = (),
    primary: str | None = None,
    class_counts: npt.NDArray[np.integer] | None = None,
    clusters: npt.NDArray[Any] | None = None,
    optimism: PairOptimism | None = None,
    where: str = "",
    resamples: int = 2000,
    seed: int = 0,
) -> Verdict:
    """Compare the challenger with tuned cross-entropy on rows that neither trained on.

    It tests three differences, corrected by Holm's rule at 5 %: the error (McNemar's exact test)
    or the user's metric, the log loss and the debiased calibration error (paired bootstrap,
    stratified by class). `significance.decide` makes the decision. If rows share clusters, a
    bootstrap of whole clusters tests all three, because McNemar's test assumes independent rows.

    Args:
        challenger: The predictions of the challenger.
        baseline: The predictions of tuned cross-entropy.
        targets: Classes of the rows; (N,).
        metric: The study's metric; error by default.
        beside: Further metrics, which are shown and not tested.
        primary: Name of the metric that decides; by default the name of `metric`, else log loss.
        class_counts: Training rows of each class, which balanced error needs for its decisions.
        clusters: The cluster of each row; (N,). None for independent rows.
        optimism: How much the selection flatters the challenger, if it saw these rows. The
            comparisons are corrected by it: log loss and Brier by as many standard errors as log
            loss, error by its own optimism; another metric, if it has none, like log loss.
        where: The rows in words; by default the test rows.
        resamples: Resamples of the bootstrap.
        seed: Its seed.

    Returns:
        The verdict; the user's metric or the error is its first comparison.

    Raises:
        ValueError: If the parts do not fit together.
    """
    _check(challenger, baseline, targets)
    tested = compare(
        challenger.log_probs,
        baseline.log_probs,
        targets,
        metric=metric,
        beside=beside,
        class_counts=class_counts,
        clusters=clusters,
        resamples=resamples,
        seed=seed,
    )
    if optimism is not None:
        tested = corrected(tested, optimism, metric="error" if metric is None else metric.name)
    found = findings(tested, metric=metric, primary=primary)
    units = units_of(targets, clusters)
    subject, place = f"{loss_name(challenger.label)} has", where or _where(units, len(targets))
    if metric is not None and metric.is_of_trainings and found.primary.metric == metric.name:
        place = f"by paired training runs, and in the other scores {place}"
    return Verdict(
        decision=found.decision,
        text=verdict_text(subject, found, where=place),
        comparisons=found.comparisons,
        n_test=len(targets),
        challenger=challenger.number,
        baseline=baseline.number,
        detectable=_detectable(challenger, baseline, targets, units),
        primary=found.primary.metric,
    )


def corrected(
    tested: Mapping[str, PairedTest], optimism: PairOptimism, *, metric: str
) -> dict[str, PairedTest]:
    """Return tests whose gains are less by the optimism of the selection, see `less_gain`.

    The selection is by log loss and, among equal losses, by the study's metric; so these two have
    an optimism. Another metric follows log loss by as many standard errors, because the rows that
    flatter the one flatter the other. The calibration error selects nothing.

    Args:
        tested: The tests by metric.
        optimism: The optimism.
        metric: The study's metric.
    """
    of_log_loss = standard_error(tested[LOG_LOSS].comparison)
    errors = optimism.log_loss / of_log_loss if of_log_loss > 0.0 else 0.0
    found = {}
    for name, test in tested.items():
        amount = errors * standard_error(test.comparison)
        if name == LOG_LOSS:
            amount = optimism.log_loss
        elif name == metric and math.isfinite(optimism.metric):
            amount = optimism.metric
        found[name] = test if name == CALIBRATION else test.less_gain(amount)
    return found


def unopposed(number: int, n_test: int, *, primary: str = LOG_LOSS) -> Verdict:
    """Return the verdict of a study without any loss but cross-entropy.

    Args:
        number: Number of the trial of tuned cross-entropy.
        n_test: Rows of the test part.
        primary: Name of the metric that would have decided.
    """
    reason = "no loss but cross-entropy was trained, so nothing was compared"
    return Verdict(
        decision="undecided",
        text=undecided_text(reason, "Tuned cross-entropy"),
        comparisons=(),
        n_test=n_test,
        challenger=number,
        baseline=number,
        detectable=detectable_difference(n_test),
        primary=primary,
        reason=reason,
    )


def _where(units: Units, n_test: int) -> str:
    if units.is_clustered:
        return f"on {n_test:,} test rows in {units.count:,} groups that were resampled whole"
    return f"on {n_test:,} test rows"


def _check(challenger: Shipped, baseline: Shipped, targets: npt.NDArray[np.integer]) -> None:
    for one in (challenger, baseline):
        if one.log_probs.ndim != 2 or len(one.log_probs) != len(targets) or not len(targets):
            raise ValueError(
                f"log_probs of trial {one.number} must have the shape (N, C) with the N of "
                f"targets, but got log_probs.shape={one.log_probs.shape}, N={len(targets)}."
            )
        own = one.log_probs[np.arange(len(targets)), targets]
        if np.isnan(one.log_probs).any() or not np.isfinite(own).all():
            raise ValueError(
                f"log_probs must be finite at the true class and no NaN elsewhere, but got "
                f"log_probs[y].min()={own.min()} in trial {one.number}."
            )


def _detectable(
    challenger: Shipped, baseline: Shipped, targets: npt.NDArray[np.integer], units: Units
) -> float:
    one, other = (part.log_probs.argmax(axis=1) == targets for part in (challenger, baseline))
    # The rows of a unit move together. For single rows this is the share on which the two differ.
    moved = np.bincount(units.of_row, weights=one.astype(float) - other)
    disagreement = float(np.sum(np.square(moved))) / len(targets)
    least = detectable_difference(units.count, disagreement=0.0)
    return max(least, detectable_difference(len(targets), disagreement=disagreement))
