"""A summary as JSON and back: the machine's form of the report."""

from __future__ import annotations

import json
import math
import types
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from autoloss.core.documents import parsed_json
from autoloss.core.errors import InputError
from autoloss.records import Summary

SCHEMA_VERSION = 1


def summary_json(summary: Summary) -> str:
    """Return the summary as one JSON document; NaN and infinities become ``null``.

    Args:
        summary: The finished study.

    Returns:
        Text that ends with a newline; every key is a field of `Summary`.
    """
    return json_text(asdict(summary))


def json_text(content: Any) -> str:
    """Return values as one JSON document that ends with a newline; see `finite`."""
    return json.dumps(finite(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def summary_from_json(text: str) -> Summary:
    """Return the summary that `summary_json` wrote; a ``null`` where a number belongs is NaN.

    Args:
        text: The JSON document.

    Returns:
        The summary.

    Raises:
        InputError: If the text is not a JSON summary of a known version.
    """
    try:
        plain = parsed_json(text)
    except ValueError as error:
        raise InputError(f"The summary must be JSON, but got an error: {error}.") from error
    if not isinstance(plain, dict):
        raise InputError(
            f"The summary must be a JSON object, but got type={type(plain).__name__}."
        )
    version = plain.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"The summary must have schema_version {SCHEMA_VERSION}, "
            f"but got schema_version={version}."
        )
    summary: Summary = _decode(Summary, plain, "summary")
    return summary


def finite(value: Any) -> Any:
    """Return `value` with numbers that JSON cannot write as None, tuples as lists."""
    if isinstance(value, bool) or value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [finite(item) for item in value]
    # A NumPy number in the settings, a path, an enumeration.
    return finite(value.item()) if hasattr(value, "item") else str(value)


def _decode(annotation: Any, value: Any, where: str) -> Any:
    """Return `value` as the annotated type; `where` names it in messages."""
    if is_dataclass(annotation) and isinstance(annotation, type):
        return _decode_record(annotation, value, where)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        _check(isinstance(value, list), "list", value, where)
        kinds = args[:1] * len(value) if args[-1] is Ellipsis else args
        pairs = zip(kinds, value, strict=False)
        return tuple(_decode(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(pairs))
    if origin is dict:
        _check(isinstance(value, dict), "object", value, where)
        return {key: _decode(args[1], item, f"{where}.{key}") for key, item in value.items()}
    if annotation is float:
        _check(value is None or isinstance(value, int | float), "number", value, where)
        return math.nan if value is None else float(value)
    if origin is Literal:
        _check(value in args, f"one of {list(args)}", value, where)
    elif annotation in (int, str, bool):
        _check(isinstance(value, annotation), annotation.__name__, value, where)
    elif origin in (Union, types.UnionType) and value is not None:
        return _decode(next(kind for kind in args if kind is not type(None)), value, where)
    return value


def _decode_record(kind: type, value: Any, where: str) -> Any:
    """Return a dataclass from its JSON object; keys that it does not know are left out."""
    _check(isinstance(value, dict), "object", value, where)
    hints = _hints(kind)
    known = [field.name for field in fields(kind) if field.name in value]
    try:
        return kind(**{key: _decode(hints[key], value[key], f"{where}.{key}") for key in known})
    except TypeError as error:
        raise InputError(
            f"The {where} must have every field, but got an error: {error}."
        ) from error


@cache
def _hints(kind: type) -> dict[str, Any]:
    # The same few records come thousands of times, and their annotations are text.
    return get_type_hints(kind)


def _check(holds: bool, rule: str, value: Any, where: str) -> None:
    """Raise an `InputError` unless the rule holds."""
    if not holds:
        raise InputError(f"The {where} must be {rule}, but got value={value!r:.60}.")
