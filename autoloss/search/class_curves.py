"""Figures by class: counts, ROC, precision-recall and cost curves."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.metrics import auroc, average_precision, cost_decisions
from autoloss.records.insights import ClassScores, CostCurve, Ranking, RankingCurves

MOST_POINTS = 101
"""The most points of a curve."""

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Matrix = tuple[tuple[float, ...], ...]


def class_scores(
    challenger: IntArray, baseline: IntArray, targets: IntArray, n_classes: int
) -> ClassScores:
    """Return the counts of each class for recall and precision.

    Args:
        challenger: Decisions of the challenger.
        baseline: Those of tuned cross-entropy.
        targets: The true classes.
        n_classes: The number of classes.

    Shape:
        challenger, baseline, targets (N,).
    """

    def counts(codes: IntArray) -> tuple[int, ...]:
        # A decision for no class is the last code.
        return tuple(np.bincount(codes, minlength=n_classes)[:n_classes].tolist())

    return ClassScores(
        counts(targets),
        counts(targets[challenger == targets]),
        counts(challenger),
        counts(targets[baseline == targets]),
        counts(baseline),
    )


def ranking(challenger: Tensor, baseline: Tensor, targets: IntArray) -> Ranking | None:
    """Return the ranking curves of two models for no and yes; None if one of them has no row.

    Args:
        challenger: Log probabilities of the challenger.
        baseline: Those of tuned cross-entropy.
        targets: The true classes.

    Shape:
        challenger, baseline (N, 2), targets (N,).
    """
    is_positive = targets == 1
    positives = int(is_positive.sum())
    negatives = len(targets) - positives
    if not positives or not negatives:
        return None
    own, other = (ranking_curves(one, is_positive) for one in (challenger, baseline))
    return Ranking(positives, negatives, own, other)


def ranking_curves(log_probs: Tensor, is_positive: NDArray[np.bool_]) -> RankingCurves:
    """Return the curves of one model, thinned to `MOST_POINTS`.

    Shape:
        log_probs (N, 2), is_positive (N,).
    """
    odds = (log_probs[:, 1] - log_probs[:, 0]).double()
    scores = odds.cpu().numpy()
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    # Rows with the same score share a decision.
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    found = np.cumsum(is_positive[order])[last].astype(np.float64)
    rate = np.append(0.0, found / is_positive.sum())
    false = np.append(0.0, (last + 1 - found) / (~is_positive).sum())
    precision = np.append(1.0, found / (last + 1))
    roc, pr = thinned_along(false, rate), thinned_along(rate, precision)
    classes = torch.as_tensor(is_positive.astype(np.int64))
    return RankingCurves(
        float(auroc(odds[None].cpu(), classes)[0]),
        float(average_precision(odds[None].cpu(), classes)[0]),
        tuple(false[roc].tolist()),
        tuple(rate[roc].tolist()),
        tuple(rate[pr].tolist()),
        tuple(precision[pr].tolist()),
    )


def thinned_along(x: FloatArray, y: FloatArray, *, most: int = MOST_POINTS) -> IntArray:
    """Return the indices of at most `most` points of a curve, evenly along its length.

    A step has the length ``|dx| + |dy|``. The first and the last point stay.

    Shape:
        x, y (N,) -> (n,).
    """
    if len(x) <= most:
        return np.arange(len(x))
    length = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    places = np.searchsorted(length, np.linspace(0.0, length[-1], most))
    places[-1] = len(x) - 1
    return np.unique(places)


def cost_curve(
    challenger: Tensor,
    baseline: Tensor,
    targets: IntArray,
    costs: Matrix,
    *,
    is_yes_or_no: bool,
    row_costs: FloatArray | None = None,
) -> CostCurve | None:
    """Return the cost of rows under other costs, or if a person decides some of the rows.

    For no and yes the curve of Hernández-Orallo, Flach and Ferri 2011 ("Brier curves"), in the
    units of the cost matrix: at each share the cheapest decision (Elkan 2001). For other classes
    the mean cost of the remaining rows.

    Args:
        challenger: Log probabilities of the challenger.
        baseline: Those of tuned cross-entropy.
        targets: The true classes.
        costs: Cost of each decision (column) for each true class (row).
        is_yes_or_no: Whether the classes are no and yes.
        row_costs: The cost of each row, by which those of its decisions are multiplied; None for
            1.

    Returns:
        The curve; None if a mistake costs nothing.

    Shape:
        challenger, baseline (N, C), targets and row_costs (N,).
    """
    price = np.asarray(costs, dtype=np.float64)
    own_costs = np.ones(len(targets)) if row_costs is None else row_costs
    if not is_yes_or_no:
        at = np.linspace(0.0, 1.0, MOST_POINTS)
        own, other = (
            _reviewed(one, targets, price, own_costs, at) for one in (challenger, baseline)
        )
        return CostCurve("reviewed", tuple(at.tolist()), own, other)
    right = np.diag(price)
    false_positive, false_negative = price[0, 1] - right[0], price[1, 0] - right[1]
    if min(false_positive, false_negative) < 0.0 or false_positive + false_negative <= 0.0:
        return None
    total = float(false_positive + false_negative)
    start = float((right[targets] * own_costs).mean())
    at = np.linspace(0.0, 1.0, MOST_POINTS)

    def value(false: FloatArray, missed: FloatArray) -> tuple[float, ...]:
        return tuple((start + total * (at * false + (1.0 - at) * missed)).tolist())

    positive, negative = (float(((targets == code) * own_costs).mean()) for code in (1, 0))
    all_negative, all_positive = at * 0.0 + positive, at * 0.0 + negative
    one_class = np.minimum(value(all_positive, at * 0.0), value(at * 0.0, all_negative))
    own, other = (
        value(*_mistakes(one[:, 1].exp().double().cpu().numpy(), targets, own_costs, at))
        for one in (challenger, baseline)
    )
    return CostCurve(
        "cost_share",
        tuple(at.tolist()),
        own,
        other,
        tuple(one_class.tolist()),
        float(false_positive / total),
    )


def _mistakes(
    positive: FloatArray, targets: IntArray, costs: FloatArray, at: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the share of false positives and of missed positives, by cost, at each threshold."""

    def below(code: int) -> FloatArray:
        own = targets == code
        order = np.argsort(positive[own], kind="stable")
        total = np.append(0.0, np.cumsum(costs[own][order]))
        return total[np.searchsorted(positive[own][order], at, side="right")] / len(targets)

    return float(costs[targets == 0].sum()) / len(targets) - below(0), below(1)


def _reviewed(
    log_probs: Tensor, targets: IntArray, price: FloatArray, costs: FloatArray, at: FloatArray
) -> tuple[float, ...]:
    """Return the mean cost if a person decides the share `at` of the rows."""
    probs = log_probs.exp().double().cpu()
    decided = cost_decisions(probs, price.tolist()).cpu().numpy()
    expected = (probs.numpy() @ price)[np.arange(len(targets)), decided] * costs
    right, paid = np.diag(price)[targets] * costs, price[targets, decided] * costs
    order = np.argsort(-expected, kind="stable")
    saved = np.append(0.0, np.cumsum((paid - right)[order]))
    places = np.round(at * len(targets)).astype(np.int64)
    total = float(paid.sum())
    return tuple(((total - saved[places]) / len(targets)).tolist())
