"""JSON tables: a list of objects, an object per line, or columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from autoloss.core.documents import parsed_json
from autoloss.core.errors import InputError
from autoloss.data.frames import Table, as_table, typed_objects
from autoloss.data.messages import one_line
from autoloss.data.text_file import BROKEN, chunks_of

Record = dict[str, Any]


def read_json(path: Path, *, label: str, is_lines: bool) -> Table:
    """Read a JSON table; nested objects become columns ``outer.inner``.

    Args:
        path: The file.
        label: Its name in messages.
        is_lines: Whether every line is a separate object.

    Raises:
        InputError: The file is not JSON, or not a table.
    """
    try:
        text = b"".join(chunks_of(path)).decode("utf-8-sig")
    except (*BROKEN, UnicodeDecodeError) as error:
        raise InputError(f"{label} must be JSON in UTF-8, but {one_line(error)}.") from error
    records = _lines(text, label) if is_lines else _records(text, label)
    if not records:
        raise InputError(f"{label} must have rows, but it has none.")
    try:
        rows = [_flat(record) for record in records]
    except RecursionError as error:
        raise InputError(
            f"{label} must be JSON of a table, but it is nested too deeply."
        ) from error
    flat = pd.DataFrame(rows, dtype=object)
    frame = pd.DataFrame(
        {place: typed_objects(flat.iloc[:, place]) for place in range(flat.shape[1])}
    )
    return as_table(frame, label=label, names=list(flat.columns))


def _records(text: str, label: str) -> list[Record]:
    """Return the rows of a whole document."""
    try:
        found = parsed_json(text)
    except ValueError as error:
        if "Extra data" in str(error):
            # The file has an object per line despite its name.
            return _lines(text, label)
        raise InputError(f"{label} must be JSON of a table, but {one_line(error)}.") from error
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return found
    if isinstance(found, dict):
        columns = found.get("columns"), found.get("data")
        if all(isinstance(part, list) for part in columns) and found.keys() <= {
            *("columns", "data", "index")
        }:
            return [dict(zip(columns[0] or (), row, strict=False)) for row in columns[1] or ()]
        parts = list(found.values())
        if parts and all(isinstance(one, list) for one in parts):
            if len({len(one) for one in parts}) == 1:
                return [dict(zip(found, row, strict=True)) for row in zip(*parts, strict=True)]
        elif parts and all(isinstance(one, dict) for one in parts):
            rows = dict.fromkeys(key for one in parts for key in one)
            return [{name: one.get(key) for name, one in found.items()} for key in rows]
        else:
            return [found]
    raise InputError(
        f"{label} must be a table: a list of objects, one object per line, or columns that are "
        "lists of one length."
    )


def _lines(text: str, label: str) -> list[Record]:
    """Return the rows of a file that has an object in every line."""
    records = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = parsed_json(line)
        except ValueError as error:
            raise InputError(
                f"{label}: line {number} must be JSON, but {one_line(error)}."
            ) from error
        if not isinstance(record, dict):
            raise InputError(
                f"{label}: line {number} must be an object, but it is {one_line(line)[:40]!r}."
            )
        records.append(record)
    return records


def _flat(record: Mapping[str, Any], before: str = "") -> Record:
    """Return an object with nested objects flattened."""
    found: Record = {}
    for name, value in record.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = None if value == {} else value
    return found
