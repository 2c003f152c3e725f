"""Detection of row numbers in another order than the rows, which is a leak.

A table that was sorted by class, numbered and then shuffled gives its classes away by the numbers.
The training rows of a fold have some of them alone, so that all rows must be looked at.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from autoloss.data.kinds import is_named_like_id

_FEW = 20
# Floats tell whole numbers up to here apart.
_EXACT = 2.0**53
# Different whole numbers that fill so much of their range were not measured one by one.
_DENSE = 0.5
_UNNAMED = re.compile(r"column \d+|Unnamed: \d+(?:_level_\d+)?(?:\.\d+)*|index|level_\d+|rownames")
_SHUFFLED = "numbers the rows, though not in their order: likely a leak"
_INDEX = "an index without a name: likely a leak"
ROW_REASONS = frozenset({_SHUFFLED, _INDEX})


def row_number_reason(name: str, series: pd.Series) -> str:
    """Return the reason to call a column row numbers, or an empty string.

    Args:
        name: Its name; `unique_names` made up the names of columns without a name.
        series: All of its rows.
    """
    types = pd.api.types
    if not types.is_numeric_dtype(series.dtype) or types.is_bool_dtype(series.dtype):
        return ""
    if types.is_complex_dtype(series.dtype) or len(series) < _FEW or series.isna().any():
        return ""
    numbers = series.to_numpy(dtype=np.float64)
    low, high = numbers.min(), numbers.max()
    if not np.isfinite([low, high]).all() or max(abs(low), abs(high)) > _EXACT:
        return ""
    is_dense = (len(numbers) - 1) >= _DENSE * (high - low)
    is_unnamed = _UNNAMED.fullmatch(name) is not None
    if not is_dense and not is_unnamed:
        return ""
    # Last, because it is slow: by far most columns have an end here.
    if np.any(numbers % 1.0) or len(np.unique(numbers)) < len(numbers):
        return ""
    steps = np.diff(numbers)
    if is_named_like_id(name) or np.all(steps > 0) or np.all(steps < 0):
        # The training rows alone tell as much.
        return ""
    return _SHUFFLED if is_dense else _INDEX
