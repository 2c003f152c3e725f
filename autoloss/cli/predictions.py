"""Writes predictions to a file in chunks, complete or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from autoloss.cli.progress_bar import Count
from autoloss.cli.streams import has_reader
from autoloss.core.errors import InputError, StudyNotFoundError
from autoloss.core.files import replacing
from autoloss.search.naming import CONFIG, SUMMARY, nearest_study

if TYPE_CHECKING:
    from autoloss.inference.predicting import Predicting

STANDARD_OUTPUT = Path("-")
_MARKS = ("config.json", "model/config.json", CONFIG, SUMMARY)
_ENDINGS = (".csv", ".parquet")
# Formats of sequences, of which the model decides.
_OF_SEQUENCES = (
    ".conll",
    ".conllu",
    ".conllup",
    ".iob",
    ".iob2",
    ".bio",
    ".bioes",
    ".jsonl",
    ".ndjson",
)


def model_folder(model: str, *, out: Path = Path("reports")) -> Path:
    """Return the folder of a model, from a path or a study's name.

    Raises:
        StudyNotFoundError: If there is no such folder.
    """
    path = Path(model).expanduser()
    places = [place for place in (path, out / path) if place.exists()]
    # A study is often named after its data, which may be a folder of that name here.
    found = next((place for place in places if _is_of_autoloss(place)), None)
    if not places:
        raise StudyNotFoundError(
            f"MODEL must be a study's name or folder, or a model's folder, but got MODEL={model!r}"
            f"{nearest_study(model, out)}"
        )
    return found or places[0]


def _is_of_autoloss(folder: Path) -> bool:
    """Return whether a folder has the mark of a model or of a study."""
    return any((folder / mark).is_file() for mark in _MARKS)


def check_output(file: Path, *, data: str) -> None:
    """Check that predictions can be written to `file`.

    Raises:
        InputError: If its ending is not a format, its folder does not exist, or it is DATA.
    """
    if file == STANDARD_OUTPUT:
        return
    if file.suffix.lower() not in _OF_SEQUENCES:
        check_ending(file)
    if not file.parent.is_dir():
        raise InputError(f"FILE must lie in a folder that exists, but got FILE={str(file)!r}.")
    if file.is_dir() or (file.exists() and Path(data).exists() and file.samefile(data)):
        raise InputError(f"FILE must be another file than DATA, but got FILE={str(file)!r}.")


def check_ending(file: Path) -> None:
    """Check that the ending of `file` is a format for the predictions of rows.

    Raises:
        InputError: If it is not.
    """
    if file != STANDARD_OUTPUT and file.suffix.lower() not in _ENDINGS:
        raise InputError(
            f"FILE must end in .csv or .parquet, or be -, but got FILE={str(file)!r}."
        )


def check_no_rows(given: Mapping[str, object]) -> None:
    """Refuse options of rows for a model of sequences.

    Args:
        given: The options with their values; a false value was not given.

    Raises:
        InputError: If one was given.
    """
    for name, value in given.items():
        if value:
            raise InputError(f"{name} must be left out for a model of sequences.")


def write(predicting: Predicting, file: Path, *, count: Count = lambda rows: None) -> int:
    """Write predictions in the format of the file's ending; return the number of rows.

    The file appears only when it is complete; standard output gets rows as they are computed,
    until its reader leaves.

    Args:
        predicting: The predictions.
        file: The file.
        count: Called after each piece with the number of rows written.

    Raises:
        InputError: If the file cannot be written, or the rows cannot be read to their end.
    """
    if file == STANDARD_OUTPUT:
        read = takewhile(lambda _: has_reader(), predicting.pieces())
        return _write_pieces(read, _Csv(sys.stdout), count)
    try:
        with replacing(file) as part:
            if file.suffix.lower() == ".parquet":
                return _write_pieces(predicting.pieces(), _Parquet(part), count)
            with part.open("w", encoding="utf-8", newline="") as opened:
                return _write_pieces(predicting.pieces(), _Csv(opened), count)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"FILE must be writable, but got FILE={str(file)!r}: {reason}."
        ) from error


class _Format(Protocol):
    def add(self, table: Any) -> None: ...

    def close(self) -> None: ...


def _write_pieces(pieces: Iterable[Any], form: _Format, count: Count) -> int:
    """Write every piece; return the number of rows."""
    rows = 0
    try:
        for table in pieces:
            form.add(table)
            rows += table.num_rows
            count(rows)
    finally:
        form.close()
    return rows


class _Csv:
    """Comma-separated text, with a header above the first piece."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._has_header = stream, False

    def add(self, table: Any) -> None:
        table.to_pandas(integer_object_nulls=True).to_csv(
            self._stream, index=False, lineterminator="\n", header=not self._has_header
        )
        self._has_header = True

    def close(self) -> None:
        self._stream.flush()


class _Parquet:
    """A Parquet file, a row group for each piece."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._writer: Any = None

    def add(self, table: Any) -> None:
        from pyarrow import parquet

        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
