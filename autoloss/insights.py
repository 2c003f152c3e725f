"""Plain values of what two models decide and what losses tell a network. No torch, no optuna."""

from __future__ import annotations

from dataclasses import dataclass


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
