"""Scores of out-of-distribution (OOD) rows, and how well they separate them from other rows.

An OOD row belongs to no class. A score is higher for rows further out of distribution. R training
runs of a model give a weighted mean: of their probabilities for scores of probabilities, of their
scores otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
ACCEPTED = 0.95
"""The share of the in-distribution rows that a threshold accepts, for false acceptance."""
_CHUNK = 1 << 19
_RIDGE = 1e-3
"""Added to the covariance of the distances, relative to its mean variance."""


def max_probability(
    logits: Iterable[Tensor], temperature: float = 1.0, *, weights: Sequence[float] | None = None
) -> Tensor:
    """Return 1 minus the largest probability, in [0, 1].

    The negative log likelihood of the predicted class, ``-ln max p``, orders rows in the same way.

    Args:
        logits: Of R training runs.
        temperature: Divides the logits.
        weights: The weight of each training run; None for equal ones.

    Shape:
        logits ``(R, N, C)``, result ``(N,)``, float64.

    Source: Hendrycks and Gimpel 2017, arXiv:1610.02136; with a temperature Liang, Li and Srikant
    2018, arXiv:1706.02690.

    Examples:
        >>> max_probability(torch.tensor([[[2.0, 0.0], [0.0, 0.0]]])).tolist()
        [0.11920292202211755, 0.5]
    """
    probs = _mean(((one.double() / temperature).softmax(-1) for one in logits), weights)
    top = probs.argmax(-1, keepdim=True)
    # The probability of the other classes: 1 - p would cancel where p is near 1.
    return probs.scatter(-1, top, 0.0).sum(-1)


def entropy(
    logits: Iterable[Tensor], temperature: float = 1.0, *, weights: Sequence[float] | None = None
) -> Tensor:
    """Return the entropy of the mean probabilities, in nats.

    Args:
        logits: Of R training runs.
        temperature: Divides the logits.
        weights: The weight of each training run; None for equal ones.

    Shape:
        logits ``(R, N, C)``, result ``(N,)``, float64.
    """
    probs = _mean(((one.double() / temperature).softmax(-1) for one in logits), weights)
    terms: Tensor = torch.special.xlogy(probs, probs)
    return -terms.sum(-1)


def energy(
    logits: Iterable[Tensor], temperature: float = 1.0, *, weights: Sequence[float] | None = None
) -> Tensor:
    """Return the free energy ``-T ln sum_k exp(z_k / T)``, the mean over the training runs.

    Args:
        logits: Of R training runs.
        temperature: T.
        weights: The weight of each training run; None for equal ones.

    Shape:
        logits ``(R, N, C)``, result ``(N,)``, float64.

    Source: Liu, Wang, Owens and Li 2020, arXiv:2010.03759, eq. 4.

    Examples:
        >>> round(energy(torch.tensor([[[2.0, 1.0, 0.1]]])).item(), 6)
        -2.41703
    """
    each = (-temperature * (one.double() / temperature).logsumexp(-1) for one in logits)
    return _mean(each, weights)


def max_logit(logits: Iterable[Tensor], *, weights: Sequence[float] | None = None) -> Tensor:
    """Return the largest logit with its sign turned, the mean over the training runs.

    Args:
        logits: Of R training runs.
        weights: The weight of each training run; None for equal ones.

    Shape:
        logits ``(R, N, C)``, result ``(N,)``, float64.

    Source: Hendrycks et al. 2022, arXiv:1911.11132.
    """
    return _mean((-one.double().amax(-1) for one in logits), weights)


def _mean(parts: Iterable[Tensor], weights: Sequence[float] | None) -> Tensor:
    """Return the weighted mean of the parts of R training runs, which come one by one."""
    total, weight = torch.zeros(()), 0.0
    for place, part in enumerate(parts):
        own = 1.0 if weights is None else weights[place]
        total, weight = total + part * own, weight + own
    return total / weight


OF_TEMPERATURE: dict[str, Callable[..., Tensor]] = {
    "max_probability": max_probability,
    "entropy": entropy,
    "energy": energy,
}
"""The scores that depend on a temperature."""
OF_LOGITS: dict[str, Callable[..., Tensor]] = {**OF_TEMPERATURE, "max_logit": max_logit}
"""The scores that need no other rows."""
OF_PROBABILITIES = ("max_probability", "entropy")
"""The scores that need no logits, only probabilities."""


@dataclass(frozen=True, eq=False)
class ClassDistance:
    """The distance of a row's logits to the nearest mean of a class, by their common covariance.

    Args:
        means: Mean logits of each class that has rows, of each training run.
        factor: The inverse of the Cholesky factor of the covariance, of each training run.

    Shape:
        means ``(R, C', C)``, factor ``(R, C, C)``.

    Source: the Mahalanobis distance of Lee et al. 2018, arXiv:1807.03888, of logits in the place
    of hidden features.
    """

    means: Tensor
    factor: Tensor

    @classmethod
    def fit(cls, logits: Tensor, targets: Tensor) -> ClassDistance:
        """Return the distance to the means of these rows.

        Args:
            logits: Of R training runs.
            targets: Classes.

        Shape:
            logits ``(R, N, C)``, targets ``(N,)``.
        """
        centred = logits.double() - logits.double().mean(-1, keepdim=True)
        classes: Tensor = torch.unique(targets)
        means = torch.stack([centred[:, targets == one].mean(1) for one in classes], 1)
        off = centred - means[:, torch.searchsorted(classes, targets)]
        covariance = off.mT @ off / max(1, off.shape[1] - len(classes))
        size = covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None].clamp_min(1e-12)
        covariance = covariance + _RIDGE * size * torch.eye(off.shape[-1], dtype=off.dtype)
        return cls(means, torch.linalg.inv(torch.linalg.cholesky(covariance)))

    def of(self, logits: Tensor) -> Tensor:
        """Return the squared distances, the mean over the training runs.

        Shape:
            logits ``(R, N, C)``, result ``(N,)``, float64.
        """
        centred = logits.double() - logits.double().mean(-1, keepdim=True)
        white = centred @ self.factor.mT
        return torch.cdist(white, self.means @ self.factor.mT).square().amin(-1).mean(0)


@dataclass(frozen=True, eq=False)
class Detection:
    """How well a score separates OOD rows from in-distribution rows, for B weightings of the rows.

    Args:
        auroc: The chance that an OOD row scores above an in-distribution row; a tie counts half.
        average_precision: The mean precision over the OOD rows, OOD rows being positive.
        false_acceptance: The share of the OOD rows below the threshold that accepts 95 % of the
            in-distribution rows: the false positive rate at 95 % recall.

    Shape:
        all ``(B,)``.
    """

    auroc: Floats
    average_precision: Floats
    false_acceptance: Floats


def detection(
    known: Floats, strange: Floats, known_weights: Floats, strange_weights: Floats
) -> Detection:
    """Return how well a score separates OOD rows from in-distribution rows.

    Args:
        known: Scores of the N in-distribution rows.
        strange: Scores of the M OOD rows.
        known_weights: B weightings of the in-distribution rows.
        strange_weights: B weightings of the OOD rows.

    Shape:
        known ``(N,)``, strange ``(M,)``, weights ``(B, N)`` and ``(B, M)``.

    Examples:
        >>> one = detection(np.array([0.1, 0.4]), np.array([0.35, 0.8]), np.ones((1, 2)),
        ...     np.ones((1, 2)))
        >>> one.auroc.item()
        0.75
    """
    scores = np.concatenate([known, strange])
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    step = max(1, _CHUNK // len(scores))
    parts = [
        _detection(known_weights[at : at + step], strange_weights[at : at + step], order, starts)
        for at in range(0, len(known_weights), step)
    ]
    auroc, precision, accepted = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Detection(auroc, precision, accepted)


def auroc(known: Floats, strange: Floats) -> float:
    """Return the area under the ROC curve alone, by ranks (Mann and Whitney 1947).

    Args:
        known: Scores of in-distribution rows, ``(N,)``.
        strange: Scores of OOD rows, ``(M,)``.

    Examples:
        >>> auroc(np.array([0.1, 0.2]), np.array([0.2, 0.9]))
        0.875
    """
    # A search begins without it.
    from scipy.stats import rankdata

    n, m = len(known), len(strange)
    ranks = rankdata(np.concatenate([known, strange]))[n:].sum()
    return float((ranks - m * (m + 1) / 2) / (n * m))


def _detection(
    known: Floats, strange: Floats, order: NDArray[np.int64], starts: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    """Return the figures of weightings, of rows in falling order of their score.

    Args:
        known: Weights of the in-distribution rows, ``(B, N)``.
        strange: Weights of the OOD rows, ``(B, M)``.
        order: All rows in falling order of their score.
        starts: The places in it where a lower score begins.
    """
    every = np.hstack([known, strange])[:, order]
    of_strange = np.where(order >= known.shape[1], every, 0.0)
    of_known = every - of_strange
    if len(starts) < len(order):
        of_known, of_strange = (np.add.reduceat(one, starts, 1) for one in (of_known, of_strange))
    refused, found = of_known.cumsum(1), of_strange.cumsum(1)
    n_known, n_strange = refused[:, -1:], found[:, -1:]
    below = n_known - refused + of_known / 2
    auroc = (of_strange * below).sum(1) / (n_known * n_strange)[:, 0]
    with np.errstate(invalid="ignore"):
        precision = np.nan_to_num(found / (found + refused))
    average = (of_strange * precision).sum(1) / n_strange[:, 0]
    allowed = refused <= (1.0 - ACCEPTED) * n_known * (1.0 + 1e-12)
    caught = np.where(allowed, found, 0.0).max(1)
    return auroc, average, 1.0 - caught / n_strange[:, 0]
