"""Reads a parameter of a space file: a value, or a range within the valid range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from autoloss.core.errors import closest
from autoloss.losses.parameters import ChoiceParam, FloatParam, IntParam, Number, Parameter
from autoloss.search.space_keys import RANGE_KEYS


def read_range(key: str, value: Any, declared: Parameter) -> Parameter | Number | list[str]:
    """Return the range of a parameter, its fixed value, or a list of mistakes.

    Args:
        key: Its dotted key.
        value: A number; a table of ``low``, ``high``, ``log``, ``default``; or a table of
            ``choices`` and ``default``.
        declared: The declaration of its loss.

    Examples:
        >>> read_range("focal.gamma", {"high": 3.0}, FloatParam(0.0, 5.0, default=2.0))
        FloatParam(low=0.0, high=3.0, default=2.0, log=False, valid=Interval(...), ...)
        >>> read_range("focal.gamma", -1.0, FloatParam(0.0, 5.0, default=2.0))
        ['must be in [0, 5], but got focal.gamma=-1.0.']
    """
    if not isinstance(value, Mapping):
        mistake = declared.mistake(key, value)
        return [_rule(key, mistake)] if mistake else declared.clean(value)
    allowed = ("choices", "default") if isinstance(declared, ChoiceParam) else RANGE_KEYS[:4]
    mistakes = [
        f"must not have {name!r:.80}{closest(name, allowed)}"
        for name in value
        if name not in allowed
    ]
    if isinstance(declared, ChoiceParam):
        return mistakes or _choices(key, value, declared)
    return mistakes or _interval(key, value, declared)


def _choices(
    key: str, value: Mapping[str, Any], declared: ChoiceParam
) -> Parameter | Number | list[str]:
    choices = value.get("choices", list(declared.choices))
    if not isinstance(choices, list) or not choices:
        return [f"choices must be a list of numbers, but got choices={choices!r:.80}."]
    mistakes = [_rule(key, mistake) for one in choices if (mistake := declared.mistake(key, one))]
    if mistakes:
        return mistakes
    default = value.get("default", declared.default if declared.default in choices else choices[0])
    if default not in choices:
        return [f"default must be one of the choices, but got default={default!r:.80}."]
    if len(choices) == 1:
        return declared.clean(choices[0])
    return ChoiceParam(
        tuple(declared.clean(one) for one in choices), default=declared.clean(default)
    )


def _interval(
    key: str, value: Mapping[str, Any], declared: FloatParam | IntParam
) -> Parameter | Number | list[str]:
    low, high = value.get("low", declared.low), value.get("high", declared.high)
    mistakes = [
        _rule(key, mistake) for end in (low, high) if (mistake := declared.mistake(key, end))
    ]
    log = value.get("log", declared.log)
    if not isinstance(log, bool):
        mistakes.append(f"log must be true or false, but got log={log!r:.80}.")
    if mistakes:
        return mistakes
    if low > high:
        mistakes.append(f"low must be at most high, but got low={low}, high={high}.")
    if log and low <= 0:
        mistakes.append(f"low must be above 0 on a logarithmic scale, but got low={low}.")
    default = value.get("default", None)
    if default is not None and (mistake := declared.mistake(key, default)):
        mistakes.append(_rule(key, mistake))
    elif default is not None and not low <= default <= high:
        mistakes.append(f"default must be within low and high, but got default={default}.")
    if mistakes:
        return mistakes
    if low == high:
        return declared.clean(low)
    if default is None:
        default = (
            declared.default if low <= declared.default <= high else _middle(low, high, log=log)
        )
    if isinstance(declared, IntParam):
        return IntParam(int(low), int(high), default=round(default), log=log)
    return FloatParam(
        float(low), float(high), default=float(default), log=log, valid=declared.allowed
    )


def _middle(low: float, high: float, *, log: bool) -> float:
    return math.sqrt(low * high) if log else (low + high) / 2


def _rule(key: str, mistake: str) -> str:
    """Return a mistake without the name of its key in front."""
    return mistake.removeprefix(f"{key} ")
