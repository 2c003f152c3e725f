"""The decisions of challenger and tuned cross-entropy: confusions, disagreements, thresholds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.losses import ClassFacts
from autoloss.metrics import balanced_scores, cost_decisions
from autoloss.metrics.known import is_balanced
from autoloss.records.insights import (
    ConfusedPair,
    Confusion,
    Disagreement,
    Disagreements,
    Threshold,
)

MOST_CLASSES = 40
"""The most classes of a whole matrix; with more classes only the most confused pairs are kept."""
_PAIRS, _EXAMPLES = 20, 12
_STEPS = 99

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Matrix = tuple[tuple[float, ...], ...]


def decide(
    log_probs: Tensor, *, metric: str, facts: ClassFacts, costs: Matrix | None
) -> tuple[str, IntArray]:
    """Return the quantity that decisions minimise, and the decision for each row.

    Args:
        log_probs: Calibrated log probabilities.
        metric: The study's metric.
        facts: The kind of label, with the training rows of each class.
        costs: Cost of each decision (column) for each true class (row); always used if given.

    Shape:
        log_probs (N, C), result (N,).
    """
    if costs is not None:
        found: IntArray = cost_decisions(log_probs.exp(), costs).numpy()
        return "expected_cost", found
    if is_balanced(metric):
        found = balanced_scores(log_probs, facts.item_counts).argmax(-1).numpy()
        return "balanced_error", found
    found = log_probs.argmax(-1).numpy()
    return "error", found


def confusion(
    decision: str,
    challenger: IntArray,
    baseline: IntArray,
    targets: IntArray,
    n_classes: int,
    n_decisions: int | None = None,
) -> Confusion:
    """Return the confusions: whole matrices for few classes, and the most confused pairs.

    Args:
        decision: The quantity that the decisions minimise.
        challenger: Its decisions.
        baseline: Those of tuned cross-entropy.
        targets: The true classes.
        n_classes: The number of classes.
        n_decisions: The number of decisions, which may be one more; None for `n_classes`.

    Shape:
        challenger, baseline, targets (N,).
    """
    n_decisions = n_decisions or n_classes
    counts = [_pair_counts(targets, one, n_decisions) for one in (challenger, baseline)]
    together: dict[int, int] = {}
    for one in counts:
        for code, count in one.items():
            if code // n_decisions != code % n_decisions:
                together[code] = together.get(code, 0) + count
    worst = sorted(together, key=lambda code: (-together[code], code))[:_PAIRS]
    pairs = tuple(
        ConfusedPair(
            code // n_decisions, code % n_decisions, *(one.get(code, 0) for one in counts)
        )
        for code in worst
    )
    if n_classes > MOST_CLASSES:
        return Confusion(decision, None, None, pairs)
    first, second = (_matrix(one, n_classes, n_decisions) for one in counts)
    return Confusion(decision, first, second, pairs)


def disagreements(
    challenger: tuple[IntArray, Tensor],
    baseline: tuple[IntArray, Tensor],
    targets: IntArray,
    rows: IntArray,
    *,
    table: str = "data",
    labels: Callable[[int], str] = lambda item: "",
) -> Disagreements:
    """Return the rows on which two models decide differently, with a few examples.

    Args:
        challenger: Decisions of the challenger and its log probabilities.
        baseline: Likewise of tuned cross-entropy.
        targets: The true classes.
        rows: Number of each row in its table.
        table: The name of the table.
        labels: Returns the label of an item of several labels a row.

    Shape:
        decisions, targets, rows (N,), log probabilities (N, C).
    """
    (ours, our_log_probs), (theirs, their_log_probs) = challenger, baseline
    place = np.arange(len(targets))
    our_probs, their_probs = (
        one.exp().numpy()[place, targets] for one in (our_log_probs, their_log_probs)
    )
    differ = np.flatnonzero(ours != theirs)
    order = differ[np.lexsort((rows[differ], -np.abs(our_probs - their_probs)[differ]))]
    right, wrong = ours[differ] == targets[differ], theirs[differ] == targets[differ]
    return Disagreements(
        rows=len(targets),
        challenger_right=int(right.sum()),
        baseline_right=int(wrong.sum()),
        both_wrong=int((~right & ~wrong).sum()),
        table=table,
        examples=tuple(
            Disagreement(
                row=int(rows[i]),
                truth=int(targets[i]),
                challenger=int(ours[i]),
                baseline=int(theirs[i]),
                challenger_prob=float(our_probs[i]),
                baseline_prob=float(their_probs[i]),
                label=labels(int(i)),
            )
            for i in order[:_EXAMPLES]
        ),
    )


def threshold(
    log_probs: Tensor,
    targets: IntArray,
    *,
    metric: str,
    facts: ClassFacts,
    costs: Matrix | None,
    row_costs: FloatArray | None = None,
) -> Threshold | None:
    """Return the threshold of moved decisions and its gain; None if decisions are not moved.

    With a decision for no class there is no single threshold.

    For no and yes it is the threshold of Elkan 2001, eq. 2: the cost of a false positive over
    the sum of both costs, each less the cost of a right decision. Balanced error is the case of
    costs equal to 1 over the share of the true class.

    Args:
        log_probs: Log probabilities of the shipped model.
        targets: The true classes.
        metric: The study's metric.
        facts: The kind of label, with the training rows of each class.
        costs: See `decide`.
        row_costs: The cost of each row, by which those of its decisions are multiplied; None for
            1.

    Shape:
        log_probs (N, C), targets and row_costs (N,).
    """
    kind, decided = decide(log_probs, metric=metric, facts=facts, costs=costs)
    if kind == "error":
        return None
    n_classes = log_probs.shape[-1]
    price = np.asarray(costs) if costs is not None else _balanced_price(targets, n_classes)

    def value(decisions: IntArray) -> float:
        paid = price[targets, decisions]
        return float((paid if row_costs is None else paid * row_costs).mean())

    likeliest = value(log_probs.argmax(-1).numpy())
    if not facts.is_yes_or_no or price.shape[1] > n_classes:
        return Threshold(kind, float("nan"), value(decided), likeliest)
    if costs is not None:
        false_positive, false_negative = price[0, 1] - price[0, 0], price[1, 0] - price[1, 1]
        cut = float(false_positive / (false_positive + false_negative))
    else:
        cut = float(facts.item_counts[1] / facts.item_counts.sum())
    positive = log_probs[:, 1].exp().numpy()
    probs = tuple((step + 1) / (_STEPS + 1) for step in range(_STEPS))
    values = tuple(value((positive >= prob).astype(np.int64)) for prob in probs)
    return Threshold(kind, cut, value(decided), likeliest, probs, values)


def _balanced_price(targets: IntArray, n_classes: int) -> FloatArray:
    """Return costs whose mean is the balanced error on these rows, ``(C, C)``."""
    counts = np.bincount(targets, minlength=n_classes)
    weight = len(targets) / (np.maximum(counts, 1) * (counts > 0).sum())
    price: FloatArray = weight[:, None] * (1.0 - np.eye(n_classes))
    return price


def _pair_counts(targets: IntArray, decided: IntArray, n_decisions: int) -> dict[int, int]:
    """Return the number of rows of each confused pair of true class and decision."""
    codes, counts = np.unique(targets * n_decisions + decided, return_counts=True)
    return dict(zip(codes.tolist(), counts.tolist(), strict=True))


def _matrix(
    counts: dict[int, int], n_classes: int, n_decisions: int
) -> tuple[tuple[int, ...], ...]:
    return tuple(
        tuple(counts.get(row * n_decisions + column, 0) for column in range(n_decisions))
        for row in range(n_classes)
    )


def as_codes(values: Tensor) -> IntArray:
    """Return classes as an array of int64."""
    found: IntArray = values.to(torch.int64).cpu().numpy()
    return found
