"""Encodes rows for a model: the same cells are read alike from a frame and from any file."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoloss.core.errors import UnusableCellsWarning
from autoloss.data.exchange import Frame
from autoloss.data.input_kinds import kind_of_encoding

Table = Frame | str | Path
_REMEDY = "pass force=True to predict anyway"


def encoded_rows(
    encodings: Sequence[Any],
    data: Table,
    *,
    force: bool = False,
) -> list[Any]:
    """Return the rows encoded by each encoding.

    Args:
        encodings: The distinct encodings, all of one kind of input.
        data: The rows.
        force: Whether to go on if a column that mattered is unusable in most rows.

    Raises:
        InputError: A column is missing, or a column that mattered is unusable in most rows.

    Warns:
        UnusableCellsWarning: Some cells cannot be used.
    """
    label = str(data) if isinstance(data, str | Path) else "DATA"
    reader = kind_of_encoding(encodings[0]).reader(encodings)
    parts = [reader.encode(frame, label=label) for frame in reader.frames(data)]
    if not force:
        reader.check(label=label, remedy=_REMEDY)
    if note := reader.note:
        warnings.warn(f"{label}: {note}", UnusableCellsWarning, stacklevel=_outside())
    return [_joined(same) for same in zip(*parts, strict=True)]


def _joined(parts: Sequence[Any]) -> Any:
    """Return the joined pieces."""
    return parts[0] if len(parts) == 1 else type(parts[0]).joined(parts)


def _outside() -> int:
    """Return the stack level of the line that called a method of the model."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").startswith("autoloss"):
        frame, level = frame.f_back, level + 1
    return level
