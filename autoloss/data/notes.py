"""Notes for the user on the split and encoding of the data, a sentence each."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.data.dates import DateColumn
from autoloss.data.divide import Piece
from autoloss.data.encode import TableEncoding
from autoloss.data.fingerprint import row_hashes
from autoloss.data.frames import only
from autoloss.data.messages import listed, plural
from autoloss.data.numbers import parse_numbers
from autoloss.data.row_numbers import ROW_REASONS
from autoloss.data.text import TextColumn
from autoloss.data.values import label_of

_MOST_WORDS = 6


def _keep(reason: str, names: Sequence[str]) -> str:
    """Return the option that keeps a possible identifier column, or an empty string."""
    said = shlex.quote(f"{names[0]}=number")
    return f"; --column {said} keeps it" if reason in ROW_REASONS else ""


def encoding_notes(encoding: TableEncoding) -> list[str]:
    """Return notes on the columns of an encoding."""
    return [
        *_column_notes(encoding),
        *_text_notes(encoding),
        *_reading_notes(encoding),
        *_ambiguous_dates(encoding),
    ]


def _column_notes(encoding: TableEncoding) -> list[str]:
    """Return notes on columns that are left out and on infinities read as missing."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in encoding.dropped:
        by_reason[reason].append(name)
    notes = [
        f"Left out: {listed(names)} ({reason}{_keep(reason, names)})."
        for reason, names in sorted(by_reason.items())
    ]
    if encoding.n_infinite:
        names = [name for name, _ in encoding.n_infinite]
        notes.append(f"Infinite numbers count as missing in {listed(names)}.")
    return notes


def _text_notes(encoding: TableEncoding) -> list[str]:
    """Return a note on each column of free text: its terms, and the rows without a text."""
    empty = {one.name: one.n_empty for one in encoding.facts}
    notes = []
    for column in encoding.columns:
        if isinstance(column, TextColumn):
            found = f"{column.n_terms:,} words and parts of words"
            count = empty.get(column.name, 0)
            none = f"; {plural(count, 'training row')} without a text" if count else ""
            notes.append(f"Read as free text: {column.name!r} ({found}{none}).")
    return notes


def _reading_notes(encoding: TableEncoding) -> list[str]:
    """Return notes on words read as missing numbers and on cells read as numbers."""
    notes = []
    by_word: dict[str, list[str]] = defaultdict(list)
    for one in encoding.facts:
        for word in one.markers:
            by_word[word].append(one.name)
    for word, names in list(by_word.items())[:_MOST_WORDS]:
        notes.append(f"{word!r} was read as a missing number in {listed(names)}.")
    if len(by_word) > _MOST_WORDS:
        more = plural(len(by_word) - _MOST_WORDS, "other word")
        notes.append(f"So were {more} in columns of numbers.")
    styles = {one.name: getattr(one, "style", "") for one in encoding.columns}
    written = [
        f"{one.name!r} ({one.example!r} is"
        f" {label_of(float(parse_numbers(pd.Series([one.example]), styles[one.name])[0]))})"
        for one in encoding.facts
        if one.example
    ]
    if written:
        more = f" and {plural(len(written) - 6, 'other column')}" if len(written) > 6 else ""
        notes.append(f"Read as numbers: {', '.join(written[:6])}{more}.")
    return notes


def _ambiguous_dates(encoding: TableEncoding) -> list[str]:
    """Return notes on ambiguous dates and on years of two digits."""
    forms = {one.name: one.form for one in encoding.columns if isinstance(one, DateColumn)}
    american = [name for name, form in forms.items() if form.startswith(("%m/%d", "%m-%d"))]
    short = [name for name, form in forms.items() if "%y" in form]
    notes = []
    if american:
        notes.append(f"Dates were read as month/day/year in {listed(american)}.")
    if short:
        notes.append(f"Years of two digits in {listed(short)}: 69 is 1969, 68 is 2068.")
    return notes


def repeated_notes(pieces: Sequence[Piece], inputs: Sequence[str]) -> list[str]:
    """Return notes on validation and test rows that repeat a training row and flatter scores."""
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
