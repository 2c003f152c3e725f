"""What one column, or a whole table, is as arrays before it becomes tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Block:
    """Encoded rows; a part that is None has no columns.

    Args:
        n_rows: Rows N.
        numeric: Standardised numbers, NaN where missing.
        codes: Codes of categories, 0 where the level is unseen or rare.
        vectors: Vectors of free text.

    Shape:
        numeric (N, F); codes (N, Q); vectors (N, D).
    """

    n_rows: int
    numeric: NDArray[np.float32] | None = None
    codes: NDArray[np.int64] | None = None
    vectors: NDArray[np.float32] | None = None

    @classmethod
    def join(cls, blocks: Sequence[Block], *, n_rows: int) -> Block:
        """Put the columns of `blocks` side by side."""
        numeric = [block.numeric for block in blocks if block.numeric is not None]
        codes = [block.codes for block in blocks if block.codes is not None]
        vectors = [block.vectors for block in blocks if block.vectors is not None]
        return cls(
            n_rows,
            np.concatenate(numeric, axis=1) if numeric else np.zeros((n_rows, 0), np.float32),
            np.concatenate(codes, axis=1) if codes else np.zeros((n_rows, 0), np.int64),
            np.concatenate(vectors, axis=1) if vectors else np.zeros((n_rows, 0), np.float32),
        )
