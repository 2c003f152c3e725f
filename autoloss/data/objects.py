"""Columns of Python objects, as workbooks and JSON have them, in the type that loses nothing."""

from __future__ import annotations

import pandas as pd

from autoloss.data.values import label_of


def typed_objects(series: pd.Series) -> pd.Series:
    """Return a column of objects as integers, floats, booleans, moments or text.

    Cells of several types become text; lists and the like stay what they are.

    Args:
        series: A column of objects, None or NaN where missing.
    """
    types = pd.api.types
    kind = types.infer_dtype(series, skipna=True)
    has_gaps = bool(series.isna().any())
    if kind == "empty":
        return series.astype("float64")
    if kind == "integer":
        if all(abs(one) < 1 << 63 for one in series.dropna()):
            # As floats, large integers beside a gap would lose digits.
            return series.astype("Int64" if has_gaps else "int64")
        return series
    if kind in ("floating", "mixed-integer-float"):
        return series.astype("float64")
    if kind == "boolean":
        return series.astype("boolean" if has_gaps else "bool")
    if kind in ("datetime", "datetime64", "date"):
        return pd.to_datetime(series, errors="coerce")
    present = series.dropna()
    if not present.map(types.is_scalar).all() and kind != "time":
        return series
    return series.map(label_of, na_action="ignore").astype("str")
