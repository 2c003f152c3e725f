"""Challenger and tuned cross-entropy on the tags of sequences: errors, segments, examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autoloss.metrics.decoding import allowed_tags
from autoloss.metrics.entities import entity_ends, entity_tags
from autoloss.metrics.segments import Segments
from autoloss.metrics.token_places import TokenPlaces
from autoloss.records.tags import SegmentLengths, TagFigures, TaggedSequence, TagInsights

IntArray = NDArray[np.int64]
LONGEST, EXAMPLES, MOST_TOKENS = 24, 5, 120
"""The longest segment with its own count, the sequences shown, and their most tokens."""


def tag_insights(
    log_probs: tuple[Tensor, Tensor], labels: Tensor, places: TokenPlaces
) -> TagInsights:
    """Return the errors by tag, the lengths of segments, and sequences with both predictions.

    Args:
        log_probs: Log probabilities of challenger and tuned cross-entropy.
        labels: The true tags.
        places: The sequence and the place of each token.

    Shape:
        log_probs twice (M, C), labels (M,).
    """
    runs = places.runs
    true = labels.cpu().numpy()[runs.index]
    both = [one.cpu().numpy()[runs.index] for one in log_probs]
    if places.constrained:
        ours, theirs = (allowed_tags(one, runs.follows, places.names) for one in both)
    else:
        ours, theirs = (one.argmax(-1) for one in both)
    known = entity_tags(places.names)
    lengths = []
    named = (("truth", true), ("challenger", ours), ("tuned cross-entropy", theirs))
    for name, tags in named:
        if known is None:
            own = Segments.of(tags, runs.follows).lengths
        else:
            ends = entity_ends(tags, runs.follows, known)
            starts = np.flatnonzero(ends >= 0)
            own = ends[starts] - starts + 1
        lengths.append(_lengths(name, own))
    return TagInsights(
        _figures(places.names, true, ours, theirs),
        known is not None,
        tuple(lengths),
        _examples(places.rows[runs.index], places.places[runs.index], true, ours, theirs),
    )


def _figures(
    names: Sequence[str], true: IntArray, ours: IntArray, theirs: IntArray
) -> tuple[TagFigures, ...]:
    """Return the tokens of each tag and the share that each model misses."""
    count = len(names)
    tokens, decided = (np.bincount(one, minlength=count) for one in (true, ours))
    missed = [np.bincount(true[one != true], minlength=count) for one in (ours, theirs)]
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = [one / tokens for one in missed]
    return tuple(
        TagFigures(name, int(tokens[i]), int(decided[i]), float(errors[0][i]), float(errors[1][i]))
        for i, name in enumerate(names)
    )


def _lengths(name: str, lengths: IntArray) -> SegmentLengths:
    counts = np.bincount(np.minimum(lengths, LONGEST), minlength=LONGEST + 1)[1:]
    mean = float(lengths.mean()) if len(lengths) else float("nan")
    return SegmentLengths(name, tuple(counts.tolist()), len(lengths), mean)


def _examples(
    rows: IntArray, places: IntArray, true: IntArray, ours: IntArray, theirs: IntArray
) -> tuple[TaggedSequence, ...]:
    """Return sequences on which the models differ most, short enough to be drawn."""
    numbers, first, count = np.unique(rows, return_index=True, return_counts=True)
    differ = np.add.reduceat(ours != theirs, first)
    wrong = np.add.reduceat(ours != true, first)
    length = places[first + count - 1] + 1
    varied = np.maximum.reduceat(true, first) > np.minimum.reduceat(true, first)
    order = np.lexsort((numbers, -wrong, -differ, ~varied, length > MOST_TOKENS))
    found = []
    for i in order[:EXAMPLES].tolist():
        own = slice(first[i], first[i] + count[i])
        size = min(int(length[i]), MOST_TOKENS)
        tags = []
        for one in (true, ours, theirs):
            whole = np.full(int(length[i]), -1)
            whole[places[own]] = one[own]
            tags.append(tuple(whole[:size].tolist()))
        found.append(TaggedSequence(int(numbers[i]), *tags))
    return tuple(found)
