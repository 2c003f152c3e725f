"""The encoding of a table: fitted on training rows, kept as JSON and tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.blocks import Block
from autoloss.data.categories import CategoryColumn
from autoloss.data.dates import DateColumn, parse_moments
from autoloss.data.encoding import check_version
from autoloss.data.inputs import TableInputs, TableSchema
from autoloss.data.kinds import Typing, kind_of
from autoloss.data.messages import listed
from autoloss.data.numbers import NumericColumn, quantile_edges
from autoloss.data.options import NO_HINTS, Hints
from autoloss.data.text import TermLimits, TextColumn
from autoloss.data.unusable import check_cells

Column = NumericColumn | CategoryColumn | DateColumn | TextColumn

_VERSION = 1
_MOST_BINS = 1 << 14
_FEWEST_BINS, _ROWS_OF_A_BIN = 8, 200
# Of all columns together.
_ROWS_OF_ANY_BIN = 20
_USUAL_TERMS = TermLimits()
# Pairs of distant words are worth a term only where there are many.
_REACH_ALONE = 3
_TOO_RARE = "no value occurs twice"
_NO_CHANGE = "the same moment everywhere"


@dataclass(frozen=True)
class ColumnFacts:
    """Facts on a column from its training rows, for the notes to the user.

    Args:
        name: The column.
        why: The reason for its kind.
        markers: Words that were read as missing numbers.
        example: A cell that was read as a number despite its spelling.
        n_empty: Training rows without a text.
    """

    name: str
    why: str
    markers: tuple[str, ...] = ()
    example: str = ""
    n_empty: int = 0


@dataclass(frozen=True, eq=False)
class TableEncoding:
    """The fitted encoding of a table's columns as numbers, codes and vectors.

    Args:
        columns: The fitted encoding of each column in use.
        edges: Quantile edges of the numeric columns, as in `TableSchema`.
        has_missing: Whether each numeric column had missing numbers in the training rows.
        dropped: Name and reason of each column that is left out.
        n_infinite: Name and number of infinite training values of each column that has some.
        facts: Facts on each column in use; a saved model does not contain them.

    Shape:
        edges (F, bins + 1).
    """

    columns: tuple[Column, ...]
    edges: Tensor
    has_missing: tuple[bool, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()
    n_infinite: tuple[tuple[str, int], ...] = ()
    facts: tuple[ColumnFacts, ...] = ()

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        *,
        rows: NDArray[np.int64] | None = None,
        bins: int = 16,
        terms: TermLimits = _USUAL_TERMS,
        label: str = "DATA",
        hints: Mapping[str, Hints] = MappingProxyType({}),
    ) -> TableEncoding:
        """Fit to training rows.

        Args:
            frame: The input columns, rows in the order of the data.
            rows: Numbers of the training rows; None for all.
            bins: The most bins of the quantile edges; see `bins_of_columns`.
            terms: The most terms of free text.
            label: Name of the table in messages.
            hints: Facts on columns that are known beforehand.

        Raises:
            InputError: No informative column is left, or a column is not of the kind that the
                user names.
        """

        def cells(name: str) -> pd.Series:
            # Columns are encoded in turn: a copy of a large table may not fit the memory.
            return frame[name] if rows is None else frame[name].iloc[rows]

        found: dict[str, Column | str] = {}
        texts: dict[str, Typing] = {}
        infinite = []
        facts = {}
        for name in map(str, frame.columns):
            own = hints.get(name, NO_HINTS)
            typing = kind_of(name, cells(name), own)
            if typing.kind == "text":
                texts[name] = typing
            found[name] = "" if typing.kind == "text" else _fit_column(name, typing, own.marks)
            facts[name] = ColumnFacts(name, typing.why, typing.markers, typing.example)
            if typing.values.n_infinite and not isinstance(found[name], str):
                infinite.append((name, typing.values.n_infinite))
        is_alone = all(isinstance(one, str) for one in found.values())
        for name, typing in texts.items():
            text = typing.values.data
            most = terms.of(len(text), is_alone=is_alone) // len(texts)
            reach = _REACH_ALONE if is_alone else 1
            column = TextColumn.fit(name, text, terms=max(2, most), reach=reach)
            marks = hints.get(name, NO_HINTS).marks
            facts[name] = replace(facts[name], n_empty=int(typing.values.data.isna().sum()))
            found[name] = _TOO_RARE if column is None else replace(column, marks=marks)
        columns = [one for one in found.values() if not isinstance(one, str)]
        dropped = [(name, one) for name, one in found.items() if isinstance(one, str)]
        if not columns:
            raise _nothing_left(label, dropped)
        n_rows = len(frame) if rows is None else len(rows)
        edges, has_missing = _edges(columns, cells, n_rows, bins)
        return cls(
            tuple(columns),
            edges,
            has_missing,
            tuple(dropped),
            tuple(infinite),
            tuple(facts[column.name] for column in columns),
        )

    @property
    def schema(self) -> TableSchema:
        """Return the schema of the result of `transform`."""
        return TableSchema(
            n_numeric=self.edges.shape[0],
            edges=self.edges,
            cardinalities=tuple(
                column.cardinality for column in self.columns if isinstance(column, CategoryColumn)
            ),
            has_missing=self.has_missing,
            texts=tuple(
                (column.n_terms, column.places)
                for column in self.columns
                if isinstance(column, TextColumn)
            ),
        )

    @property
    def is_text(self) -> bool:
        """Return whether all columns are free text."""
        return all(isinstance(one, TextColumn) for one in self.columns)

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Return the name and kind of every column, with the reason if it is left out."""
        used = tuple((column.name, column.kind) for column in self.columns)
        return used + tuple((name, f"left out: {reason}") for name, reason in self.dropped)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the reason for each column's kind, in the order of `kinds`; empty if unknown."""
        if not self.facts:
            return ()
        return (*(one.why for one in self.facts), *("" for _ in self.dropped))

    def transform(self, frame: pd.DataFrame, *, label: str = "DATA") -> TableInputs:
        """Encode rows.

        Args:
            frame: Rows with at least the columns in use; other columns are ignored.
            label: Name of the table in messages.

        Raises:
            InputError: A column is missing, or its cells do not fit the training data.
        """
        self.check_columns(frame.columns, label=label)
        block = self.block(frame)
        check_cells(self.columns, frame, block, label=label)
        return TableInputs.from_block(block)

    def check_columns(self, names: Iterable[object], *, label: str = "DATA") -> None:
        """Check that `names` include all columns in use.

        Raises:
            InputError: Columns are missing.
        """
        given = set(names)
        missing = [column.name for column in self.columns if column.name not in given]
        if missing:
            raise InputError(
                f"{label} must have the columns that the model was trained on, but lacks"
                f" {listed(missing)}."
            )

    def block(self, frame: pd.DataFrame) -> Block:
        """Encode rows as arrays and mark unusable cells; the columns must exist."""
        blocks = [column.encode(frame[column.name]) for column in self.columns]
        return Block.join(blocks, n_rows=len(frame))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the encoding as JSON values and tensors, for `from_state`."""
        columns, tensors = [], {"edges": self.edges}
        for number, column in enumerate(self.columns):
            columns.append({"type": type(column).__name__, **column.to_dict()})
            if isinstance(column, TextColumn):
                parts = column.tensors()
                tensors.update({f"text.{number}.{key}": part for key, part in parts.items()})
        state = {
            "version": _VERSION,
            "columns": columns,
            "has_missing": list(self.has_missing),
            "dropped": [list(pair) for pair in self.dropped],
            "n_infinite": [list(pair) for pair in self.n_infinite],
        }
        return state, tensors

    @classmethod
    def from_state(cls, state: dict[str, Any], tensors: dict[str, Tensor]) -> TableEncoding:
        """Return the encoding from its stored state.

        Raises:
            InputError: This version cannot read the state.
        """
        check_version(state, _VERSION)
        columns = tuple(
            _column_of(part, number, tensors) for number, part in enumerate(state["columns"])
        )
        return cls(
            columns,
            tensors["edges"],
            tuple(state["has_missing"]),
            tuple((name, reason) for name, reason in state["dropped"]),
            tuple((name, count) for name, count in state["n_infinite"]),
        )

    def check(self) -> None:
        """Check the tensors of a loaded encoding against its columns.

        Raises:
            ValueError: Two parts do not fit.
        """
        numeric = 0
        for column in self.columns:
            _must(isinstance(column.name, str), "column names")
            if isinstance(column, TextColumn):
                _must(column.kept.ndim == 1 and column.kept.shape == column.idf.shape, "text")
                _must(type(column.places) is int and column.places > 0, "text")
                _must(column.kept.dtype == torch.int64 and column.in_range, "text")
            if isinstance(column, CategoryColumn):
                _must(all(isinstance(level, str) for level in column.levels), "levels")
            else:
                numeric += len(column.parts) if isinstance(column, DateColumn) else 1
        _must(self.edges.ndim == 2 and len(self.edges) == numeric, "edges")
        _must(self.edges.dtype == torch.float32, "edges")
        _must(len(self.has_missing) == numeric, "has_missing")


def _must(holds: bool, name: str) -> None:
    if not holds:
        raise ValueError(f"{name} cannot be")


def _nothing_left(label: str, dropped: Sequence[tuple[str, str]]) -> InputError:
    """Return the error for a table of which all columns are left out."""
    reasons = "; ".join(f"{name!r}: {reason}" for name, reason in dropped[:4])
    return InputError(
        f"{label} must have a column to learn from besides the target, but it has none"
        f"{f' ({reasons})' if reasons else ''}."
    )


def _fit_column(name: str, typing: Typing, marks: tuple[str, ...]) -> Column | str:
    """Fit a column that is not text, or return the reason to leave it out.

    Args:
        name: The column.
        typing: Its kind and values.
        marks: Marks of missing cells that the user names.
    """
    found = _fit_by_kind(name, typing)
    known = tuple(dict.fromkeys((*marks, *typing.markers)))
    return found if isinstance(found, str) or not known else replace(found, marks=known)


def _fit_by_kind(name: str, typing: Typing) -> NumericColumn | CategoryColumn | DateColumn | str:
    """Fit a column by its kind."""
    data = typing.values.data
    if typing.kind == "dropped":
        return typing.detail
    if typing.kind == "numeric":
        return NumericColumn.fit(name, data.to_numpy(dtype="float64"), style=typing.detail)
    if typing.kind == "date":
        when = data if typing.values.form == "date" else parse_moments(data, typing.detail)
        dates = DateColumn.fit(name, when, form=typing.detail)
        return dates if dates.parts else _NO_CHANGE
    category = CategoryColumn.fit(name, typing.values.text, kind=typing.kind)
    # A single code for all rows carries no information.
    return category if len(category.levels) + category.missing else _TOO_RARE


def _edges(
    columns: Sequence[Column], cells: Callable[[str], pd.Series], n_rows: int, bins: int
) -> tuple[Tensor, tuple[bool, ...]]:
    """Return the quantile edges of every numeric column, and whether it has missing values."""
    numeric = [column for column in columns if not isinstance(column, CategoryColumn)]
    n_numbers = sum(len(c.parts) if isinstance(c, DateColumn) else 1 for c in numeric)
    own = bins_of_columns(n_numbers, n_rows, bins)
    edges: list[NDArray[np.float32]] = []
    missing: list[bool] = []
    for column in numeric:
        series = cells(column.name)
        found: NDArray[np.float32] | None
        if isinstance(column, TextColumn):
            # Its terms, which have no edges, would take most of the time.
            found = column.numbers(series)
        else:
            found = column.encode(series).numeric
        for numbers in () if found is None else found.T:
            edges.append(quantile_edges(numbers, own) if own else np.zeros(1, np.float32))
            missing.append(bool(np.isnan(numbers).any()))
    return torch.tensor(np.stack(edges)) if edges else torch.zeros(0, bins + 1), tuple(missing)


def bins_of_columns(n_columns: int, n_rows: int, at_most: int) -> int:
    """Return the number of bins per numeric column.

    A network has an input and weights for every bin. A column has one for 200 training rows, but
    not fewer than 8; all columns together have one for 20 training rows, but each not fewer than
    2, and at most 16 384. If the share of a column in these is below two bins, columns have no
    bins and enter the network as plain numbers.

    Examples:
        >>> [bins_of_columns(5, n_rows, 48) for n_rows in (400, 4_000, 40_000)]
        [4, 20, 48]
        >>> [bins_of_columns(40, n_rows, 48) for n_rows in (400, 4_000, 40_000)]
        [2, 5, 48]
        >>> bins_of_columns(1_000, 1_000_000, 48), bins_of_columns(10_000, 1_000_000, 48)
        (16, 0)
    """
    n_columns = max(n_columns, 1)
    of_rows = max(_FEWEST_BINS, n_rows // _ROWS_OF_A_BIN)
    of_columns = max(2, n_rows // _ROWS_OF_ANY_BIN // n_columns)
    share = _MOST_BINS // n_columns
    most = min(at_most, of_rows, of_columns)
    return most if most <= share else share if share > 1 else 0


def _column_of(part: dict[str, Any], number: int, tensors: dict[str, Tensor]) -> Column:
    """Return the column from an entry of the stored state."""
    kind = part["type"]
    if kind == "TextColumn":
        prefix = f"text.{number}."
        own = {
            key.removeprefix(prefix): value
            for key, value in tensors.items()
            if key.startswith(prefix)
        }
        if "components" in own:
            raise InputError(
                f"The text of column {part['name']!r} is encoded as by earlier versions; train the"
                " model again, or load it with the autoloss that saved it."
            )
        return TextColumn.from_dict(part, own)
    plain: dict[str, type[NumericColumn] | type[CategoryColumn] | type[DateColumn]] = {
        "NumericColumn": NumericColumn,
        "CategoryColumn": CategoryColumn,
        "DateColumn": DateColumn,
    }
    return plain[kind].from_dict(part)
