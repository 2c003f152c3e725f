"""Division of rows with several labels, so that every part has rows with and without each label.

Iterative stratification: the rarest answer that is left comes first, and each of its rows goes to
the part that lacks it most.

Source:
    Sechidis, Tsoumakas and Vlahavas 2011, On the Stratification of Multi-Label Data, ECML PKDD.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
FloatArray = NDArray[np.float64]
STAYS = -1
"""The part of rows that stay out of all parts, because nothing else has one of their answers."""


def deal_labels(
    answers: Numbers,
    shares: Sequence[float],
    *,
    random: np.random.Generator,
    groups: Numbers | None = None,
) -> Numbers:
    """Assign rows to parts; whatever part is taken away, each answer of each label is left.

    An answer is yes or no to a label; an answer that is missing does not count. The only row or
    group with an answer is in no part.

    Args:
        answers: 1, 0, or a negative number where it is missing.
        shares: The share of the rows of each part; together 1, or less if rows are to stay.
        random: Decides the order of rows that are alike.
        groups: Group of each row; no part cuts a group.

    Returns:
        Part of each row from 0, or -1 for a row in no part.

    Shape:
        answers (N, L), groups and result (N,).
    """
    members = _members(answers)
    if groups is None:
        return _assigned(members, np.ones(len(members)), shares, random)
    names, groups = np.unique(groups, return_inverse=True)
    table = np.zeros((len(names), members.shape[1]))
    np.add.at(table, groups, members)
    return _assigned(table, np.bincount(groups).astype(np.float64), shares, random)[groups]


def cut_labels(
    answers: Numbers,
    *,
    size: int,
    random: np.random.Generator,
    groups: Numbers | None = None,
) -> NDArray[np.bool_]:
    """Choose rows to cut off; each answer of each label keeps a row, or group, if it has one.

    Args:
        answers: As in `deal_labels`.
        size: The approximate number of rows to cut off.
        random: As in `deal_labels`.
        groups: As in `deal_labels`.

    Shape:
        answers (N, L), groups and result (N,).
    """
    share = size / len(answers)
    parts = deal_labels(answers, (1.0 - share, share), random=random, groups=groups)
    return np.asarray(parts == 1, dtype=bool)


def has_answers_of(some: Numbers, every: Numbers) -> bool:
    """Return whether each answer that some of all rows have is among these rows.

    Shape:
        some (n, L), every (N, L).
    """
    return all(
        bool(((some == one).any(axis=0) >= (every == one).any(axis=0)).all()) for one in (0, 1)
    )


def _members(answers: Numbers) -> FloatArray:
    """Return whether each row has each answer that some row has: first all yes, then all no."""
    found = np.concatenate([answers == 1, answers == 0], axis=1)
    return found[:, found.any(axis=0)].astype(np.float64)


def _assigned(
    table: FloatArray, sizes: FloatArray, shares: Sequence[float], random: np.random.Generator
) -> Numbers:
    """Return the part of each row or group.

    Args:
        table: Rows with each answer, of each unit: a row or a group.
        sizes: Rows of each unit.
        shares: The share of each part.
        random: Decides the order of units that are alike.

    Shape:
        table (U, A), sizes and result (U,).
    """
    has = table > 0
    parts = np.full(len(table), STAYS)
    # Large groups come first, so that small groups even out the rest.
    order = np.lexsort((random.random(len(table)), -sizes))
    is_alone = np.asarray(has[:, has.sum(axis=0) == 1].any(axis=1), dtype=bool)
    rest = order[~is_alone[order]]
    # Each part lacks at least one unit of an answer, as long as there are enough of them.
    lacks = np.maximum(np.outer(shares, table[rest].sum(axis=0)), 1.0)
    lacks_rows = np.asarray(shares) * sizes[rest].sum()
    is_open = np.zeros(len(table), dtype=bool)
    is_open[rest] = True
    left = has[rest].sum(axis=0)
    while left.any():
        rarest = np.where(left > 0, left, len(table) + 1).argmin()
        for unit in rest[(has[rest, rarest] & is_open[rest])]:
            most = lacks[:, rarest] >= lacks[:, rarest].max() - 1e-9
            part = np.where(most, lacks_rows, -np.inf).argmax()
            _place(unit, part, parts, is_open)
            lacks[part] -= table[unit]
            lacks_rows[part] -= sizes[unit]
            left -= has[unit]
    for unit in rest[is_open[rest]]:
        part = lacks_rows.argmax()
        _place(unit, part, parts, is_open)
        lacks_rows[part] -= sizes[unit]
    return _with_answers_left(parts, has, sizes)


def _place(unit: int, part: np.intp, parts: Numbers, is_open: NDArray[np.bool_]) -> None:
    """Put a unit into a part."""
    parts[unit], is_open[unit] = part, False


def _with_answers_left(parts: Numbers, has: NDArray[np.bool_], sizes: FloatArray) -> Numbers:
    """Return the parts without the smallest unit of an answer that one part has alone."""
    n_parts = parts.max() + 1
    for answer in np.flatnonzero(has.any(axis=0)):
        own = np.flatnonzero(has[:, answer])
        homes = np.unique(parts[own])
        if n_parts > 1 and len(homes) == 1 and homes[0] != STAYS:
            parts[own[np.argmin(sizes[own])]] = STAYS
    return parts
