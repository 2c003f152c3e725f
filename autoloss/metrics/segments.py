"""Segments, the runs of one tag, and their overlap in truth and prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoloss.metrics.token_places import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of some tokens, in order.

    Args:
        starts: The first token of each.
        ends: The token after its last.
        tags: Its tag.

    Shape:
        each (S,).
    """

    starts: IntArray
    ends: IntArray
    tags: IntArray

    @classmethod
    def of(cls, tags: IntArray, follows: NDArray[np.bool_]) -> Segments:
        """Return the runs of equal tags that do not cross the end of a sequence.

        Shape:
            tags and follows (U,).
        """
        begins = np.ones(len(tags), dtype=bool)
        begins[1:] = ~follows[1:] | (tags[1:] != tags[:-1])
        starts = np.flatnonzero(begins)
        return cls(starts, np.append(starts[1:], len(tags)), tags[starts])

    @property
    def lengths(self) -> IntArray:
        """Return the tokens of each segment, (S,)."""
        return self.ends - self.starts


def overlap_parts(
    true: IntArray, decided: IntArray, follows: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Return the numerator and the denominator of the segment overlap of 1999, by token.

    The overlap of some sequences is the quotient of both sums over their tokens: ``SOV = sum
    (minov + delta) / maxov * len(s1) / N`` over the pairs of a true segment s1 and a decided
    segment s2 of its tag that overlap, with ``delta = min(maxov - minov, minov, len(s1) // 2,
    len(s2) // 2)``, where minov is the length of the overlap and maxov that of both together. N
    is the sum of len(s1) over the pairs and over the true segments in no pair. A pair counts at
    the first token of its overlap, a segment in no pair at its first token.

    Args:
        true: The true tag of each token.
        decided: The decided tag.
        follows: Whether a token stands right after the token before it, in the same sequence.

    Shape:
        each (U,), also of the result.

    Source:
        Zemla et al. 1999, A Modified Definition of Sov, a Segment-Based Measure for Protein
        Secondary Structure Prediction Assessment, Proteins 34.
    """
    ours, theirs = Segments.of(true, follows), Segments.of(decided, follows)
    cuts = np.union1d(ours.starts, theirs.starts)
    ends = np.append(cuts[1:], len(true))
    is_pair = true[cuts] == decided[cuts]
    cuts, ends = cuts[is_pair], ends[is_pair]
    one = np.searchsorted(ours.starts, cuts, side="right") - 1
    other = np.searchsorted(theirs.starts, cuts, side="right") - 1
    length, its_length = ours.lengths[one], theirs.lengths[other]
    low = (ends - cuts).astype(np.float64)
    high = np.maximum(ours.ends[one], theirs.ends[other]) - np.minimum(
        ours.starts[one], theirs.starts[other]
    )
    delta = np.minimum(np.minimum(high - low, low), np.minimum(length // 2, its_length // 2))
    above, below = np.zeros(len(true)), np.zeros(len(true))
    above[cuts], below[cuts] = (low + delta) / high * length, length
    alone = np.setdiff1d(np.arange(len(ours.starts)), one)
    below[ours.starts[alone]] = ours.lengths[alone]
    return above, below
