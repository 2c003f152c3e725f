"""Square tables from the user, with a row and a column for each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autoloss.core.errors import InputError, closest
from autoloss.core.task import Label, Task
from autoloss.data import read_table
from autoloss.data.exchange import Frame, is_frame
from autoloss.data.values import label_of

ClassTable = Frame | Mapping[Label, Mapping[Label, float]] | str | Path
Numbers = dict[str, dict[str, float]]


def read_class_table(given: ClassTable, name: str) -> tuple[Numbers, str]:
    """Return a table as nested mappings from row class to column class, ready for JSON.

    A cell that is not a number becomes NaN; the caller decides which numbers are allowed.

    Args:
        given: A square table whose first column (of a file) or index (of a DataFrame) and whose
            header name the classes, or a mapping of rows, each a mapping of columns.
        name: Its name in messages.

    Returns:
        The numbers, row by row, and the name of the table in messages.

    Raises:
        InputError: The table is not square, or its classes are wrong.
    """
    table, where = _frame(given, name)
    rows, columns = [label_of(one) for one in table.index], [label_of(c) for c in table.columns]
    numbers = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    if sorted(rows) != sorted(columns) or len(set(rows)) < len(rows):
        raise InputError(
            f"{where} must name the same classes in its first column and its header, once each, "
            f"but got {rows} and {columns}."
        )
    found = {
        row: dict(zip(columns, map(float, values), strict=True))
        for row, values in zip(rows, numbers, strict=True)
    }
    return found, where


def in_class_order(
    table: Mapping[str, Mapping[str, float]], name: str, task: Task
) -> list[list[float]]:
    """Return the numbers of a table in the order of the classes.

    Raises:
        InputError: A class is missing, or a name is not a class.

    Shape:
        - output: ``(C, C)``
    """
    names = [label_of(label) for label in task.classes]
    check_names(name, list(table), names)
    return [[table[row][column] for column in names] for row in names]


def check_names(what: str, given: Sequence[str], classes: Sequence[str]) -> None:
    """Check that the names are exactly the classes.

    Raises:
        InputError: A name is not a class, or a class has no entry.
    """
    for name in given:
        if name not in classes:
            raise InputError(
                f"{what} must be of known classes, but got {name!r}{closest(name, classes)}"
            )
    missing = [name for name in classes if name not in given]
    if missing:
        raise InputError(f"{what} must have every class, but got none for {', '.join(missing)}.")


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once, in order.

    Examples:
        >>> repeated(["a", "b", "a", "a"])
        ['a']
    """
    return [name for name, times in Counter(names).items() if times > 1]


def _frame(given: ClassTable, name: str) -> tuple[pd.DataFrame, str]:
    """Return a table with classes as index and header, and its name in messages."""
    if isinstance(given, pd.DataFrame):
        return given, name
    if isinstance(given, str | Path) or is_frame(given):
        # DataFrames of other libraries have no index.
        read = read_table(given, name=name)
        where = str(given) if isinstance(given, str | Path) else name
        return read.set_index(read.columns[0]), where
    if not isinstance(given, Mapping) or not all(isinstance(r, Mapping) for r in given.values()):
        raise InputError(
            f"{name} must be a DataFrame, a file, or map each class to a mapping of the classes, "
            f"but got {name}={given!r}."
        )
    for keys in (given, *given.values()):
        if twice := repeated(map(label_of, keys)):
            raise InputError(
                f"{name} must name each class once, but got {', '.join(twice)} more than once."
            )
    rows: dict[Any, dict[Any, float]] = {
        label_of(row): {label_of(column): value for column, value in values.items()}
        for row, values in given.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index"), name
