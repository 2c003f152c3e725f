"""Encodes rows for a model: the same cells are read alike from a frame and from any file."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from autoloss.core.errors import UnusableCellsWarning
from autoloss.data import (
    DataOptions,
    SequenceEncoding,
    TableEncoding,
    TableInputs,
    read_table,
)
from autoloss.data.exchange import Frame
from autoloss.data.frames import Table as ReadTable
from autoloss.data.read import load_table
from autoloss.data.stream import open_rows
from autoloss.data.unusable import UnusableCount, check_found, note_of

Table = Frame | str | Path
_REMEDY = "pass force=True to predict anyway"


def encoded_rows(
    encodings: Sequence[Any],
    data: Table,
    *,
    force: bool = False,
) -> list[Any]:
    """Return the rows encoded by each encoding, `TableInputs` or `SequenceInputs`.

    Args:
        encodings: The distinct encodings, of tables or of sequences.
        data: The rows.
        force: Whether to go on if a column that mattered is unusable in most rows.

    Raises:
        InputError: A column is missing, or a column that mattered is unusable in most rows.

    Warns:
        UnusableCellsWarning: Some cells cannot be used.
    """
    label = str(data) if isinstance(data, str | Path) else "DATA"
    if isinstance(encodings[0], SequenceEncoding):
        table = sequence_table(data, encodings[0])
        return [encoding.transform(table.frame, label=label) for encoding in encodings]
    count = UnusableCount(encodings)
    parts = [
        encoded_piece(encodings, frame, count, label=label) for frame in _frames(encodings, data)
    ]
    if not force:
        check_found(count.found, label=label, remedy=_REMEDY)
    if note := note_of(count.found):
        warnings.warn(f"{label}: {note}", UnusableCellsWarning, stacklevel=_outside())
    return [_joined(same) for same in zip(*parts, strict=True)]


def sequence_table(data: Table, encoding: SequenceEncoding) -> ReadTable:
    """Return a table of sequences, of which empty sequences stay.

    Args:
        data: The rows, whatever their file's format.
        encoding: An encoding, which names the columns.
    """
    return load_table(data, options=DataOptions(tokens=encoding.tokens.tokens))


def encoded_piece(
    encodings: Sequence[TableEncoding],
    frame: pd.DataFrame,
    count: UnusableCount,
    *,
    label: str = "DATA",
) -> list[TableInputs]:
    """Return a piece of a table encoded by each encoding, and count the unusable cells.

    Raises:
        InputError: Columns are missing.
    """
    for encoding in encodings:
        encoding.check_columns(frame.columns, label=label)
    blocks = [encoding.block(frame) for encoding in encodings]
    count.add(frame, blocks)
    return [TableInputs.from_block(block) for block in blocks]


def _frames(encodings: Sequence[TableEncoding], data: Table) -> Iterator[pd.DataFrame]:
    """Yield the rows; a file is read piece by piece, as `autoloss predict` reads it."""
    if not isinstance(data, str | Path):
        yield read_table(data)
        return
    rows = open_rows(data)
    for encoding in encodings:
        encoding.check_columns(rows.names, label=rows.label)
    needed = {column.name for encoding in encodings for column in encoding.columns}
    yield from rows.frames([name for name in rows.names if name in needed])


def _joined(parts: Sequence[TableInputs]) -> TableInputs:
    """Return the joined pieces."""
    return parts[0] if len(parts) == 1 else TableInputs.joined(parts)


def _outside() -> int:
    """Return the stack level of the line that called a method of the model."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").startswith("autoloss"):
        frame, level = frame.f_back, level + 1
    return level
