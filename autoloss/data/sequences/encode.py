"""The encoding of tokens: frequent tokens, character n-grams, word shapes, further features."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.encoding import check_version
from autoloss.data.frames import Table
from autoloss.data.messages import listed
from autoloss.data.sequences.cells import Objects, SequenceColumns, Tokens, words_of
from autoloss.data.sequences.inputs import SequenceInputs, SequenceSchema

_VERSION = 1
LEAST_COUNT, MOST_TOKENS = 3, 4_000
"""The training tokens that a frequent form has at least, and the most frequent forms."""
BUCKETS, GRAMS = 256, (2, 3, 4)
"""The numbers that a token's character n-grams are hashed into, and their lengths."""
MOST_LEVELS = 64
SHAPES = 12


@dataclass(frozen=True)
class TokenNumbers:
    """A feature of tokens that is a number.

    Args:
        name: Its column.
        mean: Its mean over the training tokens.
        scale: Their standard deviation.
    """

    name: str
    mean: float
    scale: float

    @property
    def width(self) -> int:
        """Return the numbers of a token: the standardised value, and whether it is missing."""
        return 2

    @classmethod
    def fit(cls, name: str, values: NDArray[np.float64]) -> Self | None:
        """Return the encoding of training tokens; None if all values are the same."""
        finite = values[np.isfinite(values)]
        if not len(finite) or (finite.min() == finite.max() and len(finite) == len(values)):
            return None
        return cls(name, float(finite.mean()), float(finite.std()) or 1.0)

    def encode(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return the numbers of tokens, (T, 2); text that is not a number is missing."""
        numbers = values if values.dtype == np.float64 else _as_numbers(values)
        known = np.isfinite(numbers)
        scaled = np.where(known, (np.where(known, numbers, 0.0) - self.mean) / self.scale, 0.0)
        return np.stack([scaled.clip(-10, 10), ~known], 1).astype(np.float32)


@dataclass(frozen=True)
class TokenLevels:
    """A feature of tokens that is a word.

    Args:
        name: Its column.
        levels: Its most frequent words in training.
    """

    name: str
    levels: tuple[str, ...]

    @property
    def width(self) -> int:
        """Return the numbers of a token, one a level."""
        return len(self.levels)

    @classmethod
    def fit(cls, name: str, values: Objects) -> Self | None:
        """Return the encoding of training tokens; None if they have a single word."""
        counts = Counter(value for value in values if value is not None)
        missing = sum(counts.values()) < len(values)
        if len(counts) + missing < 2:
            return None
        return cls(name, tuple(sorted(word for word, _ in counts.most_common(MOST_LEVELS))))

    def encode(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return the levels of tokens as numbers 0 and 1; unknown words have 0 everywhere."""
        place = {word: i for i, word in enumerate(self.levels)}
        codes = np.array(
            [place.get(word, len(place)) for word in words_of(values)], dtype=np.int64
        )
        return np.eye(len(place) + 1, len(place), dtype=np.float32)[codes]


def _as_numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    found = np.full(len(values), np.nan)
    for place, value in enumerate(values):
        try:
            found[place] = float(value)
        except (TypeError, ValueError):
            continue
    return found


@dataclass(frozen=True, eq=False)
class SequenceEncoding:
    """The fitted encoding of tokens.

    A token has a code if its form is frequent in training, and numbers whatever its form: hashed
    character n-grams (fastText, Bojanowski et al. 2017, arXiv:1607.04606), the shape of the word,
    and its features. Where all tokens are single characters, such as amino acids, the code is all.

    Args:
        tokens: The columns of the tokens and of the features in use.
        forms: The frequent forms, in lower case unless they are letters; code 0 is any other form.
        letters: Whether all training tokens were single characters.
        features: The encoding of each feature in use.
        dropped: Name and reason of each feature that is left out.
    """

    tokens: SequenceColumns
    forms: tuple[str, ...]
    letters: bool
    features: tuple[TokenNumbers | TokenLevels, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()

    @classmethod
    def fit(cls, tokens: Tokens, *, columns: SequenceColumns) -> Self:
        """Fit to training sequences.

        Args:
            tokens: The sequences.
            columns: Their columns.
        """
        letters = all(len(word) <= 1 for word in tokens.words)
        counts = Counter(word if letters else _form(word) for word in tokens.words)
        frequent = sorted(
            (form for form, count in counts.items() if count >= LEAST_COUNT),
            key=lambda form: (-counts[form], form),
        )
        found, dropped = [], []
        for name, values in tokens.features.items():
            one: TokenNumbers | TokenLevels | None
            if values.dtype == np.float64:
                one = TokenNumbers.fit(name, values)
            else:
                one = TokenLevels.fit(name, values)
            if one is None:
                dropped.append((name, "the same value everywhere"))
            else:
                found.append(one)
        own = SequenceColumns(columns.tokens, tuple(one.name for one in found))
        return cls(own, tuple(frequent[:MOST_TOKENS]), letters, tuple(found), tuple(dropped))

    @property
    def schema(self) -> SequenceSchema:
        """Return the schema of the result of `transform`."""
        own = 0 if self.letters else BUCKETS + SHAPES
        return SequenceSchema(
            n_codes=len(self.forms) + 1,
            width=own + sum(feature.width for feature in self.features),
        )

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Return the name and kind of every column, with the reason if it is left out."""
        what = "letters" if self.letters else "tokens"
        of_features = [
            (one.name, "number" if isinstance(one, TokenNumbers) else "category")
            for one in self.features
        ]
        left = [(name, f"left out: {reason}") for name, reason in self.dropped]
        return ((self.tokens.tokens, what), *of_features, *left)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the reason for each column's kind, in the order of `kinds`."""
        of_features = [
            "all values are numbers" if isinstance(one, TokenNumbers) else "a word for each token"
            for one in self.features
        ]
        return (f"{len(self.forms):,} frequent forms", *of_features, *("" for _ in self.dropped))

    @cached_property
    def _codes(self) -> Mapping[str, int]:
        return {form: code for code, form in enumerate(self.forms, start=1)}

    def transform(self, frame: pd.DataFrame, *, label: str = "DATA") -> SequenceInputs:
        """Encode the sequences of a table.

        Raises:
            InputError: A column is missing, or its cells are not lists of one length.
        """
        known = set(map(str, frame.columns))
        _check_known([self.tokens.tokens, *self.tokens.features], known, label=label)
        return self.encode(self.tokens.read(Table(frame, label)), label=label)

    def encode(self, tokens: Tokens, *, label: str = "DATA") -> SequenceInputs:
        """Encode sequences.

        Args:
            tokens: Sequences with at least the features in use.
            label: Name of the table in messages.

        Raises:
            InputError: A feature is missing.
        """
        _check_known([one.name for one in self.features], tokens.features, label=label)
        unique, kinds = _unique(tokens.words)
        codes = [self._codes.get(word if self.letters else _form(word), 0) for word in unique]
        own = [one.encode(tokens.features[one.name]) for one in self.features]
        none = np.zeros((len(tokens.words), 0), dtype=np.float32)
        numbers = np.concatenate([none, *own], 1)
        return SequenceInputs(
            codes=torch.tensor(codes, dtype=torch.int64)[kinds],
            kinds=kinds,
            of_kind=self._of_kinds(unique),
            numbers=torch.from_numpy(numbers),
            lengths=torch.from_numpy(tokens.lengths.astype(np.int64)),
        )

    def _of_kinds(self, words: Sequence[str]) -> Tensor:
        """Return the n-grams and shape of each word, (kinds, D)."""
        if self.letters:
            return torch.zeros(len(words), 0)
        found = np.zeros((len(words), BUCKETS + SHAPES), dtype=np.float32)
        for row, word in enumerate(words):
            found[row, :BUCKETS] = _grams(word)
            found[row, BUCKETS:] = _shape(word)
        return torch.from_numpy(found)

    @property
    def example(self) -> dict[str, Any]:
        """Return made-up sequences in the form of MLflow's scoring server: frequent forms."""
        forms = list(self.forms[:4]) or ["word"]
        sequences = [forms, forms[:2]]
        cells: dict[str, list[Any]] = {
            self.tokens.tokens: ["".join(one) if self.letters else one for one in sequences]
        }
        for one in self.features:
            usual = one.mean if isinstance(one, TokenNumbers) else one.levels[0]
            cells[one.name] = [[usual] * len(own) for own in sequences]
        rows = [list(row) for row in zip(*cells.values(), strict=True)]
        return {"dataframe_split": {"columns": list(cells), "data": rows}}

    def to_state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the encoding as JSON values, and no tensors, for `from_state`."""
        state = {
            "version": _VERSION,
            "tokens": self.tokens.tokens,
            "forms": list(self.forms),
            "letters": self.letters,
            "features": [{"type": type(one).__name__, **vars(one)} for one in self.features],
            "dropped": [list(pair) for pair in self.dropped],
        }
        return state, {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """Return the encoding from its stored state, which has no tensors.

        Raises:
            InputError: This version cannot read the state.
        """
        check_version(state, _VERSION)
        features: list[TokenNumbers | TokenLevels] = []
        for one in state["features"]:
            if one["type"] == "TokenNumbers":
                features.append(TokenNumbers(one["name"], one["mean"], one["scale"]))
            else:
                features.append(TokenLevels(one["name"], tuple(one["levels"])))
        dropped = tuple((name, reason) for name, reason in state["dropped"])
        columns = SequenceColumns(state["tokens"], tuple(one.name for one in features))
        return cls(
            columns, tuple(state["forms"]), bool(state["letters"]), tuple(features), dropped
        )

    def check(self) -> None:
        """Check the types of a loaded encoding.

        Raises:
            ValueError: A value is wrong.
        """
        names = [self.tokens.tokens, *self.tokens.features, *self.forms]
        if not all(isinstance(name, str) for name in names):
            raise ValueError("forms cannot be")


def _check_known(needed: Iterable[str], known: Collection[str], *, label: str) -> None:
    """Check that a table has the columns of a model."""
    if missing := [name for name in needed if name not in known]:
        raise InputError(
            f"{label} must have the columns that the model was trained on, but lacks"
            f" {listed(missing)}; add {'it' if len(missing) == 1 else 'them'}."
        )


def _unique(words: Objects) -> tuple[list[str], Tensor]:
    """Return the different words and the number of each token's word among them."""
    place: dict[str, int] = {}
    kinds = [place.setdefault(word, len(place)) for word in words]
    return list(place), torch.tensor(kinds, dtype=torch.int64)


def _form(word: str) -> str:
    """Return a word in lower case, its digits as 0."""
    lower = word.lower()
    return "".join("0" if c.isdigit() else c for c in lower) if _has_digit(lower) else lower


def _has_digit(word: str) -> bool:
    return any(c.isdigit() for c in word)


def _grams(word: str) -> NDArray[np.float32]:
    """Return the signed counts of the n-grams of a word in their buckets, of length 1."""
    marked = f"<{_form(word)}>"
    found = np.zeros(BUCKETS, dtype=np.float32)
    for n in GRAMS:
        for start in range(max(len(marked) - n + 1, 0)):
            # The hash of Python's strings differs from process to process.
            drawn = zlib.crc32(marked[start : start + n].encode())
            found[drawn % BUCKETS] += 1.0 if drawn & 0x8000_0000 else -1.0
    norm = float(np.linalg.norm(found))
    return found / np.float32(norm) if norm else found


def _shape(word: str) -> NDArray[np.float32]:
    """Return the shape of a word as numbers."""
    letters = sum(c.isalpha() for c in word)
    upper = sum(c.isupper() for c in word)
    digits = sum(c.isdigit() for c in word)
    size = max(len(word), 1)
    flags = (
        word[:1].isupper(),
        upper == letters > 1,
        letters > 0 and upper == 0,
        upper > 0 and not word[:1].isupper(),
        digits == len(word) > 0,
        digits > 0 and letters > 0,
        letters == digits == 0,
        len(word) == 1,
        "-" in word[1:-1],
        word[:1] in "@#" and len(word) > 1,
    )
    return np.array([*flags, upper / size, min(len(word), 20) / 10.0], dtype=np.float32)
