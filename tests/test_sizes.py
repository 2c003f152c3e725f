"""No module grows past 400 lines, and no class has the name of a class in another folder."""

from __future__ import annotations

import ast
from collections import defaultdict

import pytest

from tests.floors import modules, part_of, tree_of

LONGEST = 400

# Modules that are a table of options, each with its lines and the reason that they stay together.
TABLES: dict[str, tuple[int, str]] = {}


def lines_of(module: str) -> int:
    return len(modules()[module].read_text(encoding="utf-8").splitlines())


def too_long(sizes: dict[str, int]) -> list[str]:
    """Return a line for each module that is too long."""
    limits = {name: TABLES.get(name, (LONGEST, ""))[0] for name in sizes}
    return [
        f"{name}: must have at most {limits[name]} lines, but has {size}"
        for name, size in sizes.items()
        if size > limits[name]
    ]


def test_a_module_that_is_too_long_is_named() -> None:
    assert too_long({"a.b": LONGEST}) == []
    assert too_long({"a.b": LONGEST + 1}) == ["a.b: must have at most 400 lines, but has 401"]


def test_no_module_is_longer_than_400_lines() -> None:
    sizes = {name: lines_of(name) for name in modules()}
    assert len(sizes) > 100
    assert too_long(sizes) == []


@pytest.mark.parametrize("module", TABLES)
def test_an_exception_is_still_needed(module: str) -> None:
    assert lines_of(module) > LONGEST


def test_no_class_has_the_name_of_a_class_in_another_folder() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for module, path in modules().items():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(part_of(module))
    assert len(homes) > 100
    assert {name: parts for name, parts in homes.items() if len(parts) > 1} == {}
