"""Detection of columns that tell the class alone, which are likely to be unknown beforehand.

A column that is written after the class is known (the date of a cancellation, a code of the
outcome) makes every model look right, and is empty or wrong for new rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoloss.data.categories import CategoryColumn
from autoloss.data.encode import TableEncoding
from autoloss.data.messages import listed
from autoloss.data.numbers import NumericColumn
from autoloss.data.parts import Part

_ROWS = 10_000
# With fewer rows, or fewer outside the largest class, a column of many tells the class by chance.
_FEWEST, _FEWEST_RARE = 30, 5
_ROWS_OF_A_LEVEL = 10


def giveaway_notes(train: Part, encoding: TableEncoding) -> list[str]:
    """Return a note on the columns of which each tells the class of the training rows.

    A category tells it if each of its levels has rows of a single class, a number if a cut between
    two numbers parts each class from the next. Free text and dates are not looked at.

    Args:
        train: The training rows; 10,000 of them are looked at if there are more.
        encoding: Their encoding.
    """
    step = max(1, -(-len(train) // _ROWS))
    rows = torch.arange(0, len(train), step)
    targets = train.targets
    if not isinstance(targets, Tensor) or targets.ndim != 1:
        return []
    targets = targets[rows]
    counts = torch.bincount(targets)
    if len(rows) < _FEWEST or len(rows) - int(counts.max()) < _FEWEST_RARE:
        return []
    inputs, names, number, category = train.inputs.take(rows), [], 0, 0
    for column in encoding.columns:
        if isinstance(column, CategoryColumn):
            if _is_told_by_level(inputs.categories[:, category], targets):
                names.append(column.name)
            category += 1
        elif isinstance(column, NumericColumn):
            if _is_told_by_cuts(inputs.numeric[:, number], targets):
                names.append(column.name)
            number += 1
        else:
            number += len(getattr(column, "parts", ()))
    return [_note(names, looked_at=len(rows), of=len(train))] if names else []


def _note(names: Sequence[str], *, looked_at: int, of: int) -> str:
    """Return the note on some columns."""
    rows = f"{of:,} training rows"
    if looked_at < of:
        rows = f"{looked_at:,} training rows that were checked (of {of:,})"
    which, it = ("", "it") if len(names) == 1 else ("each of ", "them")
    return (
        f"{which}{listed(names)} alone determines the class of all {rows}: leave {it} out with"
        f" --drop if new rows do not have {it} before their class is known."
    )


def _is_told_by_level(codes: Tensor, targets: Tensor) -> bool:
    """Return whether the rows of each level have one class.

    Shape:
        codes, targets (N,).
    """
    pairs = torch.unique(torch.stack([codes, targets]), dim=1)
    n_levels = len(torch.unique(codes))
    return pairs.shape[1] == n_levels and n_levels * _ROWS_OF_A_LEVEL <= len(codes)


def _is_told_by_cuts(numbers: Tensor, targets: Tensor) -> bool:
    """Return whether the sorted numbers have each class in one piece; missing numbers are a piece.

    Shape:
        numbers, targets (N,).
    """
    is_missing = numbers.isnan()
    order = torch.argsort(numbers[~is_missing])
    values, classes = numbers[~is_missing][order], targets[~is_missing][order]
    is_cut = classes[1:] != classes[:-1]
    if bool((is_cut & (values[1:] == values[:-1])).any()):
        return False
    n_pieces = 1 + int(is_cut.sum())
    return n_pieces <= len(torch.unique(classes)) and len(torch.unique(targets[is_missing])) <= 1
