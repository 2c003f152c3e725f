"""ARFF, the format of Weka and OpenML: dense data, nominal attributes as categories."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from autoloss.core.errors import InputError
from autoloss.data.frames import Table, as_table
from autoloss.data.messages import listed
from autoloss.data.text_file import find_encoding

_NAME = re.compile(
    r"""@attribute\s+(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s{]+))\s*(.*)$""", re.I
)
_CELL = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^,]*?))\s*(?:,|$)""")
_NUMERIC = ("numeric", "real", "integer")


@dataclass(frozen=True)
class _Attribute:
    """An attribute: ``"number"``, ``"nominal"`` with its declared values, or ``"text"``."""

    name: str
    kind: str
    values: tuple[str, ...] = ()


def read_arff(path: Path, *, label: str) -> Table:
    """Read a dense ARFF file; nominal attributes become categories, ``?`` is missing.

    Args:
        path: The file.
        label: Its name in messages.

    Raises:
        InputError: The header is broken, the data is sparse or relational, a row has the wrong
            number of cells, or a cell has a value that its attribute does not declare.
    """
    encoding = find_encoding(path, label=label)
    with path.open(encoding=encoding, errors="replace") as file:
        lines = enumerate(file, start=1)
        attributes = _header(lines, label=label)
        rows, numbers = _rows(lines, attributes, label=label)
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(attributes)
    columns = [
        _column(attribute, list(column), numbers, label=label)
        for attribute, column in zip(attributes, cells, strict=True)
    ]
    frame = pd.concat(columns, axis=1)
    return as_table(frame, label=label, names=[attribute.name for attribute in attributes])


def _header(lines: Iterator[tuple[int, str]], *, label: str) -> list[_Attribute]:
    """Read the attributes, up to and including the line ``@data``."""
    attributes: list[_Attribute] = []
    for number, line in lines:
        text = line.strip()
        if text.lower().startswith("@data"):
            if not attributes:
                raise InputError(f"{label} must declare its columns (@attribute) before @data.")
            return attributes
        if text.lower().startswith("@attribute"):
            attributes.append(_attribute(text, number, label=label))
        elif text and not text.startswith("%") and not text.lower().startswith("@relation"):
            raise InputError(
                f"{label} must be an ARFF file, but line {number} of its header is {text[:60]!r}."
            )
    raise InputError(f"{label} must have a line @data, but the file ends without it.")


def _attribute(text: str, number: int, *, label: str) -> _Attribute:
    """Read one line ``@attribute NAME TYPE``."""
    match = _NAME.match(text)
    if match is None or not match[4]:
        raise InputError(f"{label} must declare '@attribute NAME TYPE' in line {number}.")
    name = _unescape(next(part for part in match.groups()[:3] if part is not None))
    kind = match[4].strip()
    if kind.startswith("{"):
        if not kind.endswith("}"):
            raise InputError(
                f"{label} must close the braces of attribute {name!r} in line {number}."
            )
        return _Attribute(name, "nominal", tuple(str(cell) for cell in _cells(kind[1:-1])))
    word = kind.split()[0].lower()
    if word in _NUMERIC:
        return _Attribute(name, "number")
    if word in ("string", "date"):
        return _Attribute(name, "text")
    raise InputError(
        f"{label} must have numeric, nominal, string or date attributes, but {name!r} in line"
        f" {number} is {word!r}; leave it out of the file."
    )


def _rows(
    lines: Iterator[tuple[int, str]], attributes: list[_Attribute], *, label: str
) -> tuple[list[list[str | None]], list[int]]:
    """Read the cells of the data lines and their line numbers."""
    rows: list[list[str | None]] = []
    numbers: list[int] = []
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith("%"):
            continue
        if text.startswith("{"):
            raise InputError(
                f"{label} must be dense, but line {number} is sparse ({{index value, ...}});"
                " save it as dense ARFF or CSV."
            )
        # Quoting is rare, and splitting at commas is ten times faster.
        plain = "'" not in text and '"' not in text and "\\" not in text
        row = [_bare(cell.strip()) for cell in text.split(",")] if plain else _cells(text)
        if len(row) != len(attributes):
            raise InputError(
                f"{label} must have {len(attributes)} cells in every row, but line {number} has"
                f" {len(row)}."
            )
        rows.append(row)
        numbers.append(number)
    return rows, numbers


def _cells(text: str) -> list[str | None]:
    """Split a line at its commas, outside quotes."""
    if "'" not in text and "\\" not in text:
        row = next(csv.reader([text], skipinitialspace=True))
        return [_bare(cell.strip()) for cell in row]
    cells: list[str | None] = []
    position = 0
    while position <= len(text):
        match = _CELL.match(text, position)
        if match is None:
            return [*cells, text[position:]]
        quoted = match[1] if match[1] is not None else match[2]
        cells.append(_bare(match[3]) if quoted is None else _unescape(quoted))
        position = match.end()
        if not match[0].endswith(","):
            break
    return cells


def _bare(cell: str) -> str | None:
    """Return a cell without quotes, or None if it is missing."""
    return None if cell in ("?", "") else cell


def _unescape(text: str) -> str:
    """Undo the backslashes of a quoted cell."""
    return re.sub(r"\\(.)", r"\1", text) if "\\" in text else text


def _column(
    attribute: _Attribute, cells: list[str | None], numbers: list[int], *, label: str
) -> pd.Series:
    """Return the cells of one attribute in its declared type."""
    column = pd.Series(cells, dtype="string")
    if attribute.kind == "text":
        return column
    if attribute.kind == "number":
        values = pd.to_numeric(column, errors="coerce").astype("float64")
        wrong = column.notna() & values.isna() & (column.str.lower() != "nan")
        rule = "a number"
    else:
        declared = list(dict.fromkeys(attribute.values))
        wrong = column.notna() & ~column.isin(declared)
        values = pd.Series(pd.Categorical(column.mask(wrong), categories=declared))
        rule = f"one of {listed(attribute.values)}"
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise InputError(
            f"{label} must hold {rule} in attribute {attribute.name!r}, but line {numbers[row]}"
            f" has {cells[row]!r:.80}."
        )
    return values
