"""Chooses the challenger of tuned cross-entropy on the validation rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autoloss.metrics.known import mean_of_wrong
from autoloss.records import REFINED_LOG_LOSS, Decision, TrialRecord
from autoloss.verdict.admissible import Figures, Simplicity, best_other, winner
from autoloss.verdict.baseline import is_plain_cross_entropy, some_usable, tuned_cross_entropy
from autoloss.verdict.pareto import front_numbers
from autoloss.verdict.phrases import metric_words
from autoloss.verdict.resampling import jackknife_error, mean_error, stratified_mean_error

__all__ = ["Choice", "ExampleLosses", "choose", "is_plain_cross_entropy"]

_RULE = (
    "The lowest log loss after calibration among the trials within one paired standard error of "
    "the {extreme} validation {metric}; within one paired standard error of that, the simplest."
)


@dataclass(frozen=True, eq=False)
class ExampleLosses:
    """The losses of a trial on each validation row; all trials of a study share the rows.

    Args:
        log_loss: Cross-fitted log loss of each row after the read-out, in nats; (N,) float32.
        wrong: Whether the decision that the metric judges is wrong: the most probable class, or
            for balanced error the class most probable relative to its prior. (N,) bool.
        metric_without: For a metric that is not a mean over rows, its values with each group of
            rows left out in turn (`resampling.leave_out_values`); (J,).
    """

    log_loss: npt.NDArray[np.floating]
    wrong: npt.NDArray[np.bool_]
    metric_without: npt.NDArray[np.floating] | None = None


@dataclass(frozen=True)
class Choice:
    """The two trials that the verdict compares.

    Args:
        challenger: The best trial besides plain cross-entropy; the baseline itself if the study
            has no other.
        baseline: Tuned cross-entropy: the plain cross-entropy with the lowest held-out log loss,
            which may be the default.
        front: Numbers of the trials on the front of (metric, refined log loss), the best metric
            first.
        admissible: Numbers of the admissible trials.
        rule: The rule in one sentence.
        best: Number of the trial of the two with the lower held-out log loss; it ships if the
            verdict is undecided.
        chance: Probability that the challenger is the best loss besides cross-entropy by the rule;
            NaN if unknown.
    """

    challenger: TrialRecord
    baseline: TrialRecord
    front: tuple[int, ...]
    admissible: tuple[int, ...]
    rule: str
    best: int
    chance: float = math.nan

    @property
    def is_opposed(self) -> bool:
        """Return whether there is another trial to compare with tuned cross-entropy."""
        return self.challenger.number != self.baseline.number

    def place_of_shipped(self, decision: Decision) -> int:
        """Return 0 if the challenger ships, 1 if tuned cross-entropy ships."""
        if decision == "undecided":
            return 0 if self.best == self.challenger.number else 1
        return 0 if decision == "better" else 1


def choose(
    trials: Sequence[TrialRecord],
    examples: Mapping[int, ExampleLosses],
    *,
    simplicity: Simplicity,
    metric: str = "error",
    lower_is_better: bool = True,
    targets: npt.NDArray[np.integer] | None = None,
    clusters: npt.NDArray[np.integer] | None = None,
    metric_se: Mapping[int, float] | None = None,
) -> Choice:
    """Choose the challenger and the baseline from the trials of a study.

    The rule is `admissible.winner`, with the refined log loss. It runs over all trials to compare,
    and again without plain cross-entropy if that wins.

    The paired standard error of the metric comes from the rows for ``"error"`` and
    ``"balanced_error"`` (with `targets`), and from `ExampleLosses.metric_without` for any other
    metric. Otherwise it is `metric_se`, the standard error of the best trial's metric (the classic
    rule, wider than the paired rule). Without any of these it is zero, and only the best metric is
    admissible.

    Args:
        trials: The trials of a study; `baseline.comparable` says which are compared.
        examples: Their losses on the validation rows, by number of the trial.
        simplicity: Sort key of a trial, lower for a simpler loss.
        metric: A key of `TrialRecord.metrics`.
        lower_is_better: Its direction.
        targets: Classes of the validation rows; (N,).
        clusters: The cluster of each of these rows, such as the rows of a group, or the same row
            of the table held out twice; (N,). By default rows are independent.
        metric_se: Standard error of the metric of each trial, by number.

    Returns:
        The choice.

    Raises:
        AutolossError: If no trial, or none of cross-entropy, ended with finite figures.
    """
    done = some_usable(trials, metric)
    sign = 1.0 if lower_is_better else -1.0
    pool = [Figures(t, sign * t.metrics[metric], t.metrics[REFINED_LOG_LOSS]) for t in done]
    baseline = tuned_cross_entropy(done, metric=metric, lower_is_better=lower_is_better)
    errors = _RowErrors(examples, metric, targets, clusters, metric_se or {})
    other = best_other(pool, errors, simplicity, baseline=baseline.number)
    found = other or winner(pool, errors, simplicity)
    challenger = other.trial if other else baseline
    return Choice(
        challenger=challenger,
        baseline=baseline,
        best=min((challenger, baseline), key=lambda trial: trial.metrics[REFINED_LOG_LOSS]).number,
        front=front_numbers(done, metric=metric, lower_is_better=lower_is_better),
        admissible=found.admissible,
        rule=_RULE.format(
            extreme="lowest" if lower_is_better else "highest", metric=metric_words(metric)
        ),
    )


@dataclass(frozen=True, eq=False)
class _RowErrors:
    """Standard errors of the difference between two trials on the same rows."""

    examples: Mapping[int, ExampleLosses]
    metric: str
    targets: npt.NDArray[np.integer] | None
    clusters: npt.NDArray[np.integer] | None
    metric_se: Mapping[int, float]

    def of_log_loss(self, trial: TrialRecord, best: TrialRecord) -> float:
        """Return the standard error of the refined log loss in nats; zero without the rows."""
        one, other = self.examples.get(trial.number), self.examples.get(best.number)
        if one is None or other is None:
            return 0.0
        return mean_error(one.log_loss.astype(np.float64) - other.log_loss, self.clusters)

    def of_metric(self, trial: TrialRecord, best: TrialRecord) -> float:
        """Return the standard error of the metric."""
        one, other = self.examples.get(trial.number), self.examples.get(best.number)
        if one is not None and other is not None:
            wrong = one.wrong.astype(np.float64) - other.wrong
            mean = mean_of_wrong(self.metric)
            if mean == "rows":
                return mean_error(wrong, self.clusters)
            if mean == "classes" and self.targets is not None:
                return stratified_mean_error(wrong, self.targets, clusters=self.clusters)
            if one.metric_without is not None and other.metric_without is not None:
                return jackknife_error(one.metric_without - other.metric_without)
        return self.metric_se.get(best.number, 0.0)
