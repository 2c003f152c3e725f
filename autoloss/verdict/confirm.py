"""The verdict: the challenger against tuned cross-entropy, once, on the locked test rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from autoloss.records import Verdict
from autoloss.verdict.comparisons import CALIBRATION, NamedMetric, compare, compare_metric
from autoloss.verdict.phrases import loss_name, undecided_text, verdict_text
from autoloss.verdict.significance import decide, significant
from autoloss.verdict.units import Units, units_of

LOG_LOSS = "log_loss"
ASSUMED_DISAGREEMENT = 0.04
LEVEL_OF_ONE = 0.05 / 3.0
"""The level at which one of three tests alone is significant by Holm's rule."""
FEWEST_ROWS = 7.0
"""Rows on which two models must differ before McNemar's exact test is significant there."""


@dataclass(frozen=True, eq=False)
class Shipped:
    """What a trial would ship, on the locked test rows.

    Args:
        number: Number of the trial.
        label: Readable name of its loss.
        log_probs: Log probabilities after the read-out; (N, C).
    """

    number: int
    label: str
    log_probs: npt.NDArray[np.floating]


def detectable_difference(n_test: int, *, disagreement: float = ASSUMED_DISAGREEMENT) -> float:
    """Return the smallest difference in error that a test part of this size can show, in [0, 1].

    A true difference of this size is shown in half of all cases, one of 1.35 times this size in
    80 %, where nothing else differs: ``2.39 * sqrt(d / n)``, since the least p-value of three
    must be below 5 % / 3. It is at least ``7 / n``: with fewer rows McNemar's exact test cannot
    speak at that level.

    Args:
        n_test: Rows of the test part.
        disagreement: Share d of rows on which exactly one of the two models is wrong. Before
            training it is assumed: 0.04 is typical of two tuned losses on one network.

    Raises:
        ValueError: If there are no rows.

    Examples:
        >>> round(detectable_difference(2000), 4)
        0.0107
    """
    if n_test < 1:
        raise ValueError(f"A test part must have at least one row, but got n_test={n_test}.")
    normal = float(stats.norm.isf(LEVEL_OF_ONE / 2.0))
    return min(1.0, max(normal * float(np.sqrt(disagreement / n_test)), FEWEST_ROWS / n_test))


def confirm(
    challenger: Shipped,
    baseline: Shipped,
    targets: npt.NDArray[np.integer],
    *,
    metric: NamedMetric | None = None,
    primary: str | None = None,
    class_counts: npt.NDArray[np.integer] | None = None,
    clusters: npt.NDArray[Any] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Verdict:
    """Compare the challenger with tuned cross-entropy on the locked test rows.

    Three differences are tested, corrected by Holm's rule at 5 %: the error (McNemar's exact
    test; the user's metric stands in its place where there is one), the log loss and the debiased
    calibration error (paired bootstrap, stratified by class). Better is a significant gain without
    a significant loss, where the primary metric is not worse by more than one standard error;
    worse is a significant loss without a gain, anything else no evidence. Brier and balanced
    error are shown and not tested. Where rows share clusters, all three are tested by a bootstrap
    of whole clusters, the error too: McNemar's test takes rows as independent of each other.

    Args:
        challenger: What the challenger ships.
        baseline: What tuned cross-entropy ships.
        targets: Classes of the rows; (N,).
        metric: The study's metric; error by default.
        primary: Name of the metric that the decision is about; by default that of `metric`, or
            log loss without one.
        class_counts: Training rows of each class, which balanced error needs for its decisions.
        clusters: The group of each row; (N,). None where the rows are independent.
        resamples: Resamples of the bootstrap.
        seed: Its seed.

    Returns:
        The verdict, with at most six comparisons, the user's metric or the error first.

    Raises:
        ValueError: If the parts do not fit together.
    """
    _check(challenger, baseline, targets)
    figures = (challenger.log_probs, baseline.log_probs, targets)
    tested = compare(
        *figures, class_counts=class_counts, clusters=clusters, resamples=resamples, seed=seed
    )
    first = "error" if metric is None else metric.name
    if metric is not None and first not in tested:
        tested[first] = compare_metric(
            metric, *figures, clusters=clusters, resamples=resamples, seed=seed
        )
    family = list(dict.fromkeys([first, "log_loss", CALIBRATION]))
    shown = significant([tested[name] for name in family])
    units = units_of(targets, clusters)
    order = dict.fromkeys([*family, *tested])
    primary = primary or (LOG_LOSS if metric is None else metric.name)
    leading = tested[primary].comparison
    return Verdict(
        decision=decide(shown, leading),
        text=verdict_text(
            f"{loss_name(challenger.label)} has", leading, shown, where=_where(units, len(targets))
        ),
        comparisons=tuple(tested[name].comparison for name in order),
        n_test=len(targets),
        challenger=challenger.number,
        baseline=baseline.number,
        detectable=_detectable(challenger, baseline, targets, units),
        primary=primary,
    )


def unopposed(number: int, n_test: int, *, primary: str = LOG_LOSS) -> Verdict:
    """Return the verdict where tuned cross-entropy met no other loss: nothing is compared.

    Args:
        number: Number of the trial of tuned cross-entropy.
        n_test: Rows of the test part.
        primary: Name of the metric that the decision would have been about.
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
    # A unit's rows move together: of single rows this is the share on which the two differ.
    moved = np.bincount(units.of_row, weights=one.astype(float) - other)
    disagreement = float(np.sum(np.square(moved))) / len(targets)
    least = detectable_difference(units.count, disagreement=0.0)
    return max(least, detectable_difference(len(targets), disagreement=disagreement))
