"""Two models on the tags of sequences, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TagFigures:
    """One tag on the sequences of the verdict.

    Args:
        name: The tag.
        tokens: Tokens that have it.
        decided: Tokens that the challenger decides for it.
        error: Share of its tokens that the challenger decides for another; NaN without tokens.
        baseline_error: The same of tuned cross-entropy.
    """

    name: str
    tokens: int
    decided: int
    error: float
    baseline_error: float


@dataclass(frozen=True)
class SegmentLengths:
    """The lengths of the segments of the truth, or of a model.

    Args:
        name: ``"truth"``, ``"challenger"`` or ``"tuned cross-entropy"``.
        counts: Segments of 1, 2, 3, ... tokens; the last place has all longer segments too.
        segments: All segments.
        mean: Their mean length in tokens; NaN without segments.
    """

    name: str
    counts: tuple[int, ...]
    segments: int
    mean: float


@dataclass(frozen=True)
class TaggedSequence:
    """A sequence with its true and its decided tags, as places among the tags.

    Args:
        number: The number of the sequence among the verdict's sequences.
        truth: The true tags; -1 where missing.
        challenger: The tags that the challenger decides for.
        baseline: The tags of tuned cross-entropy.
    """

    number: int
    truth: tuple[int, ...]
    challenger: tuple[int, ...]
    baseline: tuple[int, ...]


@dataclass(frozen=True)
class TagInsights:
    """Challenger and tuned cross-entropy on the tags of sequences.

    Args:
        tags: The figures of each tag, in the order of the task.
        are_entities: Whether segments are the entities that tags with prefixes mark; else they are
            runs of one tag.
        lengths: The lengths of the segments of the truth and of both models.
        sequences: Sequences on which both models differ most.
    """

    tags: tuple[TagFigures, ...]
    are_entities: bool
    lengths: tuple[SegmentLengths, ...]
    sequences: tuple[TaggedSequence, ...] = ()
