"""A lazy package loads a name when it is first used."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

INIT = """
from typing import TYPE_CHECKING
from autoloss.core.lazy import make_lazy
if TYPE_CHECKING:
    from lazy_example import plain
    from lazy_example.answer import answer
    from lazy_example.values import NUMBER
__all__ = ["plain", "answer", "NUMBER"]
make_lazy(__name__)
"""
FILES = {
    "__init__.py": INIT,
    "plain.py": "",
    "answer.py": "def answer(): return 42",
    "values.py": "NUMBER = 7",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "lazy_example"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield import_module("lazy_example")
    for name in [name for name in sys.modules if name.partition(".")[0] == "lazy_example"]:
        del sys.modules[name]


def test_a_module_is_loaded_when_its_name_is_used(package) -> None:
    assert dir(package) == ["NUMBER", "answer", "plain"]
    assert "lazy_example.values" not in sys.modules
    assert package.NUMBER == 7
    assert "lazy_example.values" in sys.modules


def test_a_function_keeps_its_name_after_the_import_of_a_module_of_that_name(package) -> None:
    assert import_module("lazy_example.answer").answer() == 42
    assert package.answer() == 42


def test_modules_and_replaced_names_are_attributes(package, monkeypatch) -> None:
    assert package.plain is import_module("lazy_example.plain")
    monkeypatch.setattr(package, "NUMBER", 8)
    assert package.NUMBER == 8


def test_other_names_are_unknown(package) -> None:
    with pytest.raises(AttributeError, match="'lazy_example' has no attribute 'nothing'"):
        package.nothing  # noqa: B018
