"""Delimited text: encoding and delimiter are found, and digits stay text where they are labels."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from autoloss.data.frames import Table, as_table
from autoloss.data.messages import one_line
from autoloss.errors import InputError

# "None" is not among them: it is a class or a level of its own as often as not.
MISSING = (
    "",
    "?",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "NaN",
    "nan",
    "-nan",
    "NULL",
    "null",
    "<NA>",
    "NaT",
)
# A leading zero says that the digits are a label: a postcode, a product number, a hash.
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


def read_delimited(path: Path, *, label: str) -> Table:
    """Read a table of delimited text.

    Args:
        path: The file.
        label: How messages name it.

    Returns:
        The table; cells such as an empty one, ``NA`` or ``?`` are missing.

    Raises:
        InputError: The file is binary, or a row has more or fewer cells than the header.
    """
    encoding = find_encoding(path, label=label)
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        head = file.read(HEAD)
    if not head.strip():
        raise InputError(f"{label} must hold a table, but the file is empty.")
    delimiter = find_delimiter(head, tab_first=path.suffix.lower() in (".tsv", ".tab"))
    cells = _parse(path, encoding=encoding, delimiter=delimiter, label=label)
    names = [pc.utf8_trim_whitespace(column[:1])[0].as_py() for column in cells.columns]
    columns = [typed(column[1:]) for column in cells.columns]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    notes = []
    if encoding in _GUESSED:
        notes.append(f"{label} was read as {encoding}; save it as UTF-8 if letters look wrong.")
    return as_table(frame, label=label, names=names, notes=tuple(notes))


def find_encoding(path: Path, *, label: str) -> str:
    """Return the encoding of a text file: its mark, UTF-8, or the first older one that fits."""
    with path.open("rb") as file:
        head = file.read(_CHUNK)
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
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def find_delimiter(head: str, *, tab_first: bool = False) -> str:
    r"""Return the delimiter under which the lines have as many cells as the header.

    Commas within cells (decimal commas, words) divide the rows in another way than the header, so
    that they are not taken for delimiters. Where two fit alike, it is the one that makes more of
    the cells numbers.

    Args:
        head: The start of the file.
        tab_first: Whether a tab is taken wherever it divides the lines.

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
        # A blank stands after the comma of a sentence, seldom after a delimiter.
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
    """Return all cells as text, the header among them, as an Arrow table."""
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
    parsing = arrow_csv.ParseOptions(
        delimiter=delimiter, quote_char=quote, newlines_in_values=quote is not False
    )
    with arrow_csv.open_csv(path, read_options=reading, parse_options=parsing) as opened:
        names = opened.schema.names
    converting = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
    )
    return arrow_csv.read_csv(
        path, read_options=reading, parse_options=parsing, convert_options=converting
    )


def typed(column: Any) -> pd.Series:
    """Return a column of text as integers, floats, booleans or text, whichever loses nothing.

    Args:
        column: An Arrow array of strings.
    """
    text = pc.utf8_trim_whitespace(column)
    text = pc.if_else(pc.is_in(text, value_set=pa.array(MISSING)), None, text)
    present = text.drop_null()
    if len(present) == 0:
        return pd.Series([float("nan")] * len(text), dtype="float64")
    numbers = _numbers(text, present)
    if numbers is not None:
        return pd.Series(numbers.to_pandas())
    if _all_flags(present[:1000]) and _all_flags(present):
        flags = pd.Series(pc.equal(pc.utf8_lower(text), "true").to_pandas())
        return flags.astype("boolean") if text.null_count else flags
    return pd.Series(text.to_pandas())


def _numbers(text: Any, present: Any) -> Any:
    """Return text as integers where all are whole, as floats, or None where some are words."""
    if pc.any(pc.match_substring_regex(present[:1000], _LABEL)).as_py():
        return None
    for kind in (pa.int64(), pa.float64()):
        try:
            # The first cells rule most columns of words out, at no cost.
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
