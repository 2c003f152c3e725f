"""The encoding of a table: fitted on training rows, kept as JSON and tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from autoloss.data.blocks import Block
from autoloss.data.categories import CategoryColumn
from autoloss.data.dates import DateColumn, parse_moments
from autoloss.data.inputs import TableInputs, TableSchema
from autoloss.data.kinds import Typing, kind_of
from autoloss.data.messages import listed
from autoloss.data.numbers import NumericColumn, quantile_edges
from autoloss.data.text import TextColumn
from autoloss.errors import InputError

Column = NumericColumn | CategoryColumn | DateColumn | TextColumn

_VERSION = 1
_WIDEST = 256
_TOO_RARE = "no value stands twice"
_NO_CHANGE = "the same moment everywhere"


@dataclass(frozen=True, eq=False)
class TableEncoding:
    """How the columns of a table become numbers, codes and vectors.

    Args:
        columns: The columns that are used, each with what was fitted.
        edges: Quantile edges of the numeric columns, as in `TableSchema`.
        has_missing: Whether each numeric column lacked numbers in the training rows.
        dropped: Name and reason of each column that is left out.
        n_infinite: Name and number of infinite values, of columns whose training rows have some.

    Shape:
        edges (F, bins + 1).
    """

    columns: tuple[Column, ...]
    edges: Tensor
    has_missing: tuple[bool, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()
    n_infinite: tuple[tuple[str, int], ...] = ()

    @classmethod
    def fit(
        cls, frame: pd.DataFrame, *, bins: int = 16, seed: int = 0, label: str = "DATA"
    ) -> TableEncoding:
        """Fit to training rows.

        Args:
            frame: Training rows of the input columns, in the order of the data.
            bins: Bins of the quantile edges.
            seed: Seed of the reduction of text.
            label: How messages name the table.

        Raises:
            InputError: No column is left that anything can be learnt from.
        """
        typings = {str(name): kind_of(str(name), frame[name]) for name in frame.columns}
        n_text = sum(typing.kind == "text" for typing in typings.values())
        columns: list[Column] = []
        dropped, infinite = [], []
        for name, typing in typings.items():
            column = _fit_column(name, typing, width=_WIDEST // max(n_text, 1), seed=seed)
            if isinstance(column, str):
                dropped.append((name, column))
                continue
            columns.append(column)
            if typing.values.n_infinite:
                infinite.append((name, typing.values.n_infinite))
        if not columns:
            reasons = "; ".join(f"{name!r}: {reason}" for name, reason in dropped[:4])
            raise InputError(
                f"{label} must have a column to learn from besides the target, but it has none"
                f"{f' ({reasons})' if reasons else ''}."
            )
        unfinished = cls(tuple(columns), torch.zeros(0, bins + 1))
        block = unfinished.block(frame)
        edges, has_missing = _edges(block, bins), _has_missing(block)
        return cls(tuple(columns), edges, has_missing, tuple(dropped), tuple(infinite))

    @property
    def schema(self) -> TableSchema:
        """Return the shape of what `transform` returns."""
        return TableSchema(
            n_numeric=self.edges.shape[0],
            edges=self.edges,
            cardinalities=tuple(
                column.cardinality for column in self.columns if isinstance(column, CategoryColumn)
            ),
            vector_width=sum(
                column.width for column in self.columns if isinstance(column, TextColumn)
            ),
            has_missing=self.has_missing,
        )

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Return the name and kind of every column, those left out with the reason."""
        used = tuple((column.name, column.kind) for column in self.columns)
        return used + tuple((name, f"left out: {reason}") for name, reason in self.dropped)

    def transform(self, frame: pd.DataFrame, *, label: str = "DATA") -> TableInputs:
        """Encode rows.

        Args:
            frame: Rows with at least the columns that are used; others are ignored.
            label: How messages name the table.

        Raises:
            InputError: Columns are missing, or hold something quite different from training.
        """
        missing = [column.name for column in self.columns if column.name not in frame.columns]
        if missing:
            raise InputError(
                f"{label} must have the columns that the model was trained on, but lacks"
                f" {listed(missing)}."
            )
        try:
            return TableInputs.from_block(self.block(frame))
        except InputError as error:
            raise InputError(f"{label}: {error}") from error

    def block(self, frame: pd.DataFrame) -> Block:
        """Encode rows as arrays; `transform` checks the columns first."""
        blocks = [column.encode(frame[column.name]) for column in self.columns]
        return Block.join(blocks, n_rows=len(frame))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the encoding as values for JSON and as tensors, for `from_state`."""
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
        """Return the encoding of a state.

        Raises:
            InputError: The state was written by a version that this one does not know.
        """
        if state.get("version") != _VERSION:
            raise InputError(
                f"The encoding must have version {_VERSION}, but got"
                f" version={state.get('version')!r}; load it with the autoloss that saved it."
            )
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


def _fit_column(name: str, typing: Typing, *, width: int, seed: int) -> Column | str:
    """Fit one column by its kind; return the reason where it is left out."""
    data = typing.values.data
    if typing.kind == "dropped":
        return typing.detail
    if typing.kind == "numeric":
        return NumericColumn.fit(name, data.to_numpy(dtype="float64"), style=typing.detail)
    if typing.kind == "date":
        when = data if typing.values.form == "date" else parse_moments(data, typing.detail)
        dates = DateColumn.fit(name, when, form=typing.detail)
        return dates if dates.parts else _NO_CHANGE
    if typing.kind == "text":
        column = TextColumn.fit(name, data, width=width, seed=seed)
        return _TOO_RARE if column is None else column
    category = CategoryColumn.fit(name, typing.values.text, kind=typing.kind)
    # One code for all rows tells nothing.
    return category if len(category.levels) + category.missing else _TOO_RARE


def _edges(block: Block, bins: int) -> Tensor:
    """Return the quantile edges of every numeric column of encoded training rows."""
    numeric = np.zeros((block.n_rows, 0), np.float32) if block.numeric is None else block.numeric
    edges = [quantile_edges(numeric[:, i], bins) for i in range(numeric.shape[1])]
    return torch.tensor(np.stack(edges)) if edges else torch.zeros(0, bins + 1)


def _has_missing(block: Block) -> tuple[bool, ...]:
    """Return whether each numeric column of encoded rows lacks numbers."""
    numeric = block.numeric
    return () if numeric is None else tuple(np.any(np.isnan(numeric), axis=0).tolist())


def _column_of(part: dict[str, Any], number: int, tensors: dict[str, Tensor]) -> Column:
    """Return the column of one entry of the state."""
    kind = part["type"]
    if kind == "TextColumn":
        prefix = f"text.{number}."
        own = {
            key.removeprefix(prefix): value
            for key, value in tensors.items()
            if key.startswith(prefix)
        }
        return TextColumn.from_dict(part, own)
    plain: dict[str, type[NumericColumn] | type[CategoryColumn] | type[DateColumn]] = {
        "NumericColumn": NumericColumn,
        "CategoryColumn": CategoryColumn,
        "DateColumn": DateColumn,
    }
    return plain[kind].from_dict(part)
