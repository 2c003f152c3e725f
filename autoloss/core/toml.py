"""Writes TOML; `tomllib` of the standard library only reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def toml_text(values: Mapping[str, Any]) -> str:
    """Return a line for each key, which may have dots.

    Examples:
        >>> print(toml_text({"base": "focal", "focal.gamma": {"low": 0.1, "log": True}}), end="")
        base = "focal"
        focal.gamma = { low = 0.1, log = true }
    """
    return "".join(f"{key} = {toml_value(value)}\n" for key, value in values.items())


def toml_value(value: Any) -> str:
    """Return a text, number, truth value, list or dictionary as TOML.

    Examples:
        >>> toml_value(["focal", float("inf"), False])
        '["focal", inf, false]'
    """
    if isinstance(value, Mapping):
        items = (f"{key} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {', '.join(items)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    # Basic strings have the escapes of JSON, but TOML wants DEL escaped too.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
