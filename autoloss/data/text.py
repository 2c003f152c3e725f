"""Free text: hashed words and characters, weighted by rarity, reduced to a short vector."""

from __future__ import annotations

from collections.abc import Iterator
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

_BUCKETS = 2**16
_MOST_FEATURES = 16_384
_FIT_ROWS = 50_000
_CHUNK = 20_000
# A longer part of a document costs time and changes its vector little.
_LONGEST = 4_000


@dataclass(frozen=True)
class TextColumn:
    """A column of free text.

    Args:
        name: Its name.
        length: Scaling of the logarithm of the length, which the vectors do not show.
        kept: Buckets of the hashed words and characters that are used.
        idf: Weight of each bucket.
        components: Map from the weighted buckets to the vector, scaled so that the mean square
            over the training rows is 1.
        marks: Marks of missing cells that the user names.

    Shape:
        kept (H,); idf (H,); components (H, D).
    """

    name: str
    length: Scale
    kept: Tensor
    idf: Tensor
    components: Tensor
    marks: tuple[str, ...] = ()
    kind = "text"

    @classmethod
    def fit(cls, name: str, text: pd.Series, *, width: int, seed: int = 0) -> TextColumn | None:
        """Fit to the training rows; None if no word occurs twice."""
        from scipy import sparse
        from sklearn.utils.extmath import randomized_svd

        lengths = Scale.fit(_log_lengths(text))
        documents = text.dropna()
        if len(documents) > _FIT_ROWS:
            documents = documents.sample(_FIT_ROWS, random_state=seed)
        hashed = sparse.vstack(list(_hashed(documents)), format="csc")
        frequency = np.diff(hashed.indptr)
        usable = np.flatnonzero(frequency >= 2)
        # A short vector can represent only the most frequent buckets.
        order = np.argsort(-frequency[usable], kind="stable")[:_MOST_FEATURES]
        kept = np.sort(usable[order])
        width = min(width, len(kept) - 1, hashed.shape[0] - 1)
        if width < 1:
            return None
        idf = np.log((1.0 + len(documents)) / (1.0 + frequency[kept])) + 1.0
        weighted = _weighted(hashed.tocsr(), kept, idf)
        _, _, right = randomized_svd(weighted, n_components=width, n_iter=4, random_state=seed)
        components = np.ascontiguousarray(right.T)
        size = float(np.sqrt(np.mean((weighted @ components) ** 2)))
        components = components / max(size, 1e-12)
        return cls(
            name,
            lengths,
            torch.tensor(kept, dtype=torch.int64),
            torch.tensor(idf, dtype=torch.float32),
            torch.tensor(components, dtype=torch.float32),
        )

    @property
    def width(self) -> int:
        """Return the width D of the vector."""
        return self.components.shape[1]

    @property
    def in_range(self) -> bool:
        """Return whether the kept buckets are buckets."""
        return bool(((self.kept >= 0) & (self.kept < 2 * _BUCKETS)).all())

    def encode(self, series: pd.Series) -> Block:
        """Return the vectors of a column, zero if missing, and the length of each text."""
        text = values_of(without_marks(series, self.marks)).text
        components, kept, idf = self.components.numpy(), self.kept.numpy(), self.idf.numpy()
        chunks = [_weighted(part, kept, idf) @ components for part in _hashed(text.fillna(""))]
        vectors = np.concatenate(chunks) if chunks else np.zeros((0, self.width))
        length = self.length(_log_lengths(text))[:, None]
        return Block(len(series), numeric=length, vectors=np.asarray(vectors, np.float32))

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values, but for its tensors."""
        return {
            "name": self.name,
            "center": self.length.center,
            "spread": self.length.spread,
            "marks": list(self.marks),
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the state."""
        return {"kept": self.kept, "idf": self.idf, "components": self.components}

    @classmethod
    def from_dict(cls, state: dict[str, Any], tensors: dict[str, Tensor]) -> TextColumn:
        """Return the column from its stored state."""
        length = Scale(state["center"], state["spread"])
        return cls(state["name"], length, **tensors, marks=tuple(state.get("marks", ())))


def _log_lengths(text: pd.Series) -> NDArray[np.float64]:
    """Return the logarithm of 1 + the number of characters, NaN if missing."""
    return np.log1p(text.str.len().to_numpy(dtype="float64", na_value=np.nan))


def _hashed(text: pd.Series) -> Iterator[Any]:
    """Yield sparse counts of hashed words (one, two) and characters (three to five)."""
    from scipy import sparse
    from sklearn.feature_extraction.text import HashingVectorizer

    shared = {"n_features": _BUCKETS, "alternate_sign": False, "norm": None, "dtype": np.float32}
    words = HashingVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", **shared)
    characters = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), **shared)
    for start in range(0, len(text), _CHUNK):
        documents = [str(item)[:_LONGEST] for item in text.iloc[start : start + _CHUNK]]
        parts = (words.transform(documents), characters.transform(documents))
        yield sparse.hstack(parts, format="csr")


def _weighted(counts: Any, kept: NDArray[np.int64], idf: NDArray[Any]) -> Any:
    """Return sublinear counts times idf over the kept buckets, words and characters normalised."""
    from scipy import sparse
    from sklearn.preprocessing import normalize

    chosen = counts[:, kept].astype(np.float32)
    chosen.data = (1.0 + np.log(chosen.data)).astype(np.float32)
    weighted = chosen.multiply(idf.astype(np.float32)[None, :]).tocsr()
    border = int(np.searchsorted(kept, _BUCKETS))
    # Each document has far more characters than words, which would drown them.
    halves = (weighted[:, :border], weighted[:, border:])
    return sparse.hstack([normalize(half) for half in halves if half.shape[1]], format="csr")
