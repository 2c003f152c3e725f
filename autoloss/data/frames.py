"""A table after reading: a frame with unique text names, and notes on the changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from autoloss.data.messages import listed
from autoloss.data.values import label_of


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Args:
        frame: The rows, numbered from 0, under unique column names that are text.
        label: How messages name the table: its path, ``sklearn:NAME`` or the argument's name.
        notes: Findings while reading, a sentence each.
        repeated: First name and new name of each column whose name stood more than once.
        target: The target column, if the source itself names it.
        decimal: The decimal mark of its text, where the user or most of its columns tell it.
        styles: Style of each column of numbers that are not spelt plainly, see
            `autoloss.data.numbers.parse_numbers`.
        path: Its file, if columns can be read from it again.
        marks: The user's marks of missing cells that it contains.
    """

    frame: pd.DataFrame
    label: str
    notes: tuple[str, ...] = ()
    repeated: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    decimal: str | None = None
    styles: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None
    marks: frozenset[str] = frozenset()


def as_table(
    frame: pd.DataFrame,
    *,
    label: str,
    names: Iterable[object] | None = None,
    notes: tuple[str, ...] = (),
    target: str | None = None,
) -> Table:
    """Return `frame` as a `Table` with unique text names and without its index."""
    given = [as_text(name) for name in (frame.columns if names is None else names)]
    unique, repeated = unique_names(given)
    frame = frame.reset_index(drop=True)
    frame.columns = pd.Index(unique)
    if repeated:
        doubles = listed(dict.fromkeys(first for first, _ in repeated))
        notes = (*notes, f"{label}: repeated column names were numbered: {doubles}.")
    return Table(frame, label, notes, repeated, target)


def only(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return some columns of a table without the copy that `frame[names]` makes."""
    return pd.DataFrame({name: frame[name] for name in names}, index=frame.index, copy=False)


def unique_names(names: list[str]) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """Number repeated names, and name columns without a name.

    Args:
        names: Column names in order.

    Returns:
        The unique names, and the pairs (name, new name) of repeated names.

    Examples:
        >>> unique_names(["a", "b", "a", ""])
        (['a', 'b', 'a (2)', 'column 4'], (('a', 'a (2)'),))
    """
    taken, unique, seen = set(names), [], set()
    repeated = []
    for position, name in enumerate(names, start=1):
        new = name or f"column {position}"
        count = 1
        while new in seen or (count > 1 and new in taken):
            count += 1
            new = f"{name or f'column {position}'} ({count})"
        if name and count > 1:
            repeated.append((name, new))
        seen.add(new)
        unique.append(new)
    return unique, tuple(repeated)


def as_text(name: object) -> str:
    """Return a column name as text; the levels of a nested name joined by dots."""
    if isinstance(name, tuple):
        return ".".join(str(part) for part in name if str(part))
    return "" if name is None else str(name).strip()


def typed_objects(series: pd.Series) -> pd.Series:
    """Return a column of objects as integers, floats, booleans, moments or text.

    Cells of several types become text; lists and the like stay as they are.

    Args:
        series: A column of objects, None or NaN where missing.
    """
    types = pd.api.types
    kind = types.infer_dtype(series, skipna=True)
    has_gaps = bool(series.isna().any())
    if kind == "empty":
        return series.astype("float64")
    if kind == "integer":
        if all(abs(one) < 1 << 63 for one in series.dropna()):
            # As floats, large integers beside a gap would lose digits.
            return series.astype("Int64" if has_gaps else "int64")
        return series
    if kind in ("floating", "mixed-integer-float"):
        return series.astype("float64")
    if kind == "boolean":
        return series.astype("boolean" if has_gaps else "bool")
    if kind in ("datetime", "datetime64", "date"):
        return pd.to_datetime(series, errors="coerce")
    present = series.dropna()
    if not present.map(types.is_scalar).all() and kind != "time":
        return series
    return series.map(label_of, na_action="ignore").astype("str")
