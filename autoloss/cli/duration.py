"""Parses durations such as ``90s``, ``10m``, ``1h30m`` or plain seconds."""

from __future__ import annotations

import math
import re

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_PARTS = re.compile("".join(rf"(?:{_NUMBER}{unit})?" for unit in _UNITS))


def seconds(text: str) -> float:
    """Return the seconds of a duration.

    Args:
        text: Days, hours, minutes and seconds in this order, each at most once, or plain seconds.

    Raises:
        ValueError: `text` is not a positive duration.

    Examples:
        >>> seconds("1h30m"), seconds("90s"), seconds("2.5")
        (5400.0, 90.0, 2.5)
    """
    word = text.strip().lower()
    if re.fullmatch(_NUMBER, word):
        word += "s"
    found = _PARTS.fullmatch(word)
    total = (
        sum(
            float(n or 0.0) * unit for n, unit in zip(found.groups(), _UNITS.values(), strict=True)
        )
        if found
        else 0.0
    )
    if not 0.0 < total < math.inf:
        raise ValueError(f"must be a positive duration like 90s, 10m or 1h30m, but got {text!r}.")
    return total
