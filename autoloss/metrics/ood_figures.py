"""The figures of OOD scores with intervals, over the training runs of a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.metrics.ood import ClassDistance, Detection, Floats, detection
from autoloss.records.estimates import Estimate
from autoloss.records.ood import StrangerScore

TEMPERATURES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0)
Pair = tuple[Floats, Floats]
"""The scores of the in-distribution and of the OOD rows."""


def spread_places(n_rows: int, most: int) -> NDArray[np.int64]:
    """Return at most this many places that are spread over some rows, ascending.

    Examples:
        >>> spread_places(9, 3).tolist()
        [0, 4, 8]
    """
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, most)).round().astype(np.int64))


def cluster_weights(
    clusters: NDArray[np.integer], random: np.random.Generator, draws: int
) -> Floats:
    """Return the weights of rows in bootstrap samples of clusters; the first are ones.

    Shape:
        clusters ``(N,)``, result ``(draws + 1, N)``.
    """
    _, place = np.unique(clusters, return_inverse=True)
    n = int(place.max()) + 1
    drawn = random.multinomial(n, np.full(n, 1 / n), size=draws)
    return np.vstack([np.ones((1, len(place))), drawn[:, place]])


def mean_detection(pairs: Sequence[Pair], weights: Sequence[Pair]) -> Detection:
    """Return the figures of a score, the mean over the training runs of a model.

    Args:
        pairs: The scores of each training run.
        weights: The weights of its rows and of the OOD rows, B of each.
    """
    each = [detection(*pair, *own) for pair, own in zip(pairs, weights, strict=True)]
    return Detection(
        np.mean([one.auroc for one in each], axis=0),
        np.mean([one.average_precision for one in each], axis=0),
        np.mean([one.false_acceptance for one in each], axis=0),
    )


def plain_weights(pairs: Sequence[Pair]) -> list[Pair]:
    """Return a weight of 1 for every row, B = 1."""
    return [(np.ones((1, len(known))), np.ones((1, len(strange)))) for known, strange in pairs]


def score_with_intervals(
    name: str, pairs: Sequence[Pair], weights: Sequence[Pair]
) -> StrangerScore:
    """Return the figures of a score; the first weights are the rows' own."""
    found = mean_detection(pairs, weights)
    return StrangerScore(
        name,
        auroc=estimate(found.auroc),
        average_precision=estimate(found.average_precision),
        false_acceptance=estimate(found.false_acceptance),
    )


def estimate(values: Floats) -> Estimate:
    """Return the first value with the 95 % interval of the others."""
    # A sample of few clusters may leave a training run without any row.
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return Estimate(float(values[0]), float(low), float(high))


def distance_pair(
    logits: Tensor, targets: Tensor, strange: Tensor, first: NDArray[np.bool_]
) -> Pair:
    """Return the distances to the class means of the other half of the in-distribution rows.

    OOD rows have the mean of both.

    Args:
        logits: Logits of the in-distribution rows by each training run.
        targets: Their classes.
        strange: Logits of the OOD rows.
        first: Which in-distribution rows are the first half.

    Shape:
        logits ``(R, N, C)``, targets and first ``(N,)``, strange ``(R, M, C)``.
    """
    known, of_strange = np.empty(len(targets)), np.zeros(strange.shape[1])
    for half in (first, ~first):
        one = torch.from_numpy(half)
        fitted = ClassDistance.fit(logits[:, one], targets[one])
        known[~half] = fitted.of(logits[:, ~one]).numpy()
        of_strange += fitted.of(strange).numpy() / 2
    return known, of_strange
