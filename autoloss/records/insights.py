"""Decisions of two models and gradient signals of losses, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autoloss.records.estimates import Estimate


@dataclass(frozen=True)
class SignalCurve:
    """The gradient signal of one loss over the probability p of the true class.

    The signal is the gradient on the true class's logit as a multiple of cross-entropy's, which
    is ``p - 1``: 1 everywhere is cross-entropy.

    Args:
        number: Number of the loss's trial.
        signal: At `Signals.probs`; NaN if unknown.
        dead: Share of the rows whose signal is below 0.01.
        unsure: Share of the whole gradient that comes from rows with ``p < 0.5``.
    """

    number: int
    signal: tuple[float, ...]
    dead: float
    unsure: float


@dataclass(frozen=True)
class Signals:
    """The gradient signals of losses, and the distribution of a model's rows over p.

    Args:
        number: Number of the trial whose network gives the rows their p: the softmax of its
            logits, before the read-out.
        probs: The p at which the curves were measured.
        edges: Ends of the bins of p.
        counts: Rows of the verdict in each bin.
        curves: One per loss.
    """

    number: int
    probs: tuple[float, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    curves: tuple[SignalCurve, ...]


@dataclass(frozen=True)
class ConfusedPair:
    """Rows of one class that a model takes for another class.

    Args:
        truth: Code of the true class.
        decided: Code of the predicted class.
        challenger: Number of these rows for the challenger.
        baseline: Number of these rows for tuned cross-entropy.
    """

    truth: int
    decided: int
    challenger: int
    baseline: int


@dataclass(frozen=True)
class Confusion:
    """The decisions of challenger and tuned cross-entropy on the rows of the verdict.

    Args:
        decision: The metric that the decisions minimise: ``"error"``, ``"balanced_error"`` or
            ``"expected_cost"``.
        challenger: Rows by true class (down) and decision (across), the decision for no class
            last; None for many classes.
        baseline: The same for tuned cross-entropy.
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
        label: The label of several that is compared; empty for one label a row.
        words: The first words of its text; empty without one.
        picture: A small copy of its image as a data URL; empty without one.
    """

    row: int
    truth: int
    challenger: int
    baseline: int
    challenger_prob: float
    baseline_prob: float
    label: str = ""
    words: str = ""
    picture: str = ""


@dataclass(frozen=True)
class Disagreements:
    """The rows of the verdict on which challenger and tuned cross-entropy disagree.

    Args:
        rows: Rows that were compared.
        challenger_right: Rows on which the challenger alone is right.
        baseline_right: Rows on which tuned cross-entropy alone is right.
        both_wrong: Rows on which both are wrong in different ways.
        table: The table that numbers the rows: ``"data"``, or ``"test"`` for a separate file.
        examples: A few of these rows, the largest difference in probability first.
    """

    rows: int
    challenger_right: int
    baseline_right: int
    both_wrong: int
    table: str = "data"
    examples: tuple[Disagreement, ...] = ()


@dataclass(frozen=True)
class Threshold:
    """A moved decision threshold, and its effect on the rows of the verdict.

    Args:
        metric: The metric that it minimises: ``"expected_cost"`` or ``"balanced_error"``.
        threshold: Probability from which the decision is the positive class; NaN for more than
            two classes.
        value: The metric of the shipped model with this threshold.
        likeliest: The metric if the decision is the most probable class.
        probs: Other thresholds; empty for more than two classes.
        values: The metric at each.
    """

    metric: str
    threshold: float
    value: float
    likeliest: float
    probs: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class RuleCost:
    """The cost of a decision rule on the rows of the verdict.

    Args:
        role: ``"challenger"`` or ``"cross-entropy"``; empty for a rule without a model.
        rule: ``"one"`` (the cheapest decision for all rows alike), ``"likeliest"`` (the most
            probable class), or the cheapest decision by the probabilities of the ``"raw"``
            softmax, of the softmax with the loss's prior undone (``"corrected"``), or of the
            ``"calibrated"`` read-out.
        cost: The mean cost of a row.
        saved: The mean cost that the rule saves against ``"likeliest"`` of the same model.
        rejected: The share of the rows that it decides for no class.
    """

    role: str
    rule: str
    cost: Estimate
    saved: Estimate
    rejected: float = 0.0


@dataclass(frozen=True)
class ClassScores:
    """The counts behind recall and precision of each class.

    Each field has one count per class, in the order of the classes, on the rows of the verdict.

    Args:
        rows: Rows of the class.
        challenger_right: Rows of the class that the challenger predicts as this class.
        challenger_decided: All rows that the challenger predicts as this class.
        baseline_right: Rows of the class that tuned cross-entropy predicts as this class.
        baseline_decided: All rows that tuned cross-entropy predicts as this class.
    """

    rows: tuple[int, ...]
    challenger_right: tuple[int, ...]
    challenger_decided: tuple[int, ...]
    baseline_right: tuple[int, ...]
    baseline_decided: tuple[int, ...]


@dataclass(frozen=True)
class RankingCurves:
    """The ROC and the precision-recall curve of one model of two classes.

    The curves have at most 101 points each; the areas use all thresholds.

    Args:
        auroc: Area under the ROC curve.
        average_precision: Area under the precision-recall curve, as a sum over its steps.
        false_positive_rate: Points of the ROC curve, rising.
        true_positive_rate: Points of the ROC curve.
        recall: Points of the precision-recall curve, rising.
        precision: Points of the precision-recall curve.
    """

    auroc: float
    average_precision: float
    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]
    recall: tuple[float, ...]
    precision: tuple[float, ...]


@dataclass(frozen=True)
class Ranking:
    """The ranking of the rows of two classes by challenger and tuned cross-entropy.

    Args:
        positives: Rows of the positive class, the second class.
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
    """The expected cost of a row under other costs, or after the review of some rows.

    Args:
        over: The variable. ``"cost_share"`` (two classes): the cost of a false positive as a share
            of both costs of errors, whose sum stays that of the cost matrix; decisions follow
            it. ``"reviewed"`` (more classes): the share of the rows, the highest expected
            cost first, that a person decides without a mistake.
        at: Its values, rising.
        challenger: Mean cost per row under the challenger at each.
        baseline: The same under tuned cross-entropy.
        single: Mean cost if all rows get the single cheapest class; empty for
            ``"reviewed"``.
        given: The value of the cost matrix; NaN for ``"reviewed"``, and where no costs were given
            and the sum of both is 2.
    """

    over: Literal["cost_share", "reviewed"]
    at: tuple[float, ...]
    challenger: tuple[float, ...]
    baseline: tuple[float, ...]
    single: tuple[float, ...] = ()
    given: float = float("nan")
