"""Free text: words and parts of words of each document, weighted by rarity (TF-IDF)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.data.blocks import Block
from autoloss.data.marks import without_marks
from autoloss.data.numbers import Scale
from autoloss.data.values import values_of

# Many more than the terms of a column, so that few terms share a bucket.
_BUCKETS = 2**20
_CHUNK = 20_000
# Documents that choose the terms, whose counts are kept meanwhile: some 100 MB of short documents.
_FIT_ROWS = 50_000
# A longer part of a document costs time and changes its weights little.
_LONGEST = 4_000
_MOST_PLACES = 512
# Training rows from which on columns have the most terms, and the terms that any number may have.
_ROWS_OF_MOST, _FEWEST = 4_096, 1_000
# Counts that are remembered, some 32 MB, and the most terms for a character of a document.
_REMEMBERED, _MOST_OF_A_CHARACTER = 1 << 22, 4


@dataclass(frozen=True)
class TermLimits:
    """The most terms of all columns of free text together, which few rows do not reach.

    Args:
        beside: Beside other columns.
        alone: Where free text is the only input.
    """

    beside: int = 8_192
    alone: int = 32_768

    def of(self, n_rows: int, *, is_alone: bool) -> int:
        """Return the most terms for some training rows.

        Examples:
            >>> limits = TermLimits(beside=8_192, alone=32_768)
            >>> limits.of(3_000, is_alone=False), limits.of(3_000, is_alone=True)
            (6000, 24000)
        """
        most = self.alone if is_alone else self.beside
        return min(most, max(_FEWEST, n_rows * most // _ROWS_OF_MOST))


@dataclass(frozen=True)
class TextColumn:
    """A column of free text.

    A term is a word, two words at a distance, the first word, the last word, or three to five
    characters of a word. A document is the weights of its terms: ``(1 + ln count) * idf``, the
    weights of words and of characters each divided by their Euclidean norm. Terms are hashed, so
    that no word of the data is stored.

    Args:
        name: Its name.
        length: Scaling of the logarithm of the length, which the weights do not show.
        kept: Buckets of the hashed terms that are used, in order.
        idf: Weight of each bucket, the logarithm of its rarity.
        places: The most terms of a document; a longer document keeps the largest weights.
        marks: Marks of missing cells that the user names.
        reach: The farthest distance of two words that are a term together; 1 for neighbours.
        ends: Whether the first and the last word are terms; not in models of earlier versions.

    Shape:
        kept (V,); idf (V,).
    """

    name: str
    length: Scale
    kept: Tensor
    idf: Tensor
    places: int
    marks: tuple[str, ...] = ()
    reach: int = 1
    ends: bool = True
    kind = "text"

    @classmethod
    def fit(cls, name: str, text: pd.Series, *, terms: int, reach: int = 1) -> TextColumn | None:
        """Fit to the training rows; None if no term is in two documents.

        Args:
            name: Its name.
            text: The training rows; of more than 50 000, a sample chooses the terms.
            terms: V at most: the most frequent words, and as many of the most frequent parts.
            reach: The farthest distance of two words that are a term together.
        """
        documents = text.dropna()
        if len(documents) > _FIT_ROWS:
            documents = documents.sample(_FIT_ROWS, random_state=0)
        hashed = list(_hashed(documents, reach, ends=True, counts=_MEMORY))
        frequency = np.zeros(2 * _BUCKETS, dtype=np.int64)
        for counts in hashed:
            frequency += np.bincount(counts.indices, minlength=2 * _BUCKETS)
        kept = _most_frequent(frequency, terms)
        if not len(kept):
            return None
        idf = np.log((1.0 + len(documents)) / (1.0 + frequency[kept])) + 1.0
        idf = idf.astype(np.float32)
        longest = max(int(np.diff(_weighted(part, kept, idf).indptr).max()) for part in hashed)
        return cls(
            name,
            Scale.fit(_log_lengths(text)),
            torch.from_numpy(kept),
            torch.from_numpy(idf),
            min(longest, _MOST_PLACES),
            reach=reach,
        )

    @property
    def n_terms(self) -> int:
        """Return V, the number of terms."""
        return len(self.kept)

    @property
    def in_range(self) -> bool:
        """Return whether the kept buckets are buckets in their order."""
        is_bucket = bool(((self.kept >= 0) & (self.kept < 2 * _BUCKETS)).all())
        return is_bucket and bool((self.kept.diff() > 0).all())

    def encode(self, series: pd.Series) -> Block:
        """Return the terms of each text with their weights, and its length."""
        text = values_of(without_marks(series, self.marks)).text
        kept, idf = self.kept.numpy(), self.idf.numpy()
        terms, shares = _terms_of(
            text, kept, idf, self.places, self.reach, ends=self.ends, counts=_MEMORY
        )
        return Block(len(series), numeric=self._lengths(text), terms=terms, shares=shares)

    def numbers(self, series: pd.Series) -> NDArray[np.float32]:
        """Return the length of each text alone, ``(N, 1)``."""
        return self._lengths(values_of(without_marks(series, self.marks)).text)

    def _lengths(self, text: pd.Series) -> NDArray[np.float32]:
        """Return the scaled length of each text, ``(N, 1)``."""
        return self.length(_log_lengths(text))[:, None]

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values, but for its tensors."""
        return {
            "name": self.name,
            "center": self.length.center,
            "spread": self.length.spread,
            "places": self.places,
            "marks": list(self.marks),
            "reach": self.reach,
            "ends": self.ends,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the state."""
        return {"kept": self.kept, "idf": self.idf}

    @classmethod
    def from_dict(cls, state: dict[str, Any], tensors: dict[str, Tensor]) -> TextColumn:
        """Return the column from its stored state."""
        length = Scale(state["center"], state["spread"])
        return cls(
            state["name"],
            length,
            **tensors,
            places=state["places"],
            marks=tuple(state.get("marks", ())),
            reach=state.get("reach", 1),
            ends=state.get("ends", False),
        )


def _most_frequent(frequency: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the buckets of the terms to use, in order: half words, half parts of words.

    Args:
        frequency: The documents of each bucket; words come first.
        most: The most terms; a half that has fewer leaves its places to the other.
    """
    found = []
    for first in (0, _BUCKETS):
        own = frequency[first : first + _BUCKETS]
        usable = np.flatnonzero(own >= 2)
        found.append(first + usable[np.argsort(-own[usable], kind="stable")])
    words, parts = found
    n_words = max(most - most // 2, most - len(parts))
    n_parts = most - min(n_words, len(words))
    return np.sort(np.concatenate([words[:n_words], parts[:n_parts]]))


def _log_lengths(text: pd.Series) -> NDArray[np.float64]:
    """Return the logarithm of 1 + the number of characters, NaN if missing."""
    return np.log1p(text.str.len().to_numpy(dtype="float64", na_value=np.nan))


def _words(document: str, reach: int, *, ends: bool) -> list[str]:
    """Return the words of a document, pairs of them, and its first and its last word."""
    import re

    words = re.findall(r"(?u)\b\w+\b", document.lower())
    # No word has a sign, so that a sign marks an end.
    line = ["<", *words, ">"] if ends and words else words
    found = list(words)
    for far in range(1, reach + 1):
        # As many spaces as the words are apart.
        found += map((" " * far).join, zip(line, line[far:], strict=False))
    return found


def _counts(documents: list[str], reach: int, ends: bool) -> Any:
    """Return sparse counts of hashed words, pairs of them, and characters (three to five)."""
    from functools import partial

    from scipy import sparse
    from sklearn.feature_extraction.text import HashingVectorizer

    shared = {"n_features": _BUCKETS, "alternate_sign": False, "norm": None, "dtype": np.float32}
    words = HashingVectorizer(analyzer=partial(_words, reach=reach, ends=ends), **shared)
    characters = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), **shared)
    parts = (words.transform(documents), characters.transform(documents))
    return sparse.hstack(parts, format="csr")


def _hashed(
    text: pd.Series, reach: int, *, ends: bool, counts: Callable[..., Any] = _counts
) -> Iterator[Any]:
    """Yield the counts of the terms of some documents at a time."""
    for start in range(0, len(text), _CHUNK):
        documents = [str(item)[:_LONGEST] for item in text.iloc[start : start + _CHUNK]]
        yield counts(documents, reach, ends)


def _terms_of(
    text: pd.Series,
    kept: NDArray[np.int64],
    idf: NDArray[np.float32],
    places: int,
    reach: int,
    *,
    ends: bool,
    counts: Callable[..., Any] = _counts,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the terms of each text and their weights, ``(N, places)``; pads weigh 0."""
    terms, shares = [np.zeros((0, places), np.int32)], [np.zeros((0, places), np.float32)]
    for found in _hashed(text.fillna(""), reach, ends=ends, counts=counts):
        own = _padded(_weighted(found, kept, idf), places)
        terms.append(own[0])
        shares.append(own[1])
    return np.concatenate(terms), np.concatenate(shares)


def _weighted(counts: Any, kept: NDArray[np.int64], idf: NDArray[np.float32]) -> Any:
    """Return sublinear counts times idf over the kept buckets, words and characters normalised."""
    from scipy import sparse
    from sklearn.preprocessing import normalize

    place = np.searchsorted(kept, counts.indices).clip(max=len(kept) - 1)
    is_kept = kept[place] == counts.indices
    place = place[is_kept]
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))[is_kept]
    values = ((1.0 + np.log(counts.data[is_kept])) * idf[place]).astype(np.float32)
    weighted = sparse.csr_matrix((values, (row, place)), shape=(counts.shape[0], len(kept)))
    border = int(np.searchsorted(kept, _BUCKETS))
    # Each document has far more characters than words, which would drown them.
    halves = (weighted[:, :border], weighted[:, border:])
    return sparse.hstack([normalize(half) for half in halves if half.shape[1]], format="csr")


def _padded(weighted: Any, places: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the terms of each document and their weights, ``(N, places)``; pads weigh 0."""
    terms = np.zeros((weighted.shape[0], places), np.int32)
    shares = np.zeros((weighted.shape[0], places), np.float32)
    sizes = np.diff(weighted.indptr)
    is_long = sizes > places
    short = np.repeat(~is_long, sizes)
    row = np.repeat(np.arange(len(sizes)), sizes)[short]
    place = (np.arange(weighted.nnz) - np.repeat(weighted.indptr[:-1], sizes))[short]
    terms[row, place], shares[row, place] = weighted.indices[short], weighted.data[short]
    for number in np.flatnonzero(is_long):
        own = slice(weighted.indptr[number], weighted.indptr[number + 1])
        largest = np.sort(np.argsort(-weighted.data[own], kind="stable")[:places])
        terms[number], shares[number] = (
            weighted.indices[own][largest],
            weighted.data[own][largest],
        )
    return terms, shares


class _Memory:
    """The counts of documents that were hashed lately: divisions of few rows read them again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, bool], tuple[Any, Any]] = {}
        self._size = 0

    def __call__(self, documents: list[str], reach: int, ends: bool) -> Any:
        """Return the counts of documents; see `_counts`."""
        from scipy import sparse

        if not documents or _MOST_OF_A_CHARACTER * sum(map(len, documents)) > _REMEMBERED:
            return _counts(documents, reach, ends)
        keys = [(document, reach, ends) for document in documents]
        self._learn([key for key in dict.fromkeys(keys) if key not in self._known])
        if self._size > _REMEMBERED:
            self._known, self._size = {}, 0
            self._learn(list(dict.fromkeys(keys)))
        rows = [self._known[key] for key in keys]
        ends_of_rows = np.cumsum([0, *(len(own) for own, _ in rows)])
        indices, data = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        return sparse.csr_matrix((data, indices, ends_of_rows), shape=(len(rows), 2 * _BUCKETS))

    def _learn(self, keys: list[tuple[str, int, bool]]) -> None:
        """Hash documents of one reach."""
        if not keys:
            return
        counts = _counts([document for document, _, _ in keys], *keys[0][1:])
        bounds = counts.indptr
        for key, first, end in zip(keys, bounds, bounds[1:], strict=False):
            # A view would keep the counts of all documents.
            self._known[key] = (counts.indices[first:end].copy(), counts.data[first:end].copy())
        self._size += counts.nnz


_MEMORY = _Memory()
