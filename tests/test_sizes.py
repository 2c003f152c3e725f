"""No module grows past 400 lines, and no name of a class stands for two things."""

from __future__ import annotations

import pytest

from tests.floors import modules

LONGEST = 400

# Modules that are a table of options, each with its lines and the reason that they stay together.
TABLES: dict[str, tuple[int, str]] = {}


def lines_of(module: str) -> int:
    return len(modules()[module].read_text(encoding="utf-8").splitlines())


def too_long(sizes: dict[str, int]) -> list[str]:
    """Return what is wrong with sizes of modules, a line each."""
    limits = {name: TABLES.get(name, (LONGEST, ""))[0] for name in sizes}
    return [
        f"{name}: must have at most {limits[name]} lines, but has {size}"
        for name, size in sizes.items()
        if size > limits[name]
    ]


def test_a_longer_module_is_named() -> None:
    assert too_long({"a.b": LONGEST}) == []
    assert too_long({"a.b": LONGEST + 1}) == ["a.b: must have at most 400 lines, but has 401"]


def test_no_module_is_longer_than_400_lines() -> None:
    sizes = {name: lines_of(name) for name in modules()}
    assert len(sizes) > 100
    assert too_long(sizes) == []


@pytest.mark.parametrize("module", TABLES)
def test_an_exception_is_still_needed(module: str) -> None:
    assert lines_of(module) > LONGEST
