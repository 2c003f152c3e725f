"""Levels and flags of cells, independent of the cells' type and spelling."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.data.values import label_of

FLAGS = frozenset({"True", "False"})
TRUTHS = {
    "true": True,
    "t": True,
    "yes": True,
    "y": True,
    "1": True,
    "false": False,
    "f": False,
    "no": False,
    "n": False,
    "0": False,
}
# A longer string of digits is a code, and Python refuses to parse thousands of digits.
WRITTEN_NUMBER = r"[+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][+-]?\d{1,3})?"
WRITTEN_DAY = r"(\d{4}-\d{2}-\d{2})[ T]00:00:00(?:\.0+)?"
# A leading zero marks the digits as a label.
WRITTEN_CODE = r"[+-]?0\d.*"


def plain_writing(text: str) -> str:
    """Return the shortest spelling of a number or a day, and any other text unchanged.

    Examples:
        >>> [plain_writing(text) for text in ("1.0", "2.50", "1e3", "007", "1.0 m")]
        ['1', '2.5', '1000', '007', '1.0 m']
    """
    if re.fullmatch(WRITTEN_CODE, text):
        return text
    if re.fullmatch(r"[+-]?\d{1,40}(?:\.0*)?", text):
        # A float would lose digits of a long number.
        return str(int(text.partition(".")[0]))
    if re.fullmatch(WRITTEN_NUMBER, text):
        number = float(text)
        if abs(number) == float("inf"):
            return text
        # Some programs write all digits of a single-precision number.
        is_single = number % 1.0 != 0.0 and float(np.float32(number)) == number
        return label_of(np.float32(number) if is_single else number)
    day = re.fullmatch(WRITTEN_DAY, text)
    return day[1] if day else text


def plain_flag(text: str) -> str:
    """Return the words true and false in lower case, and any other text unchanged."""
    return text.lower() if text.lower() in ("true", "false") else text


def mark_of(level: str) -> int:
    """Return a short hash of a level, which identifies it without storing it."""
    return zlib.crc32(level.encode("utf-8", "replace"))


def level_codes(
    texts: Iterable[object], levels: Sequence[str], rare: Iterable[int] | None = ()
) -> NDArray[np.int64]:
    """Return the code of each text: 1, 2, ... for a level, 0 for a rare level, else -1.

    A text that is not a level may be another spelling of a level's number, day or flag.

    Args:
        texts: Distinct texts.
        levels: The levels that have codes.
        rare: The `mark_of` each level too rare in training for a code; None if there were too
            many to store, so that any text may be such a level.

    Shape:
        result (number of texts,).
    """
    exact = {level: code for code, level in enumerate(levels, start=1)}
    plain: dict[str, int] = {}
    for level, code in exact.items():
        # Only the spelling distinguishes levels that differ in nothing else.
        plain[plain_writing(level)] = 0 if plain_writing(level) in plain else code
    truths = [(plain_writing(level).lower(), code) for level, code in exact.items()]
    words = {word for word, _ in truths}
    is_flag = bool(words) and (words <= {"true", "false"} or words <= {"1", "0"})
    flags = {TRUTHS[word]: code for word, code in truths} if is_flag else {}
    seldom = set(rare or ())

    def code_of(text: str) -> int:
        other = plain_writing(text)
        if text in exact or mark_of(text) in seldom:
            return exact.get(text, 0)
        if plain.get(other) or mark_of(other) in seldom:
            return plain.get(other, 0)
        truth = TRUTHS.get(other.lower()) if flags else None
        return flags.get(truth, -1) if truth is not None else 0 if rare is None else -1

    return np.array([code_of(str(text)) for text in texts], dtype=np.int64)


def truths_of(text: pd.Series) -> NDArray[np.float64]:
    """Return 1 for text that means yes, 0 for no, NaN for any other text; (N,)."""
    return np.asarray(
        text.str.lower().map(TRUTHS).astype("float64").to_numpy(np.float64, na_value=np.nan)
    )
