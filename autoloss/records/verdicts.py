"""The verdict on the challenger, and the figures that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autoloss.core.display import Card, Shown

Decision = Literal["better", "no_evidence", "worse", "undecided"]


@dataclass(frozen=True)
class Comparison:
    """A metric of the challenger beside tuned cross-entropy, on the rows of the verdict.

    Args:
        metric: Its name, as in `TrialRecord.metrics`.
        baseline: Value of tuned cross-entropy.
        challenger: Value of the challenger, made worse by the optimism of its selection if the
            selection saw these rows.
        low: Lower end of the 95 % interval of ``challenger - baseline`` (paired bootstrap).
        high: Upper end of it.
        lower_is_better: The direction.
    """

    metric: str
    baseline: float
    challenger: float
    low: float
    high: float
    lower_is_better: bool = True

    @property
    def difference(self) -> float:
        """Return ``challenger - baseline``."""
        return self.challenger - self.baseline

    @property
    def covers_zero(self) -> bool:
        """Return whether the interval of the difference covers zero."""
        return self.low <= 0.0 <= self.high


@dataclass(frozen=True, repr=False)
class Verdict(Shown):
    """Whether the challenger beats tuned cross-entropy on rows that neither trained on.

    Args:
        decision: ``"better"``, ``"no_evidence"``, ``"worse"``, or ``"undecided"`` if the models
            did not learn enough to be compared.
        text: The verdict in one or two plain sentences.
        comparisons: The figures behind it, one per metric.
        n_test: Rows of the verdict.
        challenger: Number of the challenger's trial; the baseline's if no other loss was
            trained.
        baseline: Number of the trial of tuned cross-entropy.
        detectable: The smallest difference in error that these rows could have shown.
        primary: The metric that the decision is about: the requested metric, else
            ``"log_loss"``; empty in older studies.
        reason: Why the decision is ``"undecided"``; empty otherwise.
        chance: Probability that the challenger is the best loss other than cross-entropy by the
            rule of the selection; NaN if unknown.
    """

    decision: Decision
    text: str
    comparisons: tuple[Comparison, ...]
    n_test: int
    challenger: int
    baseline: int
    detectable: float
    primary: str = ""
    reason: str = ""
    chance: float = float("nan")

    def _card(self) -> Card:
        compared = tuple(
            (
                one.metric,
                f"{one.challenger:.4g} against {one.baseline:.4g} of tuned cross-entropy "
                f"(difference {one.difference:+.4g}, 95% {one.low:+.4g} to {one.high:+.4g})",
            )
            for one in self.comparisons[:3]
        )
        return Card(f"Verdict: {self.decision}", (("in words", self.text), *compared))


@dataclass(frozen=True)
class Coverage:
    """How much of the planned training ran before the verdict.

    Args:
        trials: Trials that ended by themselves: trained to the end of their schedule, dropped by
            a race, or diverged.
        planned_trials: Requested trials.
        epochs: Epochs of the less trained of challenger and tuned cross-entropy, in the search.
        planned_epochs: Epochs of the schedule that the search space asks for.
        cut: Trials that the time limit cut off.
        is_final_cut: Whether the time limit cut off final training runs or training runs of outer
            folds.
        is_schedule_done: Whether challenger and tuned cross-entropy were trained to the end of
            their schedule in the search.
        seconds_for_all: Time limit that the whole plan needs, in seconds; None if unknown.
    """

    trials: int
    planned_trials: int
    epochs: int
    planned_epochs: int
    cut: int = 0
    is_final_cut: bool = False
    is_schedule_done: bool = True
    seconds_for_all: float | None = None


@dataclass(frozen=True)
class Finalist:
    """A trial that was trained again on fresh seeds and divisions, beside the other finalists.

    Args:
        number: Number of the trial.
        reasons: Why it is one: ``"best of focal"``, ``"lowest error"``, ``"tuned cross-entropy"``,
            ``"default cross-entropy"``.
        metric: The study's metric on the held-out rows of each training run.
        log_loss: Their shipped log loss in nats.
        difference: Mean of the metric minus that of tuned cross-entropy.
        low: Lower end of the 95 % interval of `difference`, by the corrected resampled t-test.
        high: Upper end of it.
        is_admissible: Whether its metric lies within one paired standard error of the best.
        chance_best: Probability that its log loss is the lowest of the finalists'; NaN if
            it does not take part in the selection.
    """

    number: int
    reasons: tuple[str, ...]
    metric: tuple[float, ...]
    log_loss: tuple[float, ...]
    difference: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    is_admissible: bool = False
    chance_best: float = float("nan")


@dataclass(frozen=True)
class ShippingPolicy:
    """A policy for the shipped model, with its figures on the rows of the verdict.

    Where no row was locked, each row is judged by training runs that held it out, with weights and
    temperatures that other rows decided.

    Args:
        name: ``"verdict"``: the loss that the verdict recommends; ``"best"``: the admissible
            finalist with the lowest log loss; ``"blend"``: a weighted mean of finalists.
        numbers: Numbers of the trials whose training runs it means.
        weights: Their weights, which sum to 1.
        metric: The study's metric.
        log_loss: Log loss in nats.
        metric_change: Change of the metric from the policy ``"verdict"``; 0 for that policy.
        metric_low: Lower end of the 95 % interval of this change (paired bootstrap).
        metric_high: Upper end of it.
        log_loss_change: The same for the log loss.
        log_loss_low: Lower end of its interval.
        log_loss_high: Upper end of it.
        temperature: Temperature of the mean of its members as it would ship.
        ships: Whether this model ships.
    """

    name: str
    numbers: tuple[int, ...]
    weights: tuple[float, ...]
    metric: float
    log_loss: float
    metric_change: float = 0.0
    metric_low: float = 0.0
    metric_high: float = 0.0
    log_loss_change: float = 0.0
    log_loss_low: float = 0.0
    log_loss_high: float = 0.0
    temperature: float = 1.0
    ships: bool = False


@dataclass(frozen=True)
class Refit:
    """The last training run of the shipped model, on all rows, which no figure belongs to.

    Args:
        n_rows: The rows, with locked and validation rows, but without given test rows.
        is_done: Whether the shipped model was trained on them.
        reason: Why it was, or why not, or why only a part of it was.
        trained: Its members that were trained on them.
        members: Its members; 0 if no training run ended.
    """

    n_rows: int
    is_done: bool
    reason: str
    trained: int = 0
    members: int = 0


@dataclass(frozen=True)
class Gain:
    """One step from default cross-entropy to the challenger, on the rows of the verdict.

    The changes are from the step before and NaN in the first step; the ends are the ends of their
    95 % intervals by the paired bootstrap.

    Args:
        step: ``"default cross-entropy"``, ``"tuned"``, ``"temperature"``, ``"threshold"`` or
            ``"prior"``, ``"another loss"``.
        detail: The change in words.
        metric: The study's metric.
        log_loss: Log loss in nats.
    """

    step: str
    detail: str
    metric: float
    log_loss: float
    metric_change: float = float("nan")
    metric_low: float = float("nan")
    metric_high: float = float("nan")
    log_loss_change: float = float("nan")
    log_loss_low: float = float("nan")
    log_loss_high: float = float("nan")


@dataclass(frozen=True)
class Optimism:
    """The optimism of the selection, by a bootstrap of the selection itself.

    Args:
        trials: The number of trials that took part.
        metric: The study's metric of the trial with the lowest refined log loss, on the rows that
            it was selected on.
        metric_honest: The expected metric of such a selection on rows that it did not see.
        log_loss: Refined log loss of that trial in nats, on the rows that it was selected on.
        log_loss_honest: Its expected refined log loss in nats on rows that it did not see.
    """

    trials: int
    metric: float
    metric_honest: float
    log_loss: float
    log_loss_honest: float


@dataclass(frozen=True)
class PairOptimism:
    """How much the selection flatters the challenger against tuned cross-entropy.

    A comparison on the rows of the selection is corrected by it.

    Args:
        log_loss: In log loss, in nats, at least 0.
        metric: In the study's metric if that is a mean of wrong decisions, at least 0; else NaN.
    """

    log_loss: float
    metric: float


@dataclass(frozen=True)
class Reference:
    """A model of another kind on the same rows.

    Args:
        name: Its name, such as ``"gradient boosting"``.
        metric: The study's metric on the rows of the verdict.
        log_loss: Its log loss in nats.
        difference: Its metric minus the metric of the shipped model.
        low: Lower end of the 95 % interval of `difference` (paired bootstrap).
        high: Upper end of it.
        is_far_ahead: Whether it is so much better that the model is the problem, not the loss.
        text: The conclusion in a sentence.
    """

    name: str
    metric: float
    log_loss: float
    difference: float
    low: float
    high: float
    is_far_ahead: bool
    text: str
