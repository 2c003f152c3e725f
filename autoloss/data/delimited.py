"""Delimited text: encoding and delimiter are detected, and labels made of digits stay text."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from autoloss.core.errors import InputError
from autoloss.data.arrow import series_of
from autoloss.data.compressed import BROKEN, arrow_input, ending_of, open_bytes, open_text
from autoloss.data.decimal_mark import decimal_mark, has_groups, is_mixed
from autoloss.data.frames import Table, as_table, as_text, unique_names
from autoloss.data.marks import without_text_marks
from autoloss.data.messages import one_line
from autoloss.data.options import NO_OPTIONS, DataOptions
from autoloss.data.values import MISSING

# A leading zero marks the digits as a label: a postcode, a product number, a hash.
_LABEL = r"^[+-]?0[0-9xX]"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Encodings without a mark of their own, tried in this order after UTF-8.
_GUESSED = ("cp1252", "cp932", "gb18030", "latin-1")
_DELIMITERS = (",", "\t", ";", "|")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?")
_CHUNK = 1 << 20
HEAD = 1 << 18
_FIRST = 2_000


def read_delimited(
    path: Path, *, label: str, options: DataOptions = NO_OPTIONS, like: Table | None = None
) -> Table:
    """Read a table of delimited text.

    Args:
        path: The file.
        label: Its name in messages.
        options: The user's options for its cells.
        like: The table that this file has more rows of, or None for a separate table.

    Returns:
        The table; empty cells and marks such as ``NA`` or ``?`` are missing.

    Raises:
        InputError: The file is binary, or a row has more or fewer cells than the header.
    """
    encoding = find_encoding(path, label=label)
    with open_text(path, encoding) as file:
        head = file.read(HEAD)
    if not head.strip():
        raise InputError(f"{label} must hold a table, but the file is empty.")
    delimiter = find_delimiter(head, tab_first=ending_of(path) in (".tsv", ".tab"))
    cells = _parse(path, encoding=encoding, delimiter=delimiter, label=label)
    given = [as_text(pc.utf8_trim_whitespace(column[:1])[0].as_py()) for column in cells.columns]
    names, _ = unique_names(given)
    heads = (_known(column[1:_FIRST], options.marks) for column in cells.columns)
    mark = options.decimal or (like.decimal if like else decimal_mark(heads))
    columns, styles, notes = [], {}, []
    marks: set[str] = set()
    if encoding in _GUESSED:
        notes.append(f"{label} was read as {encoding}; save it as UTF-8 if letters look wrong.")
    for name, column in zip(names, cells.columns, strict=True):
        text = _known(column[1:], options.marks)
        marks |= _marks_in(column[1:], options.marks)
        style = _style_like(name, like) if like else _whole_style(text, mark, delimiter)
        if style == "comma":
            styles[name] = style
            if not like:
                notes.append(_points_read(name, text, are_groups=True, is_sure=mark == ","))
            text = pc.replace_substring(text, ".", "")
        elif style is None and not mark and not like and _is_doubtful(text):
            notes.append(_points_read(name, text, are_groups=False))
        columns.append(pd.Series(text.to_pandas()) if style == "text" else typed(text))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    table = as_table(frame, label=label, names=given, notes=tuple(notes))
    return replace(table, decimal=mark, styles=styles, marks=frozenset(marks))


def _known(column: Any, marks: Sequence[str]) -> Any:
    """Strip cells and turn marks of missing cells into missing cells."""
    text = pc.utf8_trim_whitespace(column)
    return without_text_marks(text, (*MISSING, *marks))


def _marks_in(column: Any, marks: Sequence[str]) -> set[str]:
    """Return the marks that occur in a column."""
    if not marks:
        return set()
    text = pc.utf8_trim_whitespace(column)
    found = text.filter(pc.is_in(text, value_set=pa.array(list(marks))))
    return set(pc.unique(found).to_pylist())


def _style_like(name: str, like: Table) -> str | None:
    """Return the style of a column in the other table: "text" if that table has words."""
    if name in like.styles:
        return like.styles[name]
    is_text = name in like.frame.columns and like.frame[name].dtype.kind not in "biufc"
    return "text" if is_text else None


def _whole_style(text: Any, mark: str | None, delimiter: str) -> str | None:
    """Return "comma" for whole numbers with points for thousands, else None."""
    if mark == "." or (mark is None and delimiter != ";"):
        return None
    present = text.drop_null()
    if not len(present) or not has_groups(present):
        return None
    return "comma" if mark == "," or is_mixed(present) else None


def _is_doubtful(text: Any) -> bool:
    """Return whether a column may have points for thousands without other evidence."""
    present = text.drop_null()
    return bool(len(present)) and has_groups(present) and is_mixed(present)


def _points_read(name: str, text: Any, *, are_groups: bool, is_sure: bool = False) -> str:
    """Return a note on the reading of points that may be decimal marks or separate thousands."""
    present = text.drop_null()
    example = present.filter(pc.match_substring(present, "."))[0].as_py()
    number = example.replace(".", "") if are_groups else example
    read = f"{name!r}: {example!r} was read as {number}"
    if is_sure:
        return f"{read}, because the decimal mark of the table is a comma."
    other, mark = ("are decimal marks", ".") if are_groups else ("divide thousands", ",")
    return f"{read}; if points {other}, give --decimal {mark}."


def find_encoding(path: Path, *, label: str) -> str:
    """Return the encoding of a text file: its mark, UTF-8, or a legacy encoding that fits."""
    try:
        with open_bytes(path) as file:
            head = file.read(_CHUNK)
        return _encoding_of(path, head, label)
    except BROKEN as error:
        raise InputError(f"{label} cannot be read to its end: {one_line(error)}") from error


def _encoding_of(path: Path, head: bytes, label: str) -> str:
    """Return the encoding of a text file, given its first bytes."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    zeros = head.count(0)
    if zeros:
        even, odd = head[::2].count(0), head[1::2].count(0)
        # Western text in UTF-16 has a zero in every other byte, and only there.
        if max(even, odd) > 0.3 * len(head) and min(even, odd) < 0.01 * len(head):
            return "utf-16-le" if odd > even else "utf-16-be"
        raise InputError(f"{label} must be a table of text, but it is a binary file.")
    return next(form for form in ("utf-8", *_GUESSED) if _decodes(path, form))


def _decodes(path: Path, encoding: str) -> bool:
    """Return whether the whole file is valid in an encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with open_bytes(path) as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


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
    text = "".join(lines[:-1] if len(lines) > 1 and len(head) >= HEAD else lines)
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


def _parse(path: Path, *, encoding: str, delimiter: str, label: str) -> Any:
    """Return all cells as text in an Arrow table, including the header."""
    quotes: tuple[str | bool, ...] = ('"', False) if delimiter == "\t" else ('"',)
    failure = ""
    for quote in quotes:
        for threads in (True, False):
            try:
                return _arrow(path, encoding, delimiter, quote, threads)
            except (pa.ArrowException, UnicodeError) as error:
                # Only a single thread knows the number of the row.
                failure = str(error).split(": ", 1)[-1]
    raise InputError(
        f"{label} must have as many cells in every row as in its header: {one_line(failure)}"
    )


def _arrow(path: Path, encoding: str, delimiter: str, quote: str | bool, threads: bool) -> Any:
    """Run Arrow's reader with every column as text."""
    reading = arrow_csv.ReadOptions(
        use_threads=threads,
        # A row must fit a block: free text can be long.
        block_size=1 << 25,
        autogenerate_column_names=True,
        encoding="utf-8" if encoding == "utf-8-sig" else encoding,
    )
    parsing = parse_options(delimiter, quote)
    with arrow_csv.open_csv(
        arrow_input(path), read_options=reading, parse_options=parsing
    ) as opened:
        names = opened.schema.names
    parsing = parse_options(delimiter, quote, width=len(names))
    converting = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
    )
    cells = arrow_csv.read_csv(
        arrow_input(path), read_options=reading, parse_options=parsing, convert_options=converting
    )
    return cells.slice(header_place(cells.column(0))) if len(names) == 1 else cells


def parse_options(delimiter: str, quote: str | bool, *, width: int | None = None) -> Any:
    """Return Arrow's options for dividing text into cells.

    Args:
        delimiter: The character between cells.
        quote: The character around a cell, False for none.
        width: The number of columns; with a single column an empty line is a row.
    """
    return arrow_csv.ParseOptions(
        delimiter=delimiter,
        quote_char=quote,
        newlines_in_values=quote is not False,
        ignore_empty_lines=width != 1,
    )


def header_place(column: Any) -> int:
    """Return the row number of the header, the first row that is not empty."""
    is_filled = pc.not_equal(pc.utf8_trim_whitespace(column), "")
    return max(0, int(pc.index(is_filled, True).as_py()))


def typed(text: Any) -> pd.Series:
    """Convert a column of text to integers, floats or booleans if that loses nothing.

    Args:
        text: An Arrow array of strings, without blanks around them.
    """
    present = text.drop_null()
    if len(present) == 0:
        return pd.Series([float("nan")] * len(text), dtype="float64")
    numbers = _numbers(text, present)
    if numbers is not None:
        return series_of(numbers)
    if _all_flags(present[:1000]) and _all_flags(present):
        flags = pd.Series(pc.equal(pc.utf8_lower(text), "true").to_pandas())
        return flags.astype("boolean") if text.null_count else flags
    return pd.Series(text.to_pandas())


def _numbers(text: Any, present: Any) -> Any:
    """Return text as integers or else floats, or None if some cells are words."""
    if pc.any(pc.match_substring_regex(present[:1000], _LABEL)).as_py():
        return None
    for kind in (pa.int64(), pa.float64()):
        try:
            # The first cells rule out most columns of words at no cost.
            bare = [pc.utf8_ltrim(cells, characters="+") for cells in (present[:1000], text)]
            bare[0].cast(kind)
            found = bare[1].cast(kind)
        except pa.ArrowInvalid:
            continue
        return None if pc.any(pc.match_substring_regex(present, _LABEL)).as_py() else found
    return None


def _all_flags(text: Any) -> bool:
    """Return whether every cell is the word true or false, in any case."""
    return bool(
        pc.all(pc.is_in(pc.utf8_lower(text), value_set=pa.array(["true", "false"]))).as_py()
    )
