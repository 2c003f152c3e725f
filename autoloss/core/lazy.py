"""Packages that load a name when it is first used, so that their import takes no time."""

from __future__ import annotations

import ast
import functools
import sys
from importlib import import_module
from types import ModuleType
from typing import Any


def make_lazy(package: str) -> None:
    """Make a package load the names of its ``__all__`` when they are first used.

    Type checkers and editors read their imports below ``if TYPE_CHECKING:``; so does the package.

    Args:
        package: The dotted name of the package, which calls this in its `__init__`.
    """
    module = sys.modules[package]
    module.__dict__.setdefault("__dir__", lambda: sorted(module.__all__))
    module.__class__ = _LazyPackage


class _LazyPackage(ModuleType):
    """A package whose names are loaded when they are first used."""

    def __getattr__(self, name: str) -> Any:
        """Return a name from the module that defines it."""
        home = _homes(self.__name__).get(name)
        if home is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if home == self.__name__:
            return import_module(f"{home}.{name}")
        return getattr(import_module(home), name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, except a module that has the name of a function of the package.

        Python sets each imported module in its package; a module without this entry stays in
        `sys.modules`.
        """
        home = _homes(self.__name__).get(name, self.__name__)
        if home == self.__name__ or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


@functools.cache
def _homes(package: str) -> dict[str, str]:
    """Return the module of each name that a package imports for type checkers."""
    loader: Any = sys.modules[package].__loader__
    return {
        alias.name: str(node.module)
        for block in ast.parse(loader.get_source(package)).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
