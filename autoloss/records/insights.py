"""Plain values of what two models decide and what losses tell a network. No torch, no optuna."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SignalCurve:
    """What one loss tells the network, over the probability p of the true class.

    The signal is the gradient on the true class's logit as a multiple of cross-entropy's, which
    is ``p - 1``: 1 everywhere is cross-entropy.

    Args:
        number: Number of the trial whose loss it is.
        signal: At `Signals.probs`; NaN where there is none.
        dead: Share of the rows whose signal is below 0.01.
        unsure: Share of the whole gradient that comes from rows with ``p < 0.5``.
    """

    number: int
    signal: tuple[float, ...]
    dead: float
    unsure: float


@dataclass(frozen=True)
class Signals:
    """The gradient signals of losses over where a model's rows are.

    Args:
        number: Number of the trial whose network gives the rows their p: the softmax of its
            logits, before the read-out.
        probs: Where the curves were measured.
        edges: Ends of the bins of p, one more than bins.
        counts: Rows of the verdict in each bin.
        curves: One a loss.
    """

    number: int
    probs: tuple[float, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    curves: tuple[SignalCurve, ...]


@dataclass(frozen=True)
class ConfusedPair:
    """Rows of one class that were decided for another one.

    Args:
        truth: Code of the true class.
        decided: Code of the class that was decided for.
        challenger: How many the challenger confuses so.
        baseline: How many tuned cross-entropy does.
    """

    truth: int
    decided: int
    challenger: int
    baseline: int


@dataclass(frozen=True)
class Confusion:
    """What challenger and tuned cross-entropy decide, on the rows of the verdict.

    Args:
        decision: What the decisions minimise: ``"error"``, ``"balanced_error"`` or
            ``"expected_cost"``.
        challenger: Rows by true class (down) and decision (across); None for many classes.
        baseline: Likewise of tuned cross-entropy.
        pairs: The most confused pairs of classes, both models together.
    """

    decision: str
    challenger: tuple[tuple[int, ...], ...] | None
    baseline: tuple[tuple[int, ...], ...] | None
    pairs: tuple[ConfusedPair, ...] = ()


@dataclass(frozen=True)
class Disagreement:
    """A row on which challenger and tuned cross-entropy decide differently.

    Args:
        row: Its number in the table, from 0.
        truth: Code of the true class.
        challenger: Code of the class that the challenger decides for.
        baseline: Code of the class that tuned cross-entropy decides for.
        challenger_prob: Probability that the challenger gives the true class.
        baseline_prob: Probability that tuned cross-entropy gives it.
    """

    row: int
    truth: int
    challenger: int
    baseline: int
    challenger_prob: float
    baseline_prob: float


@dataclass(frozen=True)
class Disagreements:
    """On which rows of the verdict challenger and tuned cross-entropy disagree.

    Args:
        rows: Rows that were compared.
        challenger_right: Rows on which the challenger alone is right.
        baseline_right: Rows on which tuned cross-entropy alone is right.
        both_wrong: Rows on which both are wrong in different ways.
        table: Where the rows are counted: ``"data"``, or ``"test"`` for a file of its own.
        examples: A few of them, the largest difference in probability first.
    """

    rows: int
    challenger_right: int
    baseline_right: int
    both_wrong: int
    table: str = "data"
    examples: tuple[Disagreement, ...] = ()


@dataclass(frozen=True)
class Threshold:
    """Where decisions are moved to, and what that is worth on the rows of the verdict.

    Args:
        metric: What it minimises: ``"expected_cost"`` or ``"balanced_error"``.
        threshold: Probability of the positive class from which it is decided for; NaN where
            there are more classes than two.
        value: The metric of what ships, decided so.
        likeliest: The metric where the likeliest class is decided for.
        probs: Other thresholds; empty where there are more classes than two.
        values: The metric at each.
    """

    metric: str
    threshold: float
    value: float
    likeliest: float
    probs: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class ClassScores:
    """How often each class is found, and how often a decision for it is right.

    Each field has one count a class, in the order of the classes, on the rows of the verdict.

    Args:
        rows: Rows of the class.
        challenger_right: Rows of the class that the challenger gives to it.
        challenger_decided: All rows that the challenger gives to it.
        baseline_right: Rows of the class that tuned cross-entropy gives to it.
        baseline_decided: All rows that tuned cross-entropy gives to it.
    """

    rows: tuple[int, ...]
    challenger_right: tuple[int, ...]
    challenger_decided: tuple[int, ...]
    baseline_right: tuple[int, ...]
    baseline_decided: tuple[int, ...]


@dataclass(frozen=True)
class RankingCurves:
    """The ROC and the precision-recall curve of one model of two classes.

    The curves have at most 101 points each; the areas are those of all thresholds.

    Args:
        auroc: Area under the ROC curve.
        average_precision: Area under the precision-recall curve, as a sum over its steps.
        false_positive_rate: Points of the ROC curve, rising.
        true_positive_rate: Likewise.
        recall: Points of the precision-recall curve, rising.
        precision: Likewise.
    """

    auroc: float
    average_precision: float
    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]
    recall: tuple[float, ...]
    precision: tuple[float, ...]


@dataclass(frozen=True)
class Ranking:
    """How challenger and tuned cross-entropy rank the rows of two classes.

    Args:
        positives: Rows of the positive class, the second one.
        negatives: The other rows.
        challenger: Curves of the challenger.
        baseline: Curves of tuned cross-entropy.
    """

    positives: int
    negatives: int
    challenger: RankingCurves
    baseline: RankingCurves


@dataclass(frozen=True)
class CostCurve:
    """The expected cost of a row where costs, or the rows that are decided, are others.

    Args:
        over: What varies. ``"cost_share"`` (two classes): the cost of a false positive as a share
            of both costs of errors, whose sum stays that of the cost matrix; decisions follow
            it. ``"reviewed"`` (more classes): the share of the rows, those of the highest expected
            cost first, that a person decides without a mistake.
        at: Its values, rising.
        challenger: Mean cost of a row under the challenger at each.
        baseline: Likewise under tuned cross-entropy.
        single: Mean cost where all rows are given to the one class that is cheapest; empty for
            ``"reviewed"``.
        given: The value of the cost matrix; NaN for ``"reviewed"``.
    """

    over: Literal["cost_share", "reviewed"]
    at: tuple[float, ...]
    challenger: tuple[float, ...]
    baseline: tuple[float, ...]
    single: tuple[float, ...] = ()
    given: float = float("nan")
