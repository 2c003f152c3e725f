"""Delimited text as blocks of cells; encoding, delimiter and quote are detected."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from autoloss.core.errors import InputError
from autoloss.data.frames import as_text
from autoloss.data.messages import one_line
from autoloss.data.text_file import (
    arrow_input,
    ending_of,
    find_encoding,
    is_compressed,
    open_text,
)

_DELIMITERS = (",", "\t", ";", "|")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?")
_HEAD = 1 << 18
# Bytes of a block of text, which must hold whole rows; the second size is for long documents.
_BLOCKS = (1 << 23, 1 << 25)
Result = TypeVar("Result")


@dataclass(frozen=True)
class DelimitedFile:
    """A file of delimited text, which is read in blocks of rows.

    Args:
        path: The file.
        label: Its name in messages.
        encoding: Its encoding.
        delimiter: The character between cells.
        rows_about: A rough number of its rows; None if it is compressed.
        quote: The character around a cell; False for none.
        block: Bytes of a block.
    """

    path: Path
    label: str
    encoding: str
    delimiter: str
    rows_about: int | None = None
    quote: str | bool = '"'
    block: int = _BLOCKS[0]

    @cached_property
    def header(self) -> tuple[str, ...]:
        """Return the cells of the first row that is not empty.

        Raises:
            InputError: The first rows differ in their number of cells.
        """
        with self._readable(), self._open(None, None) as opened:
            places = range(len(opened.schema.names))
        first = next(self._batches(places, len(places)), None)
        if first is None:
            raise InputError(f"{self.label} must hold a table, but the file is empty.")
        return tuple(as_text(column[0].as_py()) for column in first.columns)

    def rows(self, places: Sequence[int] | None = None) -> Iterator[Any]:
        """Yield the rows below the header as Arrow batches of text without blanks around it.

        Args:
            places: Positions of the columns; None for all.

        Raises:
            InputError: A row has more or fewer cells than the header; the message has its number.
        """
        width = len(self.header)
        places = range(width) if places is None else places
        for number, batch in enumerate(self._batches(places, width)):
            yield batch.slice(1) if number == 0 else batch

    def _batches(self, places: Sequence[int], width: int) -> Iterator[Any]:
        """Yield all rows from the header on."""
        names = [f"f{place}" for place in places]
        with self._readable(), self._open(names, width) as opened:
            for number, batch in enumerate(opened):
                cells = [pc.utf8_trim_whitespace(column) for column in batch.columns]
                rows = pa.record_batch(cells, names=names)
                # With a single column, empty lines are rows, and may stand above the header.
                is_first = number == 0 and width == 1
                yield rows.slice(_first_filled(cells[0])) if is_first else rows

    def _open(self, names: list[str] | None, width: int | None) -> Any:
        """Return Arrow's reader of some columns as text, or of all columns in any type."""
        return arrow_csv.open_csv(
            arrow_input(self.path),
            read_options=arrow_csv.ReadOptions(
                block_size=self.block,
                autogenerate_column_names=True,
                encoding="utf-8" if self.encoding == "utf-8-sig" else self.encoding,
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self.delimiter,
                quote_char=self.quote,
                newlines_in_values=self.quote is not False,
                ignore_empty_lines=width != 1,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names or (), pa.string()),
                include_columns=names,
                strings_can_be_null=False,
            ),
        )

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Turn Arrow's errors into an InputError of one line."""
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeError) as error:
            is_ragged = "Expected" in str(error)
            rule = "must have as many cells in every row as in its header"
            raise InputError(
                f"{self.label} {rule if is_ragged else 'cannot be read to its end'}:"
                f" {one_line(str(error).split(': ', 1)[-1])}"
            ) from error


def _first_filled(cells: Any) -> int:
    """Return the place of the first cell that is not empty, or 0."""
    return max(0, int(pc.index(pc.not_equal(cells, ""), True).as_py()))


def open_delimited(path: Path, *, label: str) -> DelimitedFile:
    """Open a file of delimited text under the encoding, delimiter and quote that fit it.

    Args:
        path: The file.
        label: Its name in messages.

    Raises:
        InputError: The file is binary, empty or broken, or its first rows differ in their number
            of cells.
    """
    file, _ = _fitting(_found(path, label), lambda file: file.header)
    return file


def read_cells(path: Path, *, label: str) -> tuple[DelimitedFile, Any]:
    """Return a file of delimited text and all of its rows as an Arrow table of text.

    Args:
        path: The file.
        label: Its name in messages.

    Raises:
        InputError: The file is binary, empty or broken, or a row has more or fewer cells than the
            header.
    """
    return _fitting(_found(path, label), lambda file: pa.Table.from_batches(list(file.rows())))


def _found(path: Path, label: str) -> DelimitedFile:
    """Return a file with the encoding and the delimiter that its content shows."""
    encoding = find_encoding(path, label=label)
    with open_text(path, encoding) as file:
        head = file.read(_HEAD)
    if not head.strip():
        raise InputError(f"{label} must hold a table, but the file is empty.")
    delimiter = find_delimiter(head, tab_first=ending_of(path) in (".tsv", ".tab"))
    about = None if is_compressed(path) else _rows_about(path, encoding, head)
    return DelimitedFile(path, label, encoding, delimiter, about)


def _rows_about(path: Path, encoding: str, head: str) -> int:
    """Estimate the number of rows from the length of the first lines."""
    share = len(head.encode(encoding, "replace")) / max(path.stat().st_size, 1)
    return max(1, round(head.count("\n") / min(share, 1.0)) - 1) if share else 1


def _fitting(
    file: DelimitedFile, read: Callable[[DelimitedFile], Result]
) -> tuple[DelimitedFile, Result]:
    """Return a file under the first quote and size of blocks that fit, and a reading of it."""
    # In some files with tabs, quotes are plain letters.
    quotes: tuple[str | bool, ...] = ('"', False) if file.delimiter == "\t" else ('"',)
    *others, last = [
        replace(file, quote=quote, block=block) for quote in quotes for block in _BLOCKS
    ]
    for other in others:
        with suppress(InputError):
            return other, read(other)
    return last, read(last)


def find_delimiter(head: str, *, tab_first: bool = False) -> str:
    r"""Return the delimiter under which the lines have as many cells as the header.

    Commas within cells (decimal commas, words) divide rows and header differently, so they are
    not mistaken for delimiters. In a tie the delimiter with the larger share of numbers wins.

    Args:
        head: The start of the file.
        tab_first: Whether a tab wins whenever it divides the lines.

    Examples:
        >>> find_delimiter("a;b\n1,5;2\n2,5;3\n")
        ';'
    """
    lines = head.splitlines(keepends=True)
    text = "".join(lines[:-1] if len(lines) > 1 and len(head) >= _HEAD else lines)
    best, best_score = ",", (False, 0.0, 0.0, 0, 0)
    for delimiter in ("\t", ",", ";", "|") if tab_first else _DELIMITERS:
        try:
            reader = csv.reader(io.StringIO(text), delimiter=delimiter)
            rows = [row for _, row in zip(range(300), reader, strict=False) if row]
        except csv.Error:
            continue
        if not rows:
            continue
        counts = Counter(len(row) for row in rows)
        share = counts[len(rows[0])] / len(rows)
        fits_header = len(rows[0]) > 1 and (share > 0.5 or len(rows) == 2)
        if not fits_header:
            wide = {width: count for width, count in counts.items() if width > 1}
            if not wide:
                continue
            share = max(wide.values()) / len(rows)
        # A blank follows the comma of a sentence, but seldom a delimiter.
        tight = -sum(cell.startswith(" ") for cell in rows[0])
        score = (fits_header, share, _share_of_numbers(rows[1:]), tight, max(counts))
        if score > best_score:
            best, best_score = delimiter, score
        if tab_first and delimiter == "\t" and share > 0.9:
            break
    return best


def _share_of_numbers(rows: Sequence[Sequence[str]]) -> float:
    """Return the share of cells that are numbers, with a point or a comma."""
    cells = [cell.strip() for row in rows for cell in row]
    return sum(bool(_NUMBER.fullmatch(cell)) for cell in cells) / max(len(cells), 1)
