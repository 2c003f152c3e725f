"""Entities in tags with prefixes: BIO, BIOES and IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autoloss.metrics.token_places import FloatArray, IntArray, Runs

Scheme = Literal["BIO", "BIOES", "IO"]
OUTSIDE = "O"
_PREFIXES = ("B", "I", "E", "S")
_CODES = {prefix: code for code, prefix in enumerate((OUTSIDE, *_PREFIXES))}
_O, _B, _I, _E, _S = range(5)


@dataclass(frozen=True, eq=False)
class EntityTags:
    """The prefix and type of each tag.

    Args:
        scheme: The scheme of the prefixes.
        prefixes: 0 to 4 for O, B, I, E and S of each tag.
        types: The number of the type of each tag, -1 for O.
        names: The types.

    Shape:
        prefixes and types (C,).
    """

    scheme: Scheme
    prefixes: IntArray
    types: IntArray
    names: tuple[str, ...]


@cache
def entity_tags(names: tuple[str, ...]) -> EntityTags | None:
    """Return the prefixes and types of tags; None if they do not mark entities.

    Tags mark entities if one of them is ``O`` and each other tag has a prefix and a type, apart by
    a hyphen. Tags with E or S are BIOES, others with B are BIO, and I alone is IO.

    Examples:
        >>> entity_tags(("B-place", "I-place", "O")).scheme
        'BIO'
        >>> entity_tags(("DET", "NOUN")) is None
        True
    """
    parts = [(OUTSIDE, "") if name == OUTSIDE else _parted(name) for name in names]
    if OUTSIDE not in names or any(prefix not in _CODES for prefix, _ in parts):
        return None
    used = {prefix for prefix, _ in parts}
    scheme: Scheme = "BIOES" if used & {"E", "S"} else "BIO" if "B" in used else "IO"
    types = tuple(sorted({kind for prefix, kind in parts if prefix != OUTSIDE}))
    return EntityTags(
        scheme,
        np.array([_CODES[prefix] for prefix, _ in parts], dtype=np.int64),
        np.array([types.index(k) if p != OUTSIDE else -1 for p, k in parts], dtype=np.int64),
        types,
    )


def _parted(name: str) -> tuple[str, str]:
    prefix, _, kind = name.partition("-")
    return prefix, kind


def entity_ends(tags: IntArray, follows: NDArray[np.bool_], known: EntityTags) -> IntArray:
    """Return for each token at which an entity starts the last token of it, else -1.

    Strict, as in seqeval's strict mode: an entity of BIO starts with B, one of BIOES is S alone or
    begins with B and ends with E; other tokens belong to none. In IO an entity is a run of a type.

    Args:
        tags: The tag of each token.
        follows: Whether a token stands right after the token before it, in the same sequence.
        known: The prefixes and types of the tags.

    Shape:
        tags, follows and result (U,).
    """
    prefix, kind = known.prefixes[tags], known.types[tags]
    same = np.zeros(len(tags), dtype=bool)
    same[1:] = follows[1:] & (kind[1:] == kind[:-1]) & (kind[1:] >= 0)
    before = np.concatenate([[_O], prefix[:-1]])
    if known.scheme == "IO":
        continues = same
        starts = (prefix == _I) & ~same
    else:
        inside = (prefix == _I) | (prefix == _E)
        continues = same & inside & ((before == _B) | (before == _I))
        starts = (prefix == _B) | (prefix == _S)
    # The entity reaches to the token before the next that does not continue.
    breaks = np.append(np.flatnonzero(~continues), len(tags))
    at = np.flatnonzero(starts)
    last = breaks[np.searchsorted(breaks, at, side="right")] - 1
    if known.scheme == "BIOES":
        is_whole = (prefix[last] == _E) | (prefix[at] == _S)
        at, last = at[is_whole], last[is_whole]
    ends = np.full(len(tags), -1, dtype=np.int64)
    ends[at] = last
    return ends


def entity_marks(
    true: IntArray, decided: IntArray, follows: NDArray[np.bool_], known: EntityTags
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return at which tokens an entity starts that is found, true, and decided, each (U,).

    Args:
        true: The true tag of each token.
        decided: The decided tag.
        follows: Whether a token stands right after the token before it, in the same sequence.
        known: The prefixes and types of the tags.

    Shape:
        true, decided and follows (U,).
    """
    ends, others = (entity_ends(tags, follows, known) for tags in (true, decided))
    same = (ends == others) & (known.types[true] == known.types[decided])
    return (ends >= 0) & same, ends >= 0, others >= 0


def entity_counts(
    true: IntArray, decided: IntArray, runs: Runs, known: EntityTags
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return entities found, true and decided, by type, each (types,).

    Args:
        true: The true tag of each token of the runs.
        decided: The decided tag.
        runs: The runs of tokens.
        known: The prefixes and types of the tags.

    Shape:
        true and decided (U,).
    """
    marks = entity_marks(true, decided, runs.follows, known)

    def count(which: NDArray[np.bool_], tags: IntArray) -> FloatArray:
        kinds, times = known.types[tags[which]], runs.times[which]
        found = np.bincount(kinds, times, minlength=len(known.names))
        return np.asarray(found, dtype=np.float64)

    return count(marks[0], true), count(marks[1], true), count(marks[2], decided)


def allowed_transitions(names: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which tags may start a sequence, and which may follow which.

    Every tag may follow every other where tags do not mark entities, or mark them by IO.

    Shape:
        (C,), (C, C) with the earlier tag down.
    """
    known = entity_tags(tuple(names))
    count = len(names)
    if known is None or known.scheme == "IO":
        return np.ones(count, dtype=bool), np.ones((count, count), dtype=bool)
    prefix, kind = known.prefixes, known.types
    goes_on = (prefix == _I) | (prefix == _E)
    same = kind[:, None] == kind[None, :]
    is_open = (prefix == _B) | (prefix == _I)
    after = same & is_open[:, None]
    allowed = np.where(goes_on[None, :], after, True)
    if known.scheme == "BIOES":
        # An entity that began must go on to its end.
        allowed &= np.where(is_open[:, None], goes_on[None, :], True)
    return ~goes_on, allowed
