"""Any text that is not JSON or TOML is a ValueError of one line."""

from __future__ import annotations

from typing import Any

import pytest

from autoloss.core.documents import check_depth, parsed_json, parsed_toml


def nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5_000, "too many digits"),
        ("{", "Expecting"),
        (b"\xff", "decode"),
    ],
)
def test_json_that_is_none_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parsed_json(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = " + "[" * 100_000, "nested too deeply"),
        (f"a = {'9' * 5_000}", "too many digits"),
        (f"a = {'[' * 101}{']' * 101}", "nested too deeply"),
        (f"{'.'.join('a' * 20_000)} = 1", "nested too deeply"),
        ("a = ", "Invalid value"),
    ],
)
def test_toml_that_is_none_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parsed_toml(text)
    assert "\n" not in str(caught.value)


def test_documents_of_a_hundred_levels_are_read() -> None:
    assert parsed_json('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    assert parsed_toml(f"a = {'[' * 98}{']' * 98}")
    check_depth(nested(98))
    with pytest.raises(ValueError, match="nested too deeply"):
        check_depth(nested(101))
