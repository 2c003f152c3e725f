"""JSON and TOML from untrusted sources: any malformed text is a ValueError of one line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_DEEPEST, _MOST_DOTS = 100, 2_000
"""Levels of a document, and dots of a line, that the package's own writers never reach."""


def parsed_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: It is not JSON, is nested too deeply, or has a number of thousands of digits.
    """
    return _parsed(json.loads, text)


def parsed_toml(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text, at most a hundred levels deep.

    Raises:
        ValueError: It is not TOML, is nested too deeply, or has a number of thousands of digits.
    """
    # Its parser takes memory by the square of the parts of a key.
    if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
        raise ValueError("it is nested too deeply")
    found: dict[str, Any] = _parsed(tomllib.loads, text)
    check_depth(found)
    return found


def check_depth(document: Any) -> None:
    """Check that a document has at most a hundred levels, before a function that calls itself.

    Raises:
        ValueError: It has more.
    """
    level: Sequence[Any] = [document]
    for _ in range(_DEEPEST):
        level = [one for one in level if isinstance(one, Mapping | list)]
        if not level:
            return
        inner = (one.values() if isinstance(one, Mapping) else one for one in level)
        level = [one for own in inner for one in own]
    raise ValueError("it is nested too deeply")


def _parsed(parse: Callable[[Any], Any], text: Any) -> Any:
    try:
        return parse(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (json.JSONDecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        # Python refuses integers of more digits than it would convert in a moment.
        raise ValueError("it has a number of too many digits") from None
