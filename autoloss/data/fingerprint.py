"""Hashes of rows, to recognise data, find repeated rows, and prove that rows stayed locked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.core.util.hashing import combine_hash_arrays  # type: ignore[attr-defined]

from autoloss.core.own_code import digest_of
from autoloss.data.values import spelled


def row_hashes(frame: pd.DataFrame) -> NDArray[np.uint64]:
    """Return a hash of every row, the same on every machine and in every run.

    Args:
        frame: A table with unique column names.

    Shape:
        result (N,).
    """
    # Columns are hashed in turn: a copy of a large table may not fit the memory.
    hashes = (_hashes(spelled(frame[name])) for name in frame.columns)
    return np.asarray(combine_hash_arrays(hashes, frame.shape[1]), dtype=np.uint64)


def _hashes(column: pd.Series) -> NDArray[np.uint64]:
    plain: Any = (column.map(str) if column.dtype == object else column)._values
    return np.asarray(pd.util.hash_array(plain), dtype=np.uint64)


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


def source_digest(source: object) -> str:
    """Return the sha256 of a file, of the files of a folder, or of a DataFrame; empty for others.

    Args:
        source: A path, a DataFrame of pandas, or something else that a program holds.
    """
    if isinstance(source, pd.DataFrame):
        return fingerprint([(source, row_hashes(source))])
    if not isinstance(source, str | Path) or not (path := Path(source)).exists():
        return ""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.relative_to(path).as_posix().encode() + b"\0")
            digest.update(digest_of(file).encode())
    return digest.hexdigest()


def rows_digest(rows: NDArray[np.int64], hashes: NDArray[np.uint64]) -> str:
    """Return the sha256 of chosen rows: their numbers and contents.

    Args:
        rows: Row numbers.
        hashes: Hashes of these rows.

    Shape:
        rows and hashes (N,).
    """
    digest = hashlib.sha256(rows.astype("<i8").tobytes())
    digest.update(hashes.astype("<u8").tobytes())
    return digest.hexdigest()
