"""Arrays of an encoded column or table, before they become tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Block:
    """Encoded rows as arrays; an array is None if it has no columns.

    Args:
        n_rows: Rows N.
        numeric: Standardised numbers, NaN if missing.
        codes: Codes of categories, 0 for an unseen or rare level.
        terms: Terms of free text, int32, each column's own from 0; pads are 0.
        shares: The weights of these terms; 0 for a pad.
        unusable: Name of each column with unusable cells (a word among numbers, a level unseen in
            training), with a mask of these cells.

    Shape:
        numeric (N, F); codes (N, Q); terms, shares (N, M); each of unusable (N,).
    """

    n_rows: int
    numeric: NDArray[np.float32] | None = None
    codes: NDArray[np.int64] | None = None
    terms: NDArray[np.int32] | None = None
    shares: NDArray[np.float32] | None = None
    unusable: tuple[tuple[str, NDArray[np.bool_]], ...] = ()

    @classmethod
    def join(cls, blocks: Sequence[Block], *, n_rows: int) -> Block:
        """Put the columns of `blocks` side by side."""
        numeric = [block.numeric for block in blocks if block.numeric is not None]
        codes = [block.codes for block in blocks if block.codes is not None]
        terms = [block.terms for block in blocks if block.terms is not None]
        shares = [block.shares for block in blocks if block.shares is not None]
        return cls(
            n_rows,
            np.concatenate(numeric, axis=1) if numeric else np.zeros((n_rows, 0), np.float32),
            np.concatenate(codes, axis=1) if codes else np.zeros((n_rows, 0), np.int64),
            np.concatenate(terms, axis=1) if terms else np.zeros((n_rows, 0), np.int32),
            np.concatenate(shares, axis=1) if shares else np.zeros((n_rows, 0), np.float32),
            tuple(one for block in blocks for one in block.unusable),
        )


def cells_of(name: str, which: NDArray[np.bool_]) -> tuple[tuple[str, NDArray[np.bool_]], ...]:
    """Return `Block.unusable` of a column: nothing if all of its cells are usable."""
    return ((name, which),) if which.any() else ()
