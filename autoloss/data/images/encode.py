"""The encoding of images: their size, and the mean and deviation of each channel."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.encoding import check_version
from autoloss.data.images.decode import Cell, PictureShape
from autoloss.data.images.inputs import ImageInputs, ImageSchema
from autoloss.data.images.pixels import read_pictures
from autoloss.data.messages import listed, one_line, plural

_VERSION = 1
_MOST_FITTED = 4_096
_MOST_SIDE = 4_096
_GREY = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR42mNsYIAAJgaKGAAmCACQtTEKkQAAAABJRU5E"
    "rkJggg=="
)


@dataclass(frozen=True, eq=False)
class ImageEncoding:
    """The fitted encoding of images.

    Args:
        column: The column of the images.
        shape: The size and the colours at which they are read.
        mean: The mean of each channel over the training images, in bytes.
        scale: Its standard deviation.
    """

    column: str
    shape: PictureShape
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, inputs: ImageInputs, *, column: str, shape: PictureShape) -> Self:
        """Fit to training images.

        Args:
            inputs: The images.
            column: Their column.
            shape: Their size and colours.
        """
        step = max(1, len(inputs) // _MOST_FITTED)
        some = inputs.take(torch.arange(0, len(inputs), step)).pixels.double().flatten(0, -2)
        scale = some.std(0, correction=0).clamp_min(1.0)
        return cls(column, shape, tuple(some.mean(0).tolist()), tuple(scale.tolist()))

    @property
    def schema(self) -> ImageSchema:
        """Return the schema of the result of `transform`."""
        size = self.shape
        return ImageSchema(size.height, size.width, size.channels, self.mean, self.scale)

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Return the name of the column, and that it has images."""
        return ((self.column, "image"),)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the size and the colours."""
        return (self.shape.text,)

    @property
    def dropped(self) -> tuple[tuple[str, str], ...]:
        """Return nothing: no image column is left out."""
        return ()

    def transform(self, frame: pd.DataFrame, *, label: str = "DATA") -> ImageInputs:
        """Read the images of a table: files, encoded bytes, base64, or arrays.

        Raises:
            InputError: The column is missing, or an image cannot be read.
        """
        if self.column not in frame.columns:
            raise InputError(
                f"{label} must have the column {self.column!r} of images, but has"
                f" {listed(map(str, frame.columns))}."
            )
        return self.encode([cell_of(value, label=label) for value in frame[self.column]], label)

    def encode(self, cells: Sequence[Cell], label: str) -> ImageInputs:
        """Read images.

        Raises:
            InputError: An image cannot be read.
        """
        found = read_pictures(cells, self.shape, keep=False)
        if found.bad:
            row, reason = next(iter(found.bad.items()))
            raise InputError(
                f"{label} must have images that can be read, but"
                f" {plural(len(found.bad), 'image')} cannot, such as"
                f" {shown_cell(cells[row], row)} ({reason})."
            )
        return ImageInputs.of(torch.from_numpy(found.pixels))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the encoding as JSON values, and no tensors, for `from_state`."""
        state = {
            "version": _VERSION,
            "column": self.column,
            "shape": asdict(self.shape),
            "mean": list(self.mean),
            "scale": list(self.scale),
        }
        return state, {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """Return the encoding from its stored state, which has no tensors.

        Raises:
            InputError: This version cannot read the state.
        """
        check_version(state, _VERSION)
        shape = PictureShape(**state["shape"])
        return cls(state["column"], shape, tuple(state["mean"]), tuple(state["scale"]))

    def check(self) -> None:
        """Check that the parts of a loaded encoding fit together.

        Raises:
            ValueError: Two parts do not fit.
        """
        size = self.shape
        sides = (size.height, size.width)
        numbers = (*self.mean, *self.scale)
        if not (
            isinstance(self.column, str)
            and all(isinstance(side, int) and 0 < side <= _MOST_SIDE for side in sides)
            and size.channels in (1, 3)
            and len(self.mean) == len(self.scale) == size.channels
            and all(map(math.isfinite, numbers))
            and min(self.scale) > 0.0
        ):
            raise ValueError("images cannot be")


def cell_of(value: Any, *, label: str, base: Path | None = None, row: int | None = None) -> Cell:
    """Return an image from a cell of a table.

    Args:
        value: A path, encoded bytes, base64 of them (also as a data URL), an array, a nested list
            of numbers, or the struct of bytes and path that the library `datasets` writes.
        label: Name of the table in messages.
        base: The folder that paths start from; by default the working folder.
        row: Its row from 0, for messages; None to leave it out.

    Raises:
        InputError: It is nothing of these, or the path leads out of the folder.
    """
    cell = _cell(value, label=label, row=row)
    if not isinstance(cell, Path) or base is None:
        return cell
    if not (base / cell).resolve().is_relative_to(base.resolve()):
        raise InputError(
            f"{label} must have paths of images in its own folder, but {_place(row)}has"
            f" {str(cell)!r}."
        )
    return base / cell


def _place(row: int | None) -> str:
    return "" if row is None else f"row {row + 1} "


def _cell(value: Any, *, label: str, row: int | None) -> Cell:
    """Return an image from a cell; a path as it is written."""
    if isinstance(value, Mapping):
        inner = value.get("bytes")
        value = value.get("path") if inner is None else inner
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Path):
        return value
    if isinstance(value, str):
        text = value.partition(",")[2] if value.startswith("data:") else value
        if value.startswith("data:") or len(value) > 255:
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error:
                pass
        return Path(value)
    try:
        found = np.array(value.tolist() if isinstance(value, np.ndarray) else value)
    except ValueError:
        found = np.zeros(0)
    if found.ndim in (2, 3) and found.dtype.kind in "biuf" and found.size:
        return found
    raise InputError(
        f"{label} must have paths, encoded images or arrays in its column of images, but"
        f" {_place(row)}has {one_line(value)!r:.60}."
    )


def shown_cell(cell: Cell, row: int) -> str:
    """Return the name of an image in a message."""
    return repr(str(cell)) if isinstance(cell, Path) else f"row {row + 1}"


def image_signature(encodings: Sequence[ImageEncoding]) -> list[tuple[str, str]]:
    """Return the name of the column; its cells are text, paths or base64."""
    return [(encodings[0].column, "string")]


def image_example(encodings: Sequence[ImageEncoding]) -> dict[str, Any]:
    """Return a made-up image in the form of MLflow's server."""
    return picture_example(encodings[0].column)


def picture_example(column: str) -> dict[str, Any]:
    """Return a column with an image, grey all over, as base64 in the form of MLflow's server."""
    url = f"data:image/png;base64,{_GREY}"
    return {"dataframe_split": {"columns": [column], "data": [[url]]}}
