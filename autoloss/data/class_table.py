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
from autoloss.data.cells import plain_flag
from autoloss.data.exchange import Frame, is_frame
from autoloss.data.messages import listed
from autoloss.data.read import load_table
from autoloss.data.sources import labels_of
from autoloss.data.values import label_of

ClassTable = Frame | Mapping[Label, Mapping[Label, float]] | str | Path
Numbers = dict[str, dict[str, float]]


def read_class_table(
    given: ClassTable, name: str, *, pairs: Sequence[str] = (), more: str = ""
) -> tuple[Numbers, str]:
    """Return a table as nested mappings from row class to column class, ready for JSON.

    A cell that is not a number becomes NaN; the caller decides which numbers are allowed.

    Args:
        given: A square table whose first column (of a file) or index (of a DataFrame) and whose
            header name the classes, or a mapping of rows, each a mapping of columns.
        name: Its name in messages.
        pairs: The names of two columns that a table of labels, not of classes, has instead.
        more: The name of a column that may stand beside the columns of the classes; empty for
            none.

    Returns:
        The numbers, row by row, and the name of the table in messages.

    Raises:
        InputError: The table is not square, or its classes are wrong.
    """
    rows, table, where = _by_class(given, name)
    columns = [label_of(one) for one in table.columns]
    numbers = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    is_of_labels = bool(pairs) and sorted(columns) == sorted(pairs)
    if more and more not in rows and columns.count(more) == 1:
        of_classes = [column for column in columns if column != more]
    else:
        of_classes = columns
    is_square = sorted(rows) == sorted(of_classes)
    if not (is_square or is_of_labels) or len(set(rows)) < len(rows):
        raise InputError(
            f"{where} must name the same classes in its first column and its header, once each"
            f"{f', {more} aside' if more in columns else ''}, but got {listed(rows)} and "
            f"{listed(columns)}."
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
    rows = list(table)
    places = places_of_classes(rows, task, subject=name)
    return [[table[rows[row]][rows[column]] for column in places] for row in places]


def check_label_names(given: Sequence[str], task: Task, *, subject: str) -> None:
    """Check that names are the names of several labels, all of them.

    Args:
        given: The names.
        task: The labels.
        subject: The owner of the names in messages.

    Raises:
        InputError: A name is not a label, or a label has no name.
    """
    if unknown := [name for name in given if name not in task.names]:
        raise InputError(
            f"{subject} must be of known labels, but got {unknown[0]!r}"
            f"{closest(unknown[0], task.names)}"
        )
    if missing := [name for name in task.names if name not in given]:
        raise InputError(f"{subject} must have every label, but got none for {listed(missing)}.")


def places_of_classes(given: Sequence[str], task: Task, *, subject: str) -> list[int]:
    """Return for each class the position of its name; true and false match in any case.

    Args:
        given: The names, each once.
        task: The classes.
        subject: The owner of the names in messages.

    Raises:
        InputError: A name is not a class, or a class has no name.
    """
    classes = [label_of(label) for label in task.classes]
    known, own = list(map(plain_flag, classes)), list(map(plain_flag, given))
    for name, plain in zip(given, own, strict=True):
        if plain not in known:
            raise InputError(
                f"{subject} must be of known classes, but got {name!r}{closest(name, classes)}"
            )
    missing = [name for name, plain in zip(classes, known, strict=True) if plain not in own]
    if missing:
        raise InputError(
            f"{subject} must have every class, but got none for {', '.join(missing)}."
        )
    return [own.index(plain) for plain in known]


def read_by_class(source: Frame | str | Path, name: str) -> tuple[list[str], pd.DataFrame]:
    """Return the classes in the first column of a table, as spelt there, and its other columns.

    Args:
        source: The table, as for `read_table`.
        name: Its name in messages.

    Raises:
        InputError: The table cannot be read, or names no class.
    """
    table = load_table(source, name=name)
    first, *others = table.frame.columns
    return [str(key) for key in labels_of(table, first).keys], table.frame[others]


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once, in order.

    Examples:
        >>> repeated(["a", "b", "a", "a"])
        ['a']
    """
    return [name for name, times in Counter(names).items() if times > 1]


def _by_class(given: ClassTable, name: str) -> tuple[list[str], pd.DataFrame, str]:
    """Return the classes of the rows, the cells under the classes of the columns, and a name."""
    if isinstance(given, pd.DataFrame):
        return list(map(label_of, given.index)), given, name
    if isinstance(given, str | Path) or is_frame(given):
        # DataFrames of other libraries have no index.
        where = str(given) if isinstance(given, str | Path) else name
        return *read_by_class(given, name), where
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
    return list(rows), pd.DataFrame.from_dict(rows, orient="index"), name
