"""Hashes of rows: to know data again, to see rows twice, to show that rows stayed locked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def row_hashes(frame: pd.DataFrame) -> NDArray[np.uint64]:
    """Return a hash of every row, the same on every machine and in every run.

    Args:
        frame: A table with unique column names.

    Shape:
        result (N,).
    """
    plain = {
        str(name): column.map(str) if (column := frame[name]).dtype == object else column
        for name in frame.columns
    }
    hashes = pd.util.hash_pandas_object(
        # Large tables are not copied.
        pd.DataFrame(plain, index=frame.index, copy=False),
        index=False,
    )
    return np.asarray(hashes.to_numpy(), dtype=np.uint64)


def fingerprint(tables: Iterable[tuple[pd.DataFrame, NDArray[np.uint64]]]) -> str:
    """Return the sha256 of tables: their column names and the hashes of their rows, in order.

    Args:
        tables: Each table with its `row_hashes`.
    """
    digest = hashlib.sha256()
    for frame, hashes in tables:
        digest.update("\x1f".join(str(name) for name in frame.columns).encode())
        digest.update(str(len(frame)).encode())
        digest.update(hashes.astype("<u8").tobytes())
    return digest.hexdigest()


def rows_digest(rows: NDArray[np.int64], hashes: NDArray[np.uint64]) -> str:
    """Return the sha256 of chosen rows: their numbers and what stands in them.

    Args:
        rows: Row numbers.
        hashes: Hashes of those rows.

    Shape:
        rows and hashes (N,).
    """
    digest = hashlib.sha256(rows.astype("<i8").tobytes())
    digest.update(hashes.astype("<u8").tobytes())
    return digest.hexdigest()
