"""Code lengths in bits: of classes with the class shares, and of labels with probabilities."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

FloatArray = npt.NDArray[np.floating]


def bits(nats: float) -> float:
    """Return a log loss in bits.

    Examples:
        >>> round(bits(-math.log(0.8)), 6)
        0.321928
    """
    return nats / math.log(2)


def adaptive_bits(counts: npt.NDArray[np.integer]) -> float:
    """Return the bits of labels with class shares that every label updates.

    A label of class c after n others, n_c of them of that class, has the probability
    ``(n_c + 1/2) / (n + C/2)``. The sum does not depend on the order of the labels.

    Args:
        counts: The labels of each class; for several labels a row for each, which are added.

    Shape:
        counts ``(C,)`` or ``(L, C)``.

    Source:
        Krichevsky and Trofimov 1981, The performance of universal encoding.

    Examples:
        >>> round(adaptive_bits(np.array([1, 0])), 12)
        1.0
        >>> adaptive_bits(np.array([1, 1]))  # 1/2, then 1/4.
        3.0
    """
    counts = np.atleast_2d(counts).astype(np.float64)
    half = counts.shape[-1] / 2
    nats = gammaln(counts.sum(-1) + half) - gammaln(half)
    nats = nats - (gammaln(counts + 0.5) - gammaln(0.5)).sum(-1)
    return bits(float(nats.sum()))


def adaptive_shares(counts: npt.NDArray[np.integer]) -> FloatArray:
    """Return the probability of each class of the next label; see `adaptive_bits`.

    Shape:
        counts ``(L, C)`` → ``(L, C)``.
    """
    raised = counts + 0.5
    return np.asarray(raised / raised.sum(-1, keepdims=True))


def block_bits(
    log_probs: FloatArray, labels: npt.NDArray[np.integer], shares: FloatArray, before: int
) -> float:
    """Return the bits of the labels of a block with a model that learnt from labels before it.

    The probabilities are mixed with the class shares, of weight ``1 / (before + 1)``, so that no
    label costs an infinite number of bits.

    Args:
        log_probs: Log probabilities of the model.
        labels: The classes.
        shares: The class shares of the labels before, for each item or for all.
        before: Labels before the block.

    Shape:
        log_probs ``(M, C)``, labels ``(M,)``, shares ``(M, C)`` or ``(1, C)``.
    """
    items = np.arange(len(labels))
    own = log_probs[items, labels].astype(np.float64)
    others = np.broadcast_to(shares, log_probs.shape)[items, labels]
    weight = 1.0 / (before + 1.0)
    mixed = np.logaddexp(np.log1p(-weight) + own, np.log(weight * others))
    return bits(float(-mixed.sum()))


def two_part_bits(nats: float, *, weights: int, rows: int) -> float:
    """Return the bits of a network and of labels given the network.

    A weight takes half of ``log2 rows`` bits: its standard error falls with the root of the rows,
    so further digits would not shorten the code of the labels.

    Args:
        nats: Sum of the log losses of the labels.
        weights: Weights of the network.
        rows: Rows that it learnt from.

    Source:
        Rissanen 1978, Modeling by shortest data description.
    """
    return bits(nats) + weights * math.log2(rows) / 2
