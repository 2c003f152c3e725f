"""Several labels of each row in one column of lists: their names, and yes or no for each."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.data.messages import one_line, plural

_MOST_LABELS = 10
_SEPARATORS = "|;,"


def read_lists(
    series: pd.Series,
    *,
    name: str,
    label: str,
    separator: str | None = None,
    is_whole: bool = True,
) -> tuple[tuple[str, ...], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the labels of a column of lists, and which of them each row has.

    A cell is a list of labels, text that is written as a list, or labels with a separator between
    them; an empty list means that the row has no label.

    Args:
        series: The column.
        name: Its name.
        label: Name of the table in messages.
        separator: The text between labels, where cells are text.
        is_whole: Whether these are all labels of a study: two or more, which rows share.

    Returns:
        The labels in order; whether each row has each label; whether the cell is missing.

    Raises:
        InputError: The cells are not lists, their labels are not names, or the separator is in no
            cell.

    Shape:
        series (N,) -> (L,), (N, L), (N,).
    """
    cells = series.tolist()
    is_missing = np.array([_is_missing(cell) for cell in cells], dtype=bool)
    lists: list[Sequence[str]] = [()] * len(cells)
    known = np.flatnonzero(~is_missing).tolist()
    where = f"Column {name!r} of {label}"
    if separator is not None and is_whole:
        _check_separator([cells[row] for row in known], separator, where)
    for row in known:
        lists[row] = _labels_of(cells[row], separator, where=where, row=row)
    names = _ordered({one for own in lists for one in own})
    if is_whole:
        _check_names(names, sum(map(len, lists)), where=where)
    place = {one: number for number, one in enumerate(names)}
    has = np.zeros((len(cells), len(names)), dtype=bool)
    for row, own in enumerate(lists):
        has[row, [place[one] for one in own]] = True
    return names, has, is_missing


def note_of_lists(classes: Iterable[object], *, name: str) -> str:
    """Return a note on a target whose classes look like lists of labels; else empty text.

    Args:
        classes: The classes.
        name: Name of the target.

    Examples:
        >>> note_of_lists(["cat", "dog", "cat|dog"], name="tag")
        "Each combination in 'tag' is a class; --label-separator '|' reads several labels per row."
        >>> note_of_lists(["low", "high"], name="risk")
        ''
    """
    texts = [one.strip() for one in classes if isinstance(one, str)]
    if texts and all(one.startswith("[") and one.endswith("]") for one in texts):
        return f"Each list in {name!r} is a class; --labels-in list reads several labels per row."
    for separator in _SEPARATORS:
        parts = {part.strip() for one in texts for part in one.split(separator)} - {""}
        # Fewer words than classes: classes share them.
        if any(separator in one for one in texts) and len(parts) < len(texts):
            return (
                f"Each combination in {name!r} is a class; --label-separator {separator!r} reads"
                " several labels per row."
            )
    return ""


def _is_missing(cell: Any) -> bool:
    """Return whether a cell is missing; text of blanks is."""
    if isinstance(cell, str):
        return not cell.strip()
    return (
        cell is None
        or cell is pd.NA
        or cell is pd.NaT
        or (isinstance(cell, float) and bool(np.isnan(cell)))
    )


def _check_separator(cells: Sequence[Any], separator: str, where: str) -> None:
    """Refuse a separator that is in no cell."""
    if not separator.strip() and separator != " ":
        raise InputError(f"label_separator must be text, but got {separator!r}.")
    texts = [cell for cell in cells if isinstance(cell, str)]
    if not any(separator in text for text in texts):
        example = f", such as {one_line(texts[0])!r}" if texts else ", and no cell is text"
        raise InputError(
            f"label_separator must be in a cell of the labels, but got {separator!r}: {where} has"
            f" it nowhere{example}."
        )


def _labels_of(cell: Any, separator: str | None, *, where: str, row: int) -> tuple[str, ...]:
    """Return the labels of a cell, each once."""
    if isinstance(cell, str):
        if separator is not None:
            parts = (part.strip() for part in cell.split(separator))
            return tuple(dict.fromkeys(part for part in parts if part))
        cell = _written(cell, where=where, row=row)
    if isinstance(cell, np.ndarray):
        cell = cell.tolist()
    if not isinstance(cell, (list, tuple, set, frozenset)):
        raise InputError(
            f"{where} must hold lists of labels, but has {one_line(repr(cell))} in row {row + 1}."
        )
    return tuple(dict.fromkeys(_named(one, where=where, row=row) for one in cell))


def _written(text: str, *, where: str, row: int) -> Any:
    """Return the list that text stands for, in the form of JSON or of Python."""
    bare = text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        for read in (json.loads, ast.literal_eval):
            try:
                return read(bare)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    raise InputError(
        f"{where} must hold lists of labels, but has the text {one_line(text)!r} in row {row + 1};"
        " name the text between labels with --label-separator (in Python label_separator=)."
    )


def _named(value: Any, *, where: str, row: int) -> str:
    """Return the name of a label: text without blanks around it, or a whole number."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, (int, np.integer)) or (isinstance(value, float) and value.is_integer()):
        return str(int(value)) if not isinstance(value, bool) else str(value)
    raise InputError(
        f"{where} must hold labels that are text or whole numbers, but has {one_line(repr(value))}"
        f" in row {row + 1}."
    )


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Return labels in order: numbers by size, text by its letters."""
    found = list(names)
    if all(one.removeprefix("-").isdigit() for one in found):
        return tuple(sorted(found, key=int))
    return tuple(sorted(found))


def _check_names(names: Sequence[str], n_given: int, *, where: str) -> None:
    """Refuse labels that are too few or too many to be learnt."""
    if not names:
        raise InputError(f"{where} must have rows with a label, but every list is empty.")
    if len(names) == 1:
        raise InputError(
            f"{where} must have two labels or more, but all that it has is {names[0]!r}: that is a"
            " binary task; make it a yes-or-no column."
        )
    if len(names) > _MOST_LABELS and n_given < 2 * len(names):
        raise InputError(
            f"{where} must hold labels that rows share, but has {len(names):,} different ones"
            f" in {plural(n_given, 'label')}; name the column of the labels."
        )
