"""CoNLL and CoNLL-U files: a token a line, its columns apart by tabs or blanks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from autoloss.core.errors import InputError
from autoloss.data.frames import Table
from autoloss.data.messages import one_line, plural
from autoloss.data.text_file import BROKEN, ending_of, find_encoding, open_text

ENDINGS = (".conll", ".conllu", ".conllup", ".iob", ".iob2", ".bio", ".bioes")
UNIVERSAL = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
"""The columns of CoNLL-U."""
LONGEST = 10_000
"""Tokens beyond which a file of a single sequence is taken to lack its blank lines."""
_DOCUMENT, _COLUMNS = "-DOCSTART-", "# global.columns ="


@dataclass(frozen=True)
class TokenLine:
    """A line with a token.

    Args:
        number: Its number in the file, from 1.
        fields: Its columns.
        separator: The text between columns, a tab or a blank.
    """

    number: int
    fields: tuple[str, ...]
    separator: str


def is_universal(path: Path) -> bool:
    """Return whether a file is CoNLL-U by its ending."""
    return ending_of(path) in (".conllu", ".conllup")


def read_conll(path: Path, *, label: str) -> Table:
    """Read a file of sequences: a row a sequence, a column for each column of the tokens.

    Columns are named by their number from 0; columns of CoNLL-U by their names, or by the names in
    a line ``# global.columns = ...``. The cells are lists. In CoNLL-U ``_`` is a missing value,
    and ranges of tokens (``1-2``) and empty nodes (``1.1``) are left out.

    Args:
        path: The file.
        label: Its name in messages.

    Raises:
        InputError: A line has fewer columns than the first, or nothing divides the tokens.
    """
    universal = is_universal(path)
    text = read_text(path, label=label)
    names = _names(text, universal=universal)
    sequences = list(token_lines(text, universal=universal, label=label))
    if not sequences:
        raise InputError(f"{label} must have a token a line, but has none.")
    if len(sequences) == 1 and len(sequences[0]) > LONGEST:
        raise InputError(
            f"{label} must have a blank line after each sequence, but its "
            f"{plural(len(sequences[0]), 'token')} are one sequence."
        )
    width = len(sequences[0][0].fields)
    names = names or tuple(map(str, range(width)))
    if len(names) != width:
        raise InputError(
            f"{label}: line {sequences[0][0].number} must have the {len(names)} columns "
            f"{', '.join(names)}, but has {width}."
        )
    columns: dict[str, list[list[str | None]]] = {
        name: [[_known(line.fields[place], universal) for line in one] for one in sequences]
        for place, name in enumerate(names)
    }
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    return Table(frame, label, path=path)


def _known(value: str, universal: bool) -> str | None:
    """Return a value, None if it is missing."""
    return None if not value or (universal and value == "_") else value


def read_text(path: Path, *, label: str) -> str:
    """Return the content of a text file of any encoding."""
    encoding = find_encoding(path, label=label)
    try:
        with open_text(path, encoding) as file:
            return file.read()
    except BROKEN as error:
        raise InputError(f"{label} cannot be read to its end: {one_line(error)}.") from error


def _names(text: str, *, universal: bool) -> tuple[str, ...]:
    """Return the names of the columns, empty if the file has none."""
    first = text.split("\n", 1)[0].strip()
    if first.startswith(_COLUMNS):
        return tuple(first.removeprefix(_COLUMNS).split())
    return UNIVERSAL if universal else ()


def token_lines(text: str, *, universal: bool, label: str) -> Iterator[list[TokenLine]]:
    """Yield the lines of the tokens of each sequence.

    Args:
        text: The content of the file.
        universal: Whether it is CoNLL-U.
        label: Its name in messages.

    Raises:
        InputError: A line has another number of columns than the first.
    """
    has_numbers = _names(text, universal=universal)[:1] == UNIVERSAL[:1]
    lines = lines_of(text)
    tabs, width = _layout(lines)
    sequence: list[TokenLine] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            if sequence:
                yield sequence
            sequence = []
            continue
        fields = line.split("\t") if tabs else line.split()
        if fields[0] == _DOCUMENT:
            continue
        if line.startswith("#") and not sequence and (universal or len(fields) != width):
            # A token may begin with # too; it has the columns of the others.
            continue
        if has_numbers and not fields[0].isdigit():
            continue
        if len(fields) != width:
            raise InputError(
                f"{label}: line {number} must have {plural(width, 'column')} as the first token, "
                f"but has {len(fields)}."
            )
        own = tuple(field.strip() for field in fields)
        sequence.append(TokenLine(number, own, "\t" if tabs else " "))
    if sequence:
        yield sequence


def lines_of(text: str) -> list[str]:
    """Return the lines of a text without their ends."""
    return [line.rstrip("\n") for line in io.StringIO(text, newline=None)]


def _layout(lines: list[str]) -> tuple[bool, int]:
    """Return whether tabs divide the columns, and how many there are, by the first token."""
    for line in lines:
        if line.strip() and not line.startswith(("# ", _DOCUMENT)):
            tabs = "\t" in line
            return tabs, len(line.split("\t") if tabs else line.split())
    return False, 0
