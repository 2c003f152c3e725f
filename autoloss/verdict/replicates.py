"""The selection among the finalists, by their training runs on fresh seeds and divisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autoloss.records import Finalist, TrialRecord
from autoloss.verdict.admissible import (
    Figures,
    Simplicity,
    Winner,
    best_other,
    other_losses,
    winner,
)
from autoloss.verdict.finalists import FinalistChoice
from autoloss.verdict.phrases import metric_words
from autoloss.verdict.select import Choice
from autoloss.verdict.training_runs import (
    chances_by_rule,
    chances_of_lowest,
    corrected_error,
    paired_interval,
)

_RULE = (
    "The challenger most probably has the lowest mean log loss of the finalists within one paired "
    "standard error of the {extreme} mean {metric} over {count} training runs on fresh seeds and "
    "divisions; within one paired standard error of that, the simplest finalist wins."
)
_LOG_LOSS_RULE = (
    "The challenger has the lowest mean log loss over {count} training runs on fresh seeds and "
    "divisions, because too little was trained for a comparison."
)


@dataclass(frozen=True, eq=False)
class Replicates:
    """The figures of M finalists in R training runs, whose seeds and divisions they share.

    Args:
        numbers: Numbers of their trials.
        metric: The study's metric on the held-out rows of each training run.
        log_loss: Shipped log loss there, in nats.
        n_train: Mean number of training rows of a training run.
        n_valid: Mean number of held-out rows of a training run.

    Shape:
        numbers (M,), metric (M, R), log_loss (M, R).

    Raises:
        ValueError: If the shapes do not fit, or there is no training run or no row.
    """

    numbers: tuple[int, ...]
    metric: npt.NDArray[np.floating]
    log_loss: npt.NDArray[np.floating]
    n_train: float
    n_valid: float

    def __post_init__(self) -> None:
        shape = self.metric.shape
        if self.log_loss.shape != shape or len(shape) != 2 or shape[0] != len(self.numbers):
            raise ValueError(
                f"metric and log_loss must have the shape (M, R) with M = {len(self.numbers)}, "
                f"but got metric.shape={shape}, log_loss.shape={self.log_loss.shape}."
            )
        if not (shape[1] and self.n_train > 0 and self.n_valid > 0):
            raise ValueError(
                "Replicates must have training runs and rows, but got "
                f"R={shape[1]}, n_train={self.n_train}, n_valid={self.n_valid}."
            )

    @property
    def count(self) -> int:
        """Return the number of training runs of each finalist, R."""
        return int(self.metric.shape[1])

    def of(self, number: int) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
        """Return the metric and log loss of a trial in each training run; (R,), (R,)."""
        row = self.numbers.index(number)
        return self.metric[row], self.log_loss[row]

    def lowest(self, numbers: Sequence[int]) -> int:
        """Return the trial with the lowest mean log loss; the first if all diverged."""
        whole = [number for number in numbers if self.is_whole(number)]
        return min(whole, key=lambda n: (float(self.of(n)[1].mean()), n), default=numbers[0])

    def is_whole(self, number: int) -> bool:
        """Return whether every training run of a trial ended with finite figures."""
        return bool(np.isfinite(self.of(number)).all())


@dataclass(frozen=True)
class ReplicateChoice:
    """The challenger of tuned cross-entropy, chosen among the finalists.

    Args:
        challenger: Number of the best trial that is not plain cross-entropy; the baseline's if
            there is no other.
        admissible: Numbers of the admissible trials.
        rule: The rule in one sentence.
        chance: Probability that it is the best of the other losses by the rule; NaN for a
            single training run.
    """

    challenger: int
    admissible: tuple[int, ...]
    rule: str
    chance: float = math.nan


def choose_on_replicates(
    replicates: Replicates,
    *,
    competing: Sequence[TrialRecord],
    baseline: int,
    simplicity: Simplicity,
    metric: str = "error",
    lower_is_better: bool = True,
    by_log_loss: bool = False,
    fallback: Choice | None = None,
) -> ReplicateChoice:
    """Choose the challenger by the new training runs of the finalists.

    The rule is `admissible.winner`, with the means over the training runs and the corrected paired
    standard errors of `corrected_error`. Among the admissible losses other than cross-entropy, the
    challenger has the highest probability of winning by the rule (`chances_by_rule`). An
    admissible loss that is at least as simple and at least as good on both figures replaces it. A
    trial with a diverged training run cannot win.

    Args:
        replicates: The figures of the finalists.
        competing: Records of the trials that take part in the selection.
        baseline: Number of the trial of tuned cross-entropy.
        simplicity: Sort key of a trial, lower for a simpler loss.
        metric: The study's metric.
        lower_is_better: Its direction.
        by_log_loss: Whether the log loss alone decides, because too little was trained for a
            comparison.
        fallback: The result of `choose` among the same trials on the validation rows. It decides
            if there is a single training run, which has no paired error; without it only the best
            metric is then admissible.
    """
    if replicates.count == 1 and fallback is not None and not by_log_loss:
        return ReplicateChoice(fallback.challenger.number, fallback.admissible, fallback.rule)
    sign = 1.0 if lower_is_better else -1.0
    pool = _pool(replicates, competing, sign=sign)
    count = replicates.count
    if by_log_loss:
        number = _lowest_log_loss(pool, baseline=baseline)
        return ReplicateChoice(number, (number,), _LOG_LOSS_RULE.format(count=count))
    errors = _TrainingErrors(replicates)
    other = best_other(pool, errors, simplicity, baseline=baseline)
    found = other or (winner(pool, errors, simplicity) if pool else None)
    challenger, chance = baseline, math.nan
    if other is not None:
        challenger, chance = _most_probable(
            pool, other, replicates, simplicity, baseline=baseline, sign=sign
        )
    return ReplicateChoice(
        challenger=challenger,
        admissible=found.admissible if found else (),
        rule=_RULE.format(
            extreme="lowest" if lower_is_better else "highest",
            metric=metric_words(metric),
            count=count,
        ),
        chance=chance,
    )


def _pool(
    replicates: Replicates, competing: Sequence[TrialRecord], *, sign: float
) -> list[Figures]:
    """Return the trials of which no training run diverged, with the means over their runs."""
    pool = []
    for trial in competing:
        if replicates.is_whole(trial.number):
            values, log_loss = replicates.of(trial.number)
            pool.append(Figures(trial, sign * float(values.mean()), float(log_loss.mean())))
    return pool


def _lowest_log_loss(pool: Sequence[Figures], *, baseline: int) -> int:
    """Return the loss besides cross-entropy with the lowest log loss, else the baseline."""
    others = other_losses([one.trial for one in pool], baseline=baseline)
    found = [one for one in pool if one.trial.number in others]
    lowest = min(found, key=lambda one: (one.log_loss, one.metric, one.trial.number), default=None)
    return baseline if lowest is None else lowest.trial.number


def _most_probable(
    pool: Sequence[Figures],
    found: Winner,
    replicates: Replicates,
    simplicity: Simplicity,
    *,
    baseline: int,
    sign: float,
) -> tuple[int, float]:
    """Return the loss besides cross-entropy that most probably wins, and its probability.

    Args:
        pool: The trials that compete.
        found: The winner among these losses by the rule itself, which breaks ties.
        replicates: The figures of the finalists.
        simplicity: Sort key of a trial, lower for a simpler loss.
        baseline: Number of the trial of tuned cross-entropy.
        sign: 1 if a lower metric is better, else -1.
    """
    numbers = other_losses([one.trial for one in pool], baseline=baseline)
    others = [one for one in pool if one.trial.number in numbers]
    keys = [simplicity(one.trial) for one in others]
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    figures = [replicates.of(one.trial.number) for one in others]
    chances = chances_by_rule(
        sign * np.stack([metric for metric, _ in figures]),
        np.stack([log_loss for _, log_loss in figures]),
        np.array([ranks[key] for key in keys]),
        n_train=replicates.n_train,
        n_valid=replicates.n_valid,
    )
    if np.isnan(chances).any():
        return found.trial.number, math.nan
    places = [i for i, one in enumerate(others) if one.trial.number in found.admissible]
    top = max(places, key=lambda i: (chances[i], others[i].trial.number == found.trial.number))
    # A trial that is not worse in any figure and not more complex replaces it.
    best = min(
        (
            i
            for i in places
            if others[i].metric <= others[top].metric
            and others[i].log_loss <= others[top].log_loss
            and keys[i] <= keys[top]
        ),
        key=lambda i: (keys[i], others[i].log_loss, others[i].metric, others[i].trial.number),
    )
    return others[best].trial.number, float(chances[best])


def finalist_records(
    picked: Sequence[FinalistChoice],
    replicates: Replicates,
    choice: ReplicateChoice,
    *,
    baseline: int,
    seed: int = 0,
) -> tuple[Finalist, ...]:
    """Return the finalists as plain data, in the order in which they were picked.

    Args:
        picked: The finalists.
        replicates: Their figures.
        choice: The choice.
        baseline: Number of the trial of tuned cross-entropy, whose difference is NaN.
        seed: Seed of the draws behind the chances of being the best.
    """
    n_train, n_valid = replicates.n_train, replicates.n_valid
    competing = [p.number for p in picked if p.competes and replicates.is_whole(p.number)]
    figures = np.array([replicates.of(number)[1] for number in competing], dtype=np.float64)
    figures = figures.reshape(-1, replicates.count)
    chances = chances_of_lowest(figures, n_train=n_train, n_valid=n_valid, seed=seed)
    chance = dict(zip(competing, chances.tolist(), strict=True))
    reference = replicates.of(baseline)[0]
    records = []
    for one in picked:
        values, log_loss = replicates.of(one.number)
        interval = (math.nan, math.nan, math.nan)
        if one.number != baseline:
            interval = paired_interval(values - reference, n_train=n_train, n_valid=n_valid)
        records.append(
            Finalist(
                number=one.number,
                reasons=one.reasons,
                metric=tuple(values.tolist()),
                log_loss=tuple(log_loss.tolist()),
                difference=interval[0],
                low=interval[1],
                high=interval[2],
                is_admissible=one.number in choice.admissible,
                chance_best=chance.get(one.number, math.nan),
            )
        )
    return tuple(records)


@dataclass(frozen=True)
class _TrainingErrors:
    """Corrected standard errors of the difference between two trials over paired training runs."""

    replicates: Replicates

    def of_metric(self, trial: TrialRecord, best: TrialRecord) -> float:
        """Return the standard error of the difference in the mean metric."""
        return self._of(0, trial, best)

    def of_log_loss(self, trial: TrialRecord, best: TrialRecord) -> float:
        """Return the standard error of the difference in the mean log loss, in nats."""
        return self._of(1, trial, best)

    def _of(self, figure: int, trial: TrialRecord, best: TrialRecord) -> float:
        of = self.replicates.of
        return corrected_error(
            of(trial.number)[figure] - of(best.number)[figure],
            n_train=self.replicates.n_train,
            n_valid=self.replicates.n_valid,
        )
