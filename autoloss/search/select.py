"""Which trial is put up against tuned cross-entropy: one rule over the validation rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autoloss.errors import AutolossError
from autoloss.records import TrialRecord
from autoloss.search.pareto import front_numbers
from autoloss.search.resampling import jackknife_error, mean_error, stratified_mean_error

REFINED = "refined_log_loss"
_RULE = (
    "The lowest log loss after calibration among the trials within one paired standard error of "
    "the {extreme} validation {metric}; within one paired standard error of that, the simplest."
)


@dataclass(frozen=True, eq=False)
class ExampleLosses:
    """What a trial did on each validation row, the rows being the same for all trials of a study.

    Args:
        log_loss: Cross-fitted log loss of each row after the read-out, in nats; (N,) float32.
        wrong: Whether the decision that the metric judges is wrong: the most probable class; for
            balanced error the class with the most probability for its prior. (N,) bool.
        metric_without: For a metric that is no mean over rows: its values with one group of rows
            left out after the other (`resampling.leave_out_values`); (J,).
    """

    log_loss: npt.NDArray[np.floating]
    wrong: npt.NDArray[np.bool_]
    metric_without: npt.NDArray[np.floating] | None = None


@dataclass(frozen=True)
class Choice:
    """Who meets whom on the locked test rows.

    Args:
        challenger: The best trial that is not plain cross-entropy; the baseline itself where the
            study has no other.
        baseline: Tuned cross-entropy: the plain cross-entropy of the lowest refined log loss.
        front: Numbers of the trials on the front of (metric, refined log loss), the best metric
            first.
        admissible: Numbers of the trials among which the challenger was chosen.
        rule: The rule in one sentence.
    """

    challenger: TrialRecord
    baseline: TrialRecord
    front: tuple[int, ...]
    admissible: tuple[int, ...]
    rule: str


def is_plain_cross_entropy(loss: Mapping[str, Any]) -> bool:
    """Return whether dotted keys name cross-entropy with no prior, target, penalty or temperature.

    Examples:
        >>> is_plain_cross_entropy({"base": "cross_entropy"})
        True
        >>> is_plain_cross_entropy({"base": "cross_entropy", "target": "smoothing"})
        False
    """
    parts = (loss.get(key, "none") for key in ("prior", "target", "penalty"))
    return (
        loss["base"] == "cross_entropy"
        and all(part == "none" for part in parts)
        and loss.get("temperature", 1.0) == 1.0
    )


def choose(
    trials: Sequence[TrialRecord],
    examples: Mapping[int, ExampleLosses],
    *,
    simplicity: Callable[[TrialRecord], tuple[Any, ...]],
    metric: str = "error",
    lower_is_better: bool = True,
    targets: npt.NDArray[np.integer] | None = None,
    metric_se: Mapping[int, float] | None = None,
) -> Choice:
    """Choose the challenger and the baseline from the trials of a study.

    Admissible is who lies within one *paired* standard error of the best metric; of those the
    lowest refined log loss; within one paired standard error of that, the simplest. A trial that
    is at least as simple and better on both figures takes its place, so that only a more complex
    loss within the noise may dominate it. The rule runs over all complete trials, and again
    without plain cross-entropy where that wins it. The order of the trials plays no part.

    The paired standard error of the metric comes from the rows for ``"error"`` and
    ``"balanced_error"`` (with `targets`), from `ExampleLosses.metric_without` for any other, else
    from `metric_se`: then it is that of the best trial's own metric (the classic rule, wider than
    the paired one). Without any of them it is zero: only the best metric is admissible.

    Args:
        trials: The trials of a study; those that are not complete are passed over.
        examples: What each of them did on the validation rows, by number of the trial.
        simplicity: Sort key of a trial, lower for a simpler loss.
        metric: A key of `TrialRecord.metrics`.
        lower_is_better: Its direction.
        targets: Classes of the validation rows; (N,).
        metric_se: Standard error of the metric of each trial, by number.

    Returns:
        The choice.

    Raises:
        AutolossError: If no trial, or none of cross-entropy, ended with finite figures.
    """
    sign = 1.0 if lower_is_better else -1.0
    pool = [_Figures(t, sign * t.metrics[metric]) for t in trials if _is_usable(t, metric)]
    pool.sort(key=lambda one: one.trial.number)
    if not pool:
        raise AutolossError(
            "A study must have a trial that ended with a model, but got complete=0."
        )
    baseline = _baseline(pool)
    errors = _PairedErrors(examples, metric=metric, targets=targets, metric_se=metric_se or {})
    others = [one for one in pool if not is_plain_cross_entropy(one.trial.loss)]
    chosen, admissible = _apply_rule(pool, errors, simplicity)
    if is_plain_cross_entropy(chosen.loss) and others:
        chosen, admissible = _apply_rule(others, errors, simplicity)
    extreme = "lowest" if lower_is_better else "highest"
    return Choice(
        challenger=chosen if others else baseline,
        baseline=baseline,
        front=front_numbers(trials, metric=metric, lower_is_better=lower_is_better),
        admissible=admissible,
        rule=_RULE.format(extreme=extreme, metric=metric.replace("_", " ")),
    )


@dataclass(frozen=True)
class _Figures:
    """A trial with its metric turned so that lower is better."""

    trial: TrialRecord
    metric: float

    @property
    def log_loss(self) -> float:
        return self.trial.metrics[REFINED]


def _is_usable(trial: TrialRecord, metric: str) -> bool:
    figures = [trial.metrics.get(metric, np.nan), trial.metrics.get(REFINED, np.nan)]
    return trial.state == "complete" and bool(np.isfinite(figures).all())


def _baseline(pool: Sequence[_Figures]) -> TrialRecord:
    """Return the best plain cross-entropy; without one, the best of the family."""
    family = [one for one in pool if one.trial.family == "cross_entropy"]
    if not family:
        raise AutolossError(
            "A verdict must have a cross_entropy trial to compare with, but got cross_entropy=0 "
            "complete trials; search on, or give cross_entropy a learning rate that it survives."
        )
    plain = [one for one in family if is_plain_cross_entropy(one.trial.loss)]
    return min(plain or family, key=_by_log_loss).trial


def _by_log_loss(one: _Figures) -> tuple[float, float, int]:
    return (one.log_loss, one.metric, one.trial.number)


@dataclass(frozen=True)
class _PairedErrors:
    """Standard errors of the difference between two trials on the same rows."""

    examples: Mapping[int, ExampleLosses]
    metric: str
    targets: npt.NDArray[np.integer] | None
    metric_se: Mapping[int, float]

    def of_log_loss(self, trial: TrialRecord, best: TrialRecord) -> float:
        """Return that of the refined log loss, in nats; zero where the rows were not kept."""
        one, other = self.examples.get(trial.number), self.examples.get(best.number)
        if one is None or other is None:
            return 0.0
        return mean_error(one.log_loss.astype(np.float64) - other.log_loss)

    def of_metric(self, trial: TrialRecord, best: TrialRecord) -> float:
        """Return that of the metric."""
        one, other = self.examples.get(trial.number), self.examples.get(best.number)
        if one is not None and other is not None:
            wrong = one.wrong.astype(np.float64) - other.wrong
            if self.metric == "error":
                return mean_error(wrong)
            if self.metric == "balanced_error" and self.targets is not None:
                return stratified_mean_error(wrong, self.targets)
            if one.metric_without is not None and other.metric_without is not None:
                return jackknife_error(one.metric_without - other.metric_without)
        return self.metric_se.get(best.number, 0.0)


def _is_within(difference: float, error: float) -> bool:
    # The sum is rounded, and an error that is no number admits nothing but equality.
    return difference <= 1e-12 or difference <= error + 1e-12


def _apply_rule(
    pool: Sequence[_Figures],
    errors: _PairedErrors,
    simplicity: Callable[[TrialRecord], tuple[Any, ...]],
) -> tuple[TrialRecord, tuple[int, ...]]:
    """Return the chosen trial and the numbers of the admissible ones."""

    def by_simplicity(one: _Figures) -> tuple[Any, ...]:
        return (*simplicity(one.trial), *_by_log_loss(one))

    best = min(pool, key=lambda one: (one.metric, one.log_loss, one.trial.number))
    admissible = [
        one
        for one in pool
        if _is_within(one.metric - best.metric, errors.of_metric(one.trial, best.trial))
    ]
    lowest = min(admissible, key=_by_log_loss)
    ties = [
        one
        for one in admissible
        if _is_within(one.log_loss - lowest.log_loss, errors.of_log_loss(one.trial, lowest.trial))
    ]
    tied = min(ties, key=by_simplicity)
    # A trial close to `lowest` in value may be no tie because its rows pair more tightly with it.
    at_least = [
        one
        for one in admissible
        if one.metric <= tied.metric
        and one.log_loss <= tied.log_loss
        and simplicity(one.trial) <= simplicity(tied.trial)
    ]
    return min(at_least, key=by_simplicity).trial, tuple(one.trial.number for one in admissible)
