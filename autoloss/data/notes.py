"""What a user should know about how data was divided and encoded, one sentence each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from autoloss.data.divide import Piece
from autoloss.data.encode import TableEncoding
from autoloss.data.fingerprint import row_hashes
from autoloss.data.frames import only
from autoloss.data.messages import listed, plural


def class_notes(keys: Sequence[str], total: Tensor, held: dict[str, Tensor]) -> list[str]:
    """Say which classes stand in one row only, and which parts lack a class.

    Args:
        keys: The classes.
        total: All rows of each class.
        held: Rows of each class that are ever held out, by the name of the part.

    Shape:
        total and held each (C,).
    """
    notes = []
    single = [key for key, count in zip(keys, total, strict=True) if count == 1]
    if single:
        noun = "Class" if len(single) == 1 else "Classes"
        notes.append(
            f"{noun} {listed(single)} with one row: trained on, never validated or tested."
        )
    for name, count in held.items():
        absent = [key for key, n in zip(keys, count, strict=True) if n == 0 and key not in single]
        if absent:
            notes.append(f"The {name} part has no row of {listed(absent)}.")
    return notes


def column_notes(encoding: TableEncoding) -> list[str]:
    """Say which columns are left out and why, and where infinities became missing."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in encoding.dropped:
        by_reason[reason].append(name)
    notes = [
        f"Left out: {listed(names)} ({reason})." for reason, names in sorted(by_reason.items())
    ]
    if encoding.n_infinite:
        names = [name for name, _ in encoding.n_infinite]
        notes.append(f"Infinite numbers count as missing in {listed(names)}.")
    return notes


def ambiguous_dates(encoding: TableEncoding) -> list[str]:
    """Say which dates were read with the month first: another reading may fit as well."""
    names = [
        column.name
        for column in encoding.columns
        if column.kind == "date" and getattr(column, "form", "").startswith("%m/%d")
    ]
    return [f"Dates were read as month/day/year in {listed(names)}."] if names else []


def repeated_notes(pieces: Sequence[Piece], inputs: Sequence[str]) -> list[str]:
    """Say how many rows of valid and test stand in train too: they flatter every candidate."""
    hashed: dict[int, NDArray[np.uint64]] = {}
    own = []
    for piece in pieces:
        frame = piece.source.table.frame
        if id(frame) not in hashed:
            hashed[id(frame)] = row_hashes(only(frame, inputs))
        own.append(hashed[id(frame)][piece.rows])
    notes = []
    for piece, hashes in zip(pieces[1:], own[1:], strict=True):
        share = float(pd.Series(hashes).isin(own[0]).mean())
        if share >= 0.01:
            count = plural(round(share * len(hashes)), "row")
            notes.append(
                f"{piece.name}: {count} ({share:.0%}) equal a training row in every input."
            )
    return notes
