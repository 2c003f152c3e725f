"""The cells of sequences: lists of tokens, tags and features, laid one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.data.frames import Table
from autoloss.data.messages import one_line, plural, unknown_name

Objects: TypeAlias = NDArray[np.object_]
Rows: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of N sequences, one after the other.

    Args:
        words: The text of each token.
        lengths: The tokens of each sequence.
        features: Further values of each token by name: text, None if missing; or float64, NaN if
            missing.

    Shape:
        words and each feature (T,), lengths (N,), the sum of which is T.
    """

    words: Objects
    lengths: Rows
    features: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Sequence[Tokens]) -> Tokens:
        """Return the concatenated sequences of several tables."""
        if len(parts) == 1:
            return parts[0]
        features: dict[str, NDArray[Any]] = {}
        for name in parts[0].features:
            own = [part.features[name] for part in parts]
            # A table may have words where another has numbers only.
            are_numbers = all(one.dtype == np.float64 for one in own)
            features[name] = np.concatenate(own if are_numbers else [words_of(x) for x in own])
        return cls(
            np.concatenate([part.words for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            features,
        )

    def __len__(self) -> int:
        """Return the number of sequences N."""
        return len(self.lengths)

    def take(self, rows: Rows) -> Tokens:
        """Return the sequences with the given numbers, in that order."""
        places = token_places(self.lengths, rows)
        features = {name: values[places] for name, values in self.features.items()}
        return Tokens(self.words[places], self.lengths[rows], features)


@dataclass(frozen=True)
class SequenceColumns:
    """The columns of a table of sequences.

    Args:
        tokens: The column of the tokens.
        features: The columns of further values of each token.
    """

    tokens: str
    features: tuple[str, ...]

    def read(self, table: Table) -> Tokens:
        """Return the tokens of a table with their features.

        Raises:
            InputError: A column is missing, or a list has another length than the tokens.
        """
        columns = [str(name) for name in table.frame.columns]
        for name in (self.tokens, *self.features):
            if name not in columns:
                raise unknown_name(f"{table.label} must have the column", name, columns)
        words, lengths = read_words(table.frame[self.tokens], label=table.label)
        features: dict[str, Any] = {}
        for name in self.features:
            values = read_values(table.frame[name], lengths, tokens=self.tokens, label=table.label)
            features[name] = as_feature(values)
        return Tokens(words, lengths, features)


def token_places(lengths: Rows, rows: Rows) -> Rows:
    """Return the places of the tokens of some sequences among all tokens.

    Examples:
        >>> token_places(np.array([2, 1, 3]), np.array([2, 0]))
        array([3, 4, 5, 0, 1])
    """
    own = lengths[rows]
    first = (np.cumsum(lengths) - lengths)[rows]
    start = np.cumsum(own) - own
    return np.asarray(np.repeat(first - start, own) + np.arange(own.sum()), dtype=np.int64)


def is_list(cell: object) -> bool:
    """Return whether a cell is a list of values."""
    return isinstance(cell, list | tuple | np.ndarray)


def is_of_lists(column: pd.Series) -> bool:
    """Return whether the cells of a column are lists, as far as they are not missing."""
    if column.dtype != object:
        return False
    present = [cell for cell in column if cell is not None and cell is not pd.NA]
    return bool(present) and all(map(is_list, present[:100]))


def is_of_text(column: pd.Series) -> bool:
    """Return whether the cells of a column are text."""
    present = column.dropna()
    return len(present) > 0 and all(isinstance(cell, str) for cell in present[:100])


def read_words(column: pd.Series, *, label: str) -> tuple[Objects, Rows]:
    """Return the text of all tokens, and the tokens of each row; a text is split into letters.

    Args:
        column: The column of tokens.
        label: The table in messages.

    Raises:
        InputError: A cell is neither a list nor text, or there is no token.

    Shape:
        (T,), (N,).
    """
    name = str(column.name)
    cells = [_cell(cell, name, row, label) for row, cell in enumerate(column, start=1)]
    lengths = np.array([len(cell) for cell in cells], dtype=np.int64)
    if not lengths.sum():
        raise InputError(f"{label} must have tokens in {name!r}, but all sequences are empty.")
    words = np.empty(lengths.sum(), dtype=object)
    words[:] = ["" if is_missing(token) else str(token) for cell in cells for token in cell]
    return words, lengths


def read_values(column: pd.Series, lengths: Rows, *, tokens: str, label: str) -> Objects:
    """Return the values of all tokens in a column, None if missing, ``(T,)``.

    Args:
        column: The column, whose cells are lists, or text that is split into letters; a missing
            cell has no value for any token.
        lengths: The tokens of each row.
        tokens: The column of the tokens.
        label: The table in messages.

    Raises:
        InputError: A list has another length than the tokens.
    """
    name = str(column.name)
    found = np.empty(int(lengths.sum()), dtype=object)
    start = 0
    for row, (cell, length) in enumerate(zip(column, lengths.tolist(), strict=True), start=1):
        if not (cell is None or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell))):
            values = _cell(cell, name, row, label)
            if len(values) != length:
                raise InputError(
                    f"{label}: row {row} must have as many values in {name!r} as tokens in "
                    f"{tokens!r}, but has {len(values)} for {plural(length, 'token')}."
                )
            found[start : start + length] = [None if is_missing(one) else one for one in values]
        start += length
    return found


def is_missing(value: Any) -> bool:
    """Return whether a value of a list is missing."""
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def _cell(cell: Any, name: str, row: int, label: str) -> Sequence[Any]:
    """Return the values of a cell."""
    if isinstance(cell, str):
        return list(cell.strip())
    if isinstance(cell, np.ndarray):
        values: list[Any] = cell.tolist()
        return values
    if isinstance(cell, list | tuple):
        return cell
    if is_missing(cell):
        return ()
    raise InputError(
        f"{label}: row {row} must have a list or a text in {name!r}, but got "
        f"{one_line(cell)[:40]!r}."
    )


def as_tags(values: Objects, *, name: str, label: str) -> tuple[Objects, bool]:
    """Return tags as text, None if missing, and whether they are whole numbers.

    Args:
        values: The tags as they were read.
        name: Their column.
        label: The table in messages.

    Raises:
        InputError: Tags are fractions, or lists.

    Shape:
        (T,) -> (T,).
    """
    known = np.array([value is not None for value in values])
    kinds = {type(value) for value in values[known]}
    if any(issubclass(kind, float) for kind in kinds):
        # Arrow reads whole numbers with gaps as floats.
        numbers = [value for value in values[known] if isinstance(value, float)]
        if known.all() or not all(number.is_integer() for number in numbers):
            raise InputError(
                f"{label} must have words or whole numbers as tags in {name!r}, but got the float "
                f"{numbers[0]:g}: write classes as words, or round the numbers to classes."
            )
        values = values.copy()
        values[known] = [int(value) for value in values[known]]
        kinds = {int}
    if any(issubclass(kind, list | tuple | dict | np.ndarray) for kind in kinds):
        raise InputError(f"{label} must have one tag per token in {name!r}, but got a list.")
    found = np.empty(len(values), dtype=object)
    found[known] = [str(value) for value in values[known]]
    return found, kinds == {int}


def as_feature(values: Objects) -> NDArray[Any]:
    """Return a feature of tokens as float64 if all known values are numbers, else as text."""
    numbers = np.full(len(values), np.nan)
    for place, value in enumerate(values):
        if value is None:
            continue
        try:
            numbers[place] = float(value)
        except (TypeError, ValueError):
            return words_of(values)
    return numbers


def words_of(values: NDArray[Any]) -> Objects:
    """Return values of a feature as text, None if missing."""
    found = np.empty(len(values), dtype=object)
    found[:] = [None if is_missing(value) else str(value) for value in values]
    return found
