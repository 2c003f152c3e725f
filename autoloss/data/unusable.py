"""Cells that a model cannot use: counted by column, reported, and refused if they matter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.data.blocks import Block
from autoloss.data.messages import listed, one_line, plural
from autoloss.data.values import values_of

# Fewer new levels than these are a matter of a few rows, whatever their share.
_MANY_LEVELS = 5
_MOST = 0.5
_SHOWN = 4
Mask = NDArray[np.bool_]
_WHAT = {
    "numeric": "no number",
    "date": "no date as in training",
    "categorical": "no level that training had",
    "boolean": "no level that training had",
}


class Column(Protocol):
    """The fitted encoding of a column of any kind."""

    @property
    def name(self) -> str:
        """Return its name."""
        ...

    @property
    def kind(self) -> str:
        """Return its kind."""
        ...


class Encoding(Protocol):
    """The fitted encodings of all columns."""

    @property
    def columns(self) -> Sequence[Column]:
        """Return the fitted encoding of each column."""
        ...


@dataclass(frozen=True)
class UnusableCells:
    """Cells of a column that a model cannot use and counts as missing.

    Args:
        name: The column.
        kind: Its kind.
        cells: The number of these cells.
        rows: The number of rows.
        example: One of the cells.
        rule: The rule for the cells of the column.
        varies: Whether the column was more than nearly constant in training.
    """

    name: str
    kind: str
    cells: int
    rows: int
    example: str
    rule: str
    varies: bool = True

    @property
    def is_refused(self) -> bool:
        """Return whether predictions would depend on a mostly unusable column."""
        # A new level is not a mistake in itself.
        is_many = self.kind in ("numeric", "date") or self.cells >= _MANY_LEVELS
        return self.varies and is_many and self.cells > _MOST * self.rows

    @property
    def text(self) -> str:
        """Return the number of unusable cells of the column, with an example."""
        return (
            f"{self.cells:,} of {self.rows:,} in {self.name!r} ({_WHAT[self.kind]}, such as"
            f" {self.example!r})"
        )


class UnusableCount:
    """Counts, piece by piece, the cells that none of a model's encodings can use.

    Args:
        encodings: The encodings, each once.
    """

    def __init__(self, encodings: Sequence[Encoding]) -> None:
        self._encodings = encodings
        self._rows = 0
        self._cells: dict[str, int] = {}
        self._examples: dict[str, str] = {}

    def add(self, frame: pd.DataFrame, blocks: Sequence[Block]) -> None:
        """Count a piece, as each of the encodings reads it."""
        self._rows += len(frame)
        unusable = [dict(block.unusable) for block in blocks]
        for name in dict.fromkeys(name for one in unusable for name in one):
            reading = [
                one.get(name)
                for encoding, one in zip(self._encodings, unusable, strict=True)
                if any(column.name == name for column in encoding.columns)
            ]
            lost = unusable_by_all(reading)
            if lost is not None and lost.any():
                self._cells[name] = self._cells.get(name, 0) + int(lost.sum())
                self._examples.setdefault(name, _example(frame[name][lost]))

    @property
    def found(self) -> tuple[UnusableCells, ...]:
        """Return the unusable cells of each column, in the order of the columns."""
        every: dict[str, list[Column]] = {}
        for encoding in self._encodings:
            for column in encoding.columns:
                every.setdefault(column.name, []).append(column)
        return tuple(
            UnusableCells(
                name,
                same[0].kind,
                self._cells[name],
                self._rows,
                self._examples[name],
                rule_of(same[0]),
                any(getattr(column, "varies", True) for column in same),
            )
            for name, same in every.items()
            if name in self._cells
        )


def unusable_by_all(masks: Sequence[Mask | None]) -> Mask | None:
    """Return which cells every encoding fails to use, or None if one uses all of them."""
    lost: Mask | None = None
    for mask in masks:
        if mask is None:
            return None
        lost = mask if lost is None else lost & mask
    return lost


def note_of(found: Iterable[UnusableCells]) -> str:
    """Return a line on all unusable cells, or an empty string if there are none."""
    parts = [one.text for one in found]
    if not parts:
        return ""
    shown = ", ".join(parts[:_SHOWN])
    more = f" and in {len(parts) - _SHOWN} more columns" if len(parts) > _SHOWN else ""
    return f"cells that the model cannot use count as missing: {shown}{more}."


def check_found(found: Iterable[UnusableCells], *, label: str, remedy: str) -> None:
    """Refuse rows where a column that mattered is unusable in more than half of them.

    Args:
        found: The counts.
        label: Name of the table in messages.
        remedy: How to go on in spite of it.

    Raises:
        InputError: There is such a column.
    """
    refused = [one for one in found if one.is_refused]
    if refused:
        one = refused[0]
        others = [other.name for other in refused[1:]]
        too = f", and likewise in {listed(others)}" if others else ""
        raise InputError(
            f"{label}: Column {one.name!r} must hold {one.rule}, but {one.cells:,} of"
            f" {plural(one.rows, 'row')} hold other cells, such as {one.example!r}{too};"
            f" correct them, or {remedy}."
        )


def check_cells(
    columns: Sequence[Column], frame: pd.DataFrame, block: Block, *, label: str = "DATA"
) -> None:
    """Refuse a column of numbers or dates without any number or date.

    Raises:
        InputError: There is such a column.
    """
    for name, lost in block.unusable:
        column = next(one for one in columns if one.name == name)
        if column.kind not in ("numeric", "date"):
            continue
        if int(lost.sum()) == int(values_of(frame[name]).text.notna().sum()):
            example = _example(frame[name][lost])
            raise InputError(
                f"{label}: Column {name!r} must hold {rule_of(column)}, but got {example!r}."
            )


def rule_of(column: Column) -> str:
    """Return the rule for the cells of a column."""
    if column.kind == "numeric":
        return "numbers, as in training"
    if column.kind == "date":
        return f"dates as in training ({getattr(column, 'form', '')})"
    levels = tuple(getattr(column, "levels", ()))
    return f"levels that training had ({listed(levels, shown=_SHOWN)})"


def _example(cells: pd.Series) -> str:
    """Return the first of some cells as text."""
    return one_line(cells.iloc[0])[:60]
