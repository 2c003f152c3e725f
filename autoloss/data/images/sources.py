"""Tables of images: from a folder, from files of arrays, or from a column of paths or bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from autoloss.core.arrays import BROKEN, read_arrays
from autoloss.core.errors import InputError
from autoloss.core.files import check_inside
from autoloss.data.frames import Table, as_table
from autoloss.data.images.decode import ENDINGS, Cell, PictureShape, open_picture
from autoloss.data.images.encode import cell_of, shown_cell
from autoloss.data.images.pixels import read_pictures, shape_of
from autoloss.data.messages import listed, one_line, plural, unknown_name
from autoloss.data.options import DataOptions
from autoloss.data.read import Source, load_table
from autoloss.data.roles import PARTS
from autoloss.data.stream import RowStream, open_rows

IMAGE, CLASS = "image", "class"
"""The columns that a folder or a file of arrays becomes."""
_ARRAYS = ".npz"
_AT_ONCE = 4_096
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, eq=False)
class PictureTable:
    """A table of images before they are decoded.

    Args:
        table: Its rows; the column of images has their names.
        column: That column.
        cells: The images.
        has_rows: Whether messages name the row of an image, as in a table of paths.
    """

    table: Table
    column: str
    cells: list[Cell]
    has_rows: bool = False

    @property
    def hashed(self) -> str:
        """Return the name of the column of the hashes of the images."""
        return f"{self.column} (sha256)"

    def read(self, shape: PictureShape, *, skip_bad: bool) -> tuple[Table, NDArray[np.uint8]]:
        """Return the table with a hash of each image, and the pixels of its rows.

        Args:
            shape: The size and the colours.
            skip_bad: Whether rows are left out whose image cannot be read.

        Raises:
            InputError: An image cannot be read.
        """
        found = read_pictures(self.cells, shape)
        return self.settled(found.hashes, found.bad, found.pixels, skip_bad=skip_bad)

    def settled(
        self,
        hashes: Sequence[str],
        bad: Mapping[int, str],
        beside: NDArray[Number],
        *,
        skip_bad: bool,
    ) -> tuple[Table, NDArray[Number]]:
        """Return the table with a hash of each image, and the numbers beside its rows.

        Args:
            hashes: The hashes.
            bad: Why an image cannot be read, by its row.
            beside: The numbers of each row: pixels or vectors.
            skip_bad: Whether rows are left out whose image cannot be read.

        Raises:
            InputError: An image cannot be read.
        """
        frame = self.table.frame.assign(**{self.hashed: list(hashes)})
        if not bad:
            return replace(self.table, frame=frame), beside
        text = self._bad(bad)
        if not skip_bad:
            raise InputError(f"{text}; correct or remove them, or add --skip-bad.")
        good = np.setdiff1d(np.arange(len(frame)), list(bad))
        frame = frame.iloc[good].reset_index(drop=True)
        notes = (*self.table.notes, f"{text}: left out.")
        return replace(self.table, frame=frame, notes=notes), beside[good]

    def _bad(self, bad: Mapping[int, str]) -> str:
        """Return the number of unreadable images, and the first of them."""
        row, reason = next(iter(bad.items()))
        count, every = plural(len(bad), "image"), f"{len(self.cells):,}"
        first = shown_cell(self.cells[row], row)
        place = f"row {row + 1}, " if self.has_rows and not first.startswith("row") else ""
        return (
            f"{self.table.label}: {count} of {every} cannot be read, such as {place}{first}"
            f" ({reason})"
        )


def are_pictures(source: Source, options: DataOptions) -> bool:
    """Return whether data are images: a folder, arrays, or a column that the user names."""
    if options.images is not None:
        return True
    return isinstance(source, str | Path) and (_is_folder(source) or _is_arrays(source))


def load_pictures(source: Source, options: DataOptions, *, name: str = "DATA") -> PictureTable:
    """Return a table of images.

    Args:
        source: A folder with a sub-folder for each class, which may lie in folders ``train``,
            ``valid`` and ``test``; an ``.npz`` file with ``images`` and ``labels``;
            ``sklearn:digits``; or a table with a column of images.
        options: The options, which name that column.
        name: Name of the argument in messages.

    Raises:
        InputError: The source is not there or holds no images.
    """
    if isinstance(source, str | Path):
        if _is_folder(source):
            return _of_folder(Path(source).expanduser(), label=str(source))
        if _is_arrays(source):
            return _of_arrays(Path(source).expanduser(), label=str(source))
        if str(source) == "sklearn:digits":
            return _of_digits(str(source), options.images or IMAGE)
    table = load_table(source, name=name, options=options)
    assert options.images is not None
    columns = [str(column) for column in table.frame.columns]
    if options.images not in columns:
        raise unknown_name(f"images must name a column of {table.label}", options.images, columns)
    return _of_column(table, options.images, _folder_of(source))


def common_shape(cells: Sequence[Cell], side: int | None, *, label: str) -> PictureShape:
    """Return the size at which all images of a study are read: that of the data.

    Raises:
        InputError: No image of a sample can be read.
    """
    shape = shape_of(cells, side)
    if shape is None:
        raise InputError(
            f"{label} must have images that Pillow can read, but none of a sample can be read."
        )
    if shape.height * shape.width == 1:
        raise InputError(f"{label} must have images of more than 1 x 1 pixels.")
    return shape


def size_note(shape: PictureShape, pixels: NDArray[np.uint8]) -> str:
    """Return a note on the size at which images are read, and the space that they take."""
    where = "in a cache on the disk" if isinstance(pixels, np.memmap) else "in memory"
    size = f"{pixels.nbytes / 1e6:,.1f} MB"
    return f"Images are read at {shape.text}; their pixels take {size} {where}."


def open_pictures(source: str | Path, column: str) -> tuple[RowStream, Path | None]:
    """Return images to predict as rows, and the folder that their paths start from.

    Args:
        source: A folder with all images below it, an image, an ``.npz`` file, or a table.
        column: The column of the images.

    Raises:
        InputError: The source is not there or holds no images.
    """
    label, path = str(source), Path(source).expanduser()
    if _is_folder(source):
        check_inside(path)
        files, _ = _pictures_below(path)
        if not files:
            raise InputError(f"{label} must hold images, but it has none.")
        names = pa.array([file.relative_to(path).as_posix() for file in files])
        return _stream(names, column, label), path
    if path.suffix.lower() in ENDINGS:
        return _stream(pa.array([path.name]), column, label), path.parent
    if _is_arrays(source):
        images, _ = _arrays(path, label=label)
        return _stream(pa.array([_png_of(one) for one in images]), column, label), None
    return open_rows(source), _folder_of(source)


def _stream(cells: Any, column: str, label: str) -> RowStream:
    """Return rows of a single column."""
    table = pa.table({column: cells})
    return RowStream(
        label, (column,), False, lambda places: iter(table.to_batches(_AT_ONCE)), len(cells)
    )


def _png_of(image: NDArray[Any]) -> bytes:
    """Return an array as an encoded image, as a file would have it."""
    stream = io.BytesIO()
    open_picture(image).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _is_folder(source: str | Path) -> bool:
    return not str(source).startswith("sklearn:") and Path(source).expanduser().is_dir()


def _is_arrays(source: str | Path) -> bool:
    return Path(source).suffix.lower() == _ARRAYS


def _folder_of(source: Source) -> Path | None:
    """Return the folder that the paths of a file start from; None for a table in memory."""
    is_file = isinstance(source, str | Path) and not str(source).startswith("sklearn:")
    return Path(str(source)).expanduser().parent if is_file else None


def _of_column(table: Table, column: str, base: Path | None) -> PictureTable:
    """Return a table with a column of images.

    Raises:
        InputError: A cell is not an image, or a path leads out of the folder of the file.
    """
    values = list(table.frame[column])
    cells: list[Cell] = []
    for row, value in enumerate(values):
        if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
            raise InputError(
                f"{table.label} must have an image in every row, but row {row + 1} of"
                f" {column!r} is empty."
            )
        cells.append(cell_of(value, label=table.label, base=base, row=row))
    if all(isinstance(cell, Path) for cell in cells):
        names = [str(value) for value in values]
    else:
        names = [
            value["path"] if isinstance(value, dict) and value.get("path") else f"row {row + 1}"
            for row, value in enumerate(values)
        ]
    table = replace(table, frame=table.frame.assign(**{column: names}))
    return PictureTable(table, column, cells, has_rows=True)


def _of_folder(root: Path, *, label: str) -> PictureTable:
    """Return the images of a folder, whose sub-folders are the classes.

    Raises:
        InputError: There are no sub-folders with images.
    """
    check_inside(root)
    parts = [one for one in _folders(root) if one.name.lower() in PARTS]
    is_split = any(PARTS[one.name.lower()] == 0 for one in parts) and len(parts) > 1
    files: list[Path] = []
    classes: list[str] = []
    split: list[str] = []
    others = 0
    for part in parts if is_split else [root]:
        for folder in _folders(part):
            found, strange = _pictures_below(folder)
            files += found
            classes += [folder.name] * len(found)
            split += [part.name.lower()] * len(found)
            others += strange
    if not files:
        loose = sum(one.suffix.lower() in ENDINGS for one in root.iterdir())
        has = f"{plural(loose, 'image')} outside subfolders" if loose else "none"
        raise InputError(
            f"{label} must have a subfolder of images for each class, but has {has}; for a"
            " table of paths give the table and --images COLUMN."
        )
    names = [file.relative_to(root).as_posix() for file in files]
    frame = pd.DataFrame({IMAGE: names, CLASS: classes})
    if is_split:
        frame["split"] = split
    notes = [f"{label}: {plural(others, 'file')} that are not images left out."] if others else []
    left = [one.name for one in _folders(root) if is_split and one not in parts]
    if left:
        notes.append(f"{label}: the folders {listed(left)} are not parts and were left out.")
    table = as_table(frame, label=label, target=CLASS, notes=tuple(notes))
    return PictureTable(table, IMAGE, list(files))


def _folders(folder: Path) -> list[Path]:
    """Return the sub-folders that are not hidden."""
    return sorted(
        one for one in folder.iterdir() if one.is_dir() and not one.name.startswith((".", "__"))
    )


def _pictures_below(folder: Path) -> tuple[list[Path], int]:
    """Return the images in a folder and below it, and the number of other files."""
    files = [
        one
        for one in sorted(folder.rglob("*"))
        if one.is_file() and not one.name.startswith(".") and one.name != "Thumbs.db"
    ]
    found = [one for one in files if one.suffix.lower() in ENDINGS]
    return found, len(files) - len(found)


def _of_arrays(path: Path, *, label: str) -> PictureTable:
    """Return the images of an ``.npz`` file."""
    images, labels = _arrays(path, label=label)
    if labels is None or labels.shape != (len(images),):
        raise InputError(
            f"{label} must have an array `labels` with a class for each of {len(images):,} images,"
            f" but has {'none' if labels is None else f'shape {labels.shape}'}."
        )
    return _of_stack(images, labels, label=label, column=IMAGE, target="label")


def _arrays(path: Path, *, label: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return the images (N, H, W) or (N, H, W, C) and the labels of an ``.npz`` file."""
    if not path.exists():
        raise InputError(f"DATA must name a file that exists, but got {label!r}.")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{label} must be an .npz file of arrays, but it is not.")
    try:
        found = read_arrays(path, ("images", "labels").__contains__)
    except BROKEN as error:
        raise InputError(
            f"{label} must be an .npz file of numbers, but it cannot be read:"
            f" {one_line(error).rstrip('.')}."
        ) from error
    images = found.get("images")
    if images is None:
        raise InputError(f"{label} must have an array `images`, but has {listed(found)}.")
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] not in (1, 3, 4):
        images = images.transpose(0, 2, 3, 1)
    is_stack = images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (1, 3, 4))
    if not is_stack or images.dtype.kind not in "biuf" or 0 in images.shape:
        raise InputError(
            f"{label} must have images of shape (N, H, W) or (N, H, W, C), but got"
            f" {images.dtype} {images.shape}."
        )
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise InputError(
            f"{label} must have images of finite numbers, but some are NaN or infinite."
        )
    return _scaled(images), found.get("labels")


def _scaled(images: NDArray[Any]) -> NDArray[Any]:
    """Return images as bytes, all by one scale, so that brightness stays comparable."""
    if images.dtype in (np.uint8, np.uint16, np.bool_):
        return images
    low, high = float(images.min()), float(images.max())
    if images.dtype.kind in "iu" and low >= 0 and high <= 255:
        return images.astype(np.uint8)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    scale = 255.0 / (high - low) if high > low else 0.0
    whole: NDArray[np.float64] = (images - low) * scale
    return whole.round().clip(0, 255).astype(np.uint8)


def _of_digits(label: str, column: str) -> PictureTable:
    """Return the digits of scikit-learn as images of 8 x 8 pixels."""
    frame = load_table(label).frame
    pixels = frame.drop(columns="target").to_numpy() * (255.0 / 16.0)
    images = pixels.round().astype(np.uint8).reshape(-1, 8, 8)
    return _of_stack(
        images, frame["target"].to_numpy(), label=label, column=column, target="target"
    )


def _of_stack(
    images: NDArray[Any], labels: NDArray[Any], *, label: str, column: str, target: str
) -> PictureTable:
    """Return a table of images and labels in memory."""
    names = [f"image {number}" for number in range(1, len(images) + 1)]
    frame = pd.DataFrame({column: names, target: labels})
    return PictureTable(as_table(frame, label=label, target=target), column, list(images))
