"""The values of a column of any type: numbers, moments, labels or text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Form = Literal["nothing", "number", "date", "label", "text", "unusable"]

# Text that says that a value is missing. "None" is not among it: it is a class or a level of its
# own as often as not.
MISSING = (
    "",
    "?",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "NaN",
    "nan",
    "-nan",
    "NULL",
    "null",
    "<NA>",
    "NaT",
)


@dataclass(frozen=True)
class Values:
    """A column converted to one of a few types.

    Args:
        form: ``"number"`` (float64, NaN if missing or infinite), ``"date"`` (datetime64[s],
            UTC), ``"label"`` (text of booleans and of categories declared as such), ``"text"``
            (stripped, missing if it is in `MISSING`), ``"nothing"`` (all missing) or
            ``"unusable"``.
        data: The values.
        n_infinite: How many numbers were infinite.
        source: The numbers as they came, which float64 may not hold exactly; None if it does.
    """

    form: Form
    data: pd.Series
    n_infinite: int = 0
    source: pd.Series | None = None

    @property
    def text(self) -> pd.Series:
        """Return the values as text, the numbers as `label_of` writes them."""
        if self.form in ("label", "text"):
            return self.data
        if self.form == "number":
            exact = self.data if self.source is None else self.source
            return relabel(exact, self.data.index).mask(self.data.isna())
        return self.data.astype("string")


def values_of(series: pd.Series) -> Values:
    """Convert a column to one of a few types.

    Args:
        series: A column of any type.
    """
    # By far the most frequent type, and every column is looked at once for each part.
    found = _numbers(series) if series.dtype == np.float64 else _by_type(series)
    return Values("nothing", found.data) if not found.data.notna().any() else found


def _by_type(series: pd.Series) -> Values:
    """Choose by the type of a column."""
    types = pd.api.types
    series = spelled(series)
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        labels = pd.array([label_of(item).strip() for item in dtype.categories], dtype="string")
        taken = labels.take(series.cat.codes.to_numpy(copy=True), allow_fill=True)
        return Values("label", _without_marks(pd.Series(taken, index=series.index)))
    if types.is_bool_dtype(dtype):
        return Values("label", series.astype("boolean").astype("string"))
    if types.is_complex_dtype(dtype):
        return Values("unusable", series)
    if types.is_numeric_dtype(dtype):
        return _numbers(series)
    if types.is_datetime64_any_dtype(dtype):
        return Values("date", moments(series))
    if types.is_timedelta64_dtype(dtype):
        return _numbers(series.dt.total_seconds())
    if isinstance(dtype, pd.PeriodDtype):
        return Values("date", moments(series.dt.to_timestamp()))
    if isinstance(dtype, pd.StringDtype):
        return Values("text", strip(series))
    if pd.api.types.is_object_dtype(dtype):
        return _objects(series)
    return Values("text", strip(series.astype("string")))


def spelled(series: pd.Series) -> pd.Series:
    """Return a column of text as plain text; a dictionary column keeps each text once."""
    dtype = series.dtype
    if not isinstance(dtype, pd.ArrowDtype):
        return series
    if not str(dtype.pyarrow_dtype).startswith("dictionary<"):
        return series
    cells = series.array.__arrow_array__().cast("large_string")  # type: ignore[attr-defined,unused-ignore]
    text: pd.Series = cells.to_pandas().astype("str").set_axis(series.index)
    return text


def _objects(series: pd.Series) -> Values:
    """Choose by the types in a column of Python objects."""
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind == "string":
        return Values("text", strip(series))
    if kind == "boolean":
        return Values("label", series.astype("boolean").astype("string"))
    if kind in ("integer", "floating", "mixed-integer-float", "decimal"):
        return replace(_numbers(series.map(_float, na_action="ignore")), source=series)
    if kind in ("date", "datetime", "datetime64"):
        return Values("date", moments(pd.to_datetime(series, errors="coerce", utc=True)))
    if kind in ("mixed", "mixed-integer", "time", "interval", "period"):
        present = series[series.notna()]
        scalar = present.map(lambda item: np.isscalar(item) or not hasattr(item, "__iter__"))
        if bool(scalar.all()) and not present.map(lambda item: isinstance(item, bytes)).any():
            return Values("text", strip(series.map(label_of, na_action="ignore")))
    return Values("nothing" if kind == "empty" else "unusable", series)


def _float(value: Any) -> float:
    """Return a number as a float, infinite if it is too large."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _numbers(series: pd.Series) -> Values:
    """Return numbers as float64, with infinities counted and made missing."""
    if series.dtype == np.float64 and not np.isinf(series.to_numpy()).any():
        return Values("number", series)
    numbers = series.astype("float64").to_numpy(dtype="float64", na_value=np.nan, copy=True)
    infinite = np.isinf(numbers)
    numbers[infinite] = np.nan
    found = pd.Series(numbers, index=series.index)
    return Values("number", found, int(infinite.sum()), series)


def moments(series: pd.Series) -> pd.Series:
    """Return moments as datetime64[s] in UTC, without their zone."""
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    return series.astype("datetime64[s]")


def seconds(when: pd.Series) -> NDArray[np.float64]:
    """Return moments as seconds since 1970, NaN if missing."""
    moment = when.to_numpy().astype("datetime64[s]")
    numbers = moment.astype(np.int64).astype(np.float64)
    numbers[np.isnat(moment)] = np.nan
    return np.asarray(numbers, dtype=np.float64)


def strip(series: pd.Series) -> pd.Series:
    """Strip text and turn marks of missing cells into missing cells."""
    return _without_marks(series.astype("string").str.strip())


def _without_marks(series: pd.Series) -> pd.Series:
    """Turn marks of missing cells into missing cells."""
    return series.mask(series.isin(list(MISSING)).fillna(False))


def label_of(value: Any) -> str:
    """Return the text of a label of any type.

    Examples:
        >>> label_of(3.0), label_of(3), label_of(True), label_of("a"), label_of(np.float32(0.1))
        ('3', '3', 'True', 'a', '0.1')
    """
    if isinstance(value, float | np.floating | Decimal):
        # Single precision has fewer digits: 0.1 is not 0.10000000149.
        number = float(value if isinstance(value, float | Decimal) else str(value))
        return str(int(number)) if number.is_integer() else repr(number)
    return str(value)


def relabel(numbers: pd.Series, index: pd.Index) -> pd.Series:
    """Return numbers as labels; whole numbers have no point."""
    codes, unique = pd.factorize(numbers.array)
    labels = pd.array([label_of(item) for item in unique], dtype="string")
    return pd.Series(labels.take(codes, allow_fill=True), index=index)
