"""Numeric columns: parsing of text, robust scaling, quantile edges."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.data.blocks import Block, cells_of
from autoloss.data.categories import NEARLY_ALL
from autoloss.data.cells import truths_of
from autoloss.data.marks import MARKERS, without_marks
from autoloss.data.values import values_of

Floats = NDArray[np.float64]

# The pattern of a number, and the characters to remove before parsing.
STYLES = {
    "plain": (r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", ""),
    "thousands": (
        r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d{2})+,\d{3}|\d+)(?:\.\d*)?",
        ",",
    ),
    "comma": (
        r"[+-]?(?:(?:[1-9]\d{0,2}(?:\.\d{3})+|\d+)(?:,\d*)?|,\d+)(?:[eE][+-]?\d+)?",
        ".",
    ),
}
CURRENCY = (
    r"(?:[A-Z]{0,3}\$|[€£¥₹₽₩₺₪₫₱₴฿]|(?:USD|EUR|GBP|JPY|CHF|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK"
    r"|HUF|BRL|MXN|ZAR|RUB|TRY|KRW|SGD|HKD|ILS|(?:Rs|Fr|kr)\.?)(?![A-Za-z]))"
)
# Removed around a number, in this order: other minus signs; parentheses and a trailing sign, which
# mean a negative number; currencies and percent; blanks after a sign.
AFFIXES = (
    (r"[\u2212\u2013\ufe63\uff0d]", "-"),
    (rf"^({CURRENCY}?)\s*\(\s*([^()+-]+?)\s*\)\s*([^\s\d().,]*)$", r"-\1\2\3"),
    (r"^([^+-].*?)\s*-$", r"-\1"),
    (rf"^([+-]?)\s*{CURRENCY}\s*([+-]?)\s*", r"\1\2"),
    (rf"\s*(?:[%‰]|{CURRENCY})$", ""),
    (r"^([+-])\s+", r"\1"),
)
# Separators of thousands in every style.
GROUPED = (r"[+-]?[1-9]\d{0,2}(?:[ \u00a0\u2009\u202f'\u2019]\d{3})+(?:[.,]\d*)?", r"[^\d.,+-]")
# Spellings of NaN by programs; they count as missing.
_NOT_FINITE = r"(?i)[+-]?(?:inf|infinity|nan)"


def parse_numbers(text: pd.Series, style: str) -> Floats:
    """Read text as numbers, NaN if a cell is not a number.

    Args:
        text: Stripped text.
        style: ``"plain"`` (1.5), ``"thousands"`` (1,234.5) or ``"comma"`` (1.234,5), followed by
            an optional unit of the cells: ``"plain kg"``.
    """
    codes, unique = pd.factorize(text)
    cells = pd.Series(unique, dtype="string")
    base, _, unit = style.partition(" ")
    pattern, separator = STYLES[base]
    fits = cells.str.fullmatch(pattern).fillna(False).astype(bool)
    if not fits.all():
        odd = cells[~fits]
        for what, instead in AFFIXES[:3]:
            odd = odd.str.replace(what, instead, regex=True)
        if unit:
            odd = odd.str.replace(unit_pattern(unit), "", regex=True)
        for what, instead in AFFIXES[3:]:
            odd = odd.str.replace(what, instead, regex=True)
        grouped = odd.str.fullmatch(GROUPED[0]).fillna(False).astype(bool)
        odd = odd.where(~grouped, odd.str.replace(GROUPED[1], "", regex=True))
        cells = cells.where(fits, odd)
        fits = cells.str.fullmatch(pattern).fillna(False).astype(bool)
    if separator:
        cells = cells.str.replace(separator, "", regex=False)
    if base == "comma":
        cells = cells.str.replace(",", ".", regex=False)
    read = pd.to_numeric(cells.where(fits), errors="coerce").astype("float64")
    numbers = np.append(read.to_numpy(dtype="float64", na_value=np.nan), np.nan)
    numbers[np.isinf(numbers)] = np.nan
    return np.asarray(numbers[codes], dtype=np.float64)


def unit_pattern(unit: str) -> str:
    """Return the pattern of a unit after a number, for any case and for the plural.

    Args:
        unit: The unit in the spelling of a training cell.
    """
    stem = unit[:-1] if len(unit) > 3 and unit.endswith("s") else unit
    letters = re.escape(stem) + ("s?" if len(stem) > 2 else "")
    return rf"\s*{letters if len(unit) == 1 else f'(?i:{letters})'}\.?$"


def written_number(number: float, style: str) -> str:
    """Return the text of a number in the given style."""
    base, _, unit = style.partition(" ")
    text = f"{number:.6g}"
    return " ".join(filter(None, (text.replace(".", ",") if base == "comma" else text, unit)))


@dataclass(frozen=True)
class Scale:
    """A robust affine map, then a smooth clip: ``x / sqrt(1 + (x / 3) ** 2)`` lies within (-3, 3).

    Args:
        center: The median.
        spread: The distance of the quartiles in units of a normal standard deviation; if the
            quartiles are equal, the median distance of the other values from the median.
    """

    center: float
    spread: float

    @classmethod
    def fit(cls, numbers: Floats) -> Scale:
        """Fit to numbers, NaN if missing."""
        present = numbers[~np.isnan(numbers)]
        # Differences of the largest floats would overflow.
        present = np.clip(present, -1e300, 1e300)
        if len(present) == 0:
            return cls(0.0, 1.0)
        low, center, high = np.quantile(present, (0.25, 0.5, 0.75))
        spread = (high - low) / 1.349
        if not spread > 0.0:
            away = np.abs(present - center)
            away = away[away > 0.0]
            spread = np.median(away) if len(away) else 1.0
        return cls(float(center), max(float(spread), 1e-300))

    def __call__(self, numbers: Floats) -> NDArray[np.float32]:
        """Scale and clip; NaN stays NaN."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (np.clip(numbers, -1e300, 1e300) - self.center) / self.spread
        scaled = np.clip(scaled, -1e6, 1e6)
        return np.asarray(scaled / np.sqrt(1.0 + (scaled / 3.0) ** 2), dtype=np.float32)


def quantile_edges(column: NDArray[np.float32], bins: int) -> NDArray[np.float32]:
    """Return the edges of bins with about equally many values.

    A very frequent value fills at most one bin, so that a column of mostly zeros still has bins
    for the other values.

    Args:
        column: Standardised values, NaN if missing.
        bins: The number of bins.

    Returns:
        Non-decreasing edges; the last edge is repeated if there are fewer distinct values.

    Shape:
        column (N,); edges (bins + 1,).
    """
    distinct, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    if len(distinct) == 0:
        return np.zeros(bins + 1, dtype=np.float32)
    edges: NDArray[Any] = distinct
    if len(distinct) > bins + 1:
        weights = np.minimum(counts, counts.sum() / bins)
        middle = np.cumsum(weights) - weights / 2.0
        share = (middle - middle[0]) / (middle[-1] - middle[0])
        edges = np.interp(np.linspace(0.0, 1.0, bins + 1), share, distinct)
    padded = np.full(bins + 1, edges[-1], dtype=np.float32)
    padded[: len(edges)] = edges
    return np.maximum.accumulate(padded)


@dataclass(frozen=True)
class NumericColumn:
    """A numeric column.

    Args:
        name: Its name.
        style: Style of its numbers in text cells, see `parse_numbers`.
        scale: Its scaling.
        marks: Marks of missing cells: the user's marks, and words among the numbers.
        is_flag: Whether all of its numbers are 0 or 1, so that words for yes and no are valid.
        varies: Whether the column is not nearly constant in the training rows.
    """

    name: str
    style: str
    scale: Scale
    marks: tuple[str, ...] = ()
    is_flag: bool = False
    varies: bool = True
    kind = "numeric"

    @classmethod
    def fit(cls, name: str, numbers: Floats, *, style: str = "plain") -> NumericColumn:
        """Fit to the training rows."""
        scale = Scale.fit(numbers)
        missing = np.isnan(numbers)
        # A value that fills nearly all rows is the median.
        most = max(missing.mean(), (numbers == scale.center).mean()) if len(numbers) else 1.0
        is_flag = bool((missing | (numbers == 0.0) | (numbers == 1.0)).all())
        return cls(name, style, scale, is_flag=is_flag, varies=bool(most < NEARLY_ALL))

    def encode(self, series: pd.Series) -> Block:
        """Return the standardised numbers of a column, NaN if missing."""
        numbers, unusable = self.read(series)
        return Block(
            len(series),
            numeric=self.scale(numbers)[:, None],
            unusable=cells_of(self.name, unusable),
        )

    def read(self, series: pd.Series) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the numbers of a column, NaN if missing, and a mask of the unusable cells."""
        series = without_marks(series, self.marks)
        quick = None if self.style.startswith("comma") else _cast(series)
        if quick is not None:
            return quick, np.zeros(len(series), dtype=bool)
        found = values_of(series)
        if found.form in ("nothing", "number"):
            numbers = found.data.to_numpy(dtype="float64", na_value=np.nan)
            return numbers, np.zeros(len(series), dtype=bool)
        text = found.text
        numbers = parse_numbers(text, self.style)
        if self.is_flag:
            numbers = np.where(np.isnan(numbers), truths_of(text), numbers)
        is_none = text.str.fullmatch(_NOT_FINITE).fillna(False) | text.str.lower().isin(MARKERS)
        return numbers, np.isnan(numbers) & (text.notna() & ~is_none).to_numpy(dtype=bool)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values for JSON."""
        return {
            "name": self.name,
            "style": self.style,
            "center": self.scale.center,
            "spread": self.scale.spread,
            "marks": list(self.marks),
            "is_flag": self.is_flag,
            "varies": self.varies,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> NumericColumn:
        """Return the column from its stored state."""
        return cls(
            state["name"],
            state["style"],
            Scale(state["center"], state["spread"]),
            tuple(state.get("marks", ())),
            state.get("is_flag", False),
            state.get("varies", True),
        )


def _cast(series: pd.Series) -> Floats | None:
    """Convert a text column of only plain numbers, or return None.

    The usual case of a file, in a tenth of the time: no word, no unit, no grouping.
    """
    if not isinstance(series.dtype, pd.StringDtype):
        return None
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = pa.array(series, from_pandas=True)
    try:
        numbers = cells.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    if pc.any(pc.is_inf(numbers)).as_py():
        return None
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
