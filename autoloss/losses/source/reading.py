"""The text of a function or class, and what the names in it stand for."""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
import textwrap
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from autoloss.errors import InputError
from autoloss.losses.loss import Loss
from autoloss.losses.part import Penalty

Definition = ast.FunctionDef | ast.ClassDef
Span = tuple[int, int]
"""From which byte of a text, and up to which."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A name in a text that belongs to the module around it.

    Args:
        node: Where it stands: the name, or a dotted one such as ``focal.function``.
        name: The last part of it.
        value: What it stands for.
    """

    node: ast.Name | ast.Attribute
    name: str
    value: Any


@dataclass(frozen=True, eq=False)
class Code:
    """A function or a class with its text.

    Args:
        value: The function or class.
        text: Its text, not indented, in UTF-8.
        tree: What the text says.
        namespace: The names of its module, and of the functions around it.
    """

    value: Any
    text: bytes
    tree: Definition
    namespace: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, value: Any) -> Code:
        """Return a function or class as it is written.

        Raises:
            InputError: If its text cannot be had, or is that of a lambda.
        """
        tree: ast.stmt = ast.Pass()
        try:
            text = textwrap.dedent(inspect.getsource(value))
            tree = ast.parse(text).body[0]
        except (OSError, TypeError, SyntaxError, IndexError):
            text = ""
        if not isinstance(tree, Definition):
            name = getattr(value, "__name__", value)
            raise InputError(
                f"what a loss is made of must be functions with a name in a file, but got {name}."
            )
        return cls(value, text.encode(), tree, _namespace(value))

    @property
    def name(self) -> str:
        """Return the name that it was defined with."""
        return self.tree.name

    @property
    def arguments(self) -> ast.arguments:
        """Return its arguments; a class has none."""
        if isinstance(self.tree, ast.FunctionDef):
            return self.tree.args
        return ast.arguments([], [], None, [], [], None, [])

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Return the node around each node."""
        return {
            child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        }

    @cached_property
    def references(self) -> dict[ast.AST, Reference]:
        """Return what belongs to the module, by where it stands."""
        return {reference.node: reference for reference in self._references()}

    @cached_property
    def annotations(self) -> set[ast.AST]:
        """Return all nodes that stand in annotations."""
        roots: list[ast.AST | None] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.arg | ast.AnnAssign):
                roots.append(node.annotation)
            elif isinstance(node, ast.FunctionDef):
                roots.append(node.returns)
        return {one for root in roots if root is not None for one in ast.walk(root)}

    def called(self, call: ast.Call) -> Any:
        """Return the function of the module that is called, None for another one."""
        found = self.references.get(call.func)
        return None if found is None else plain(found.value)

    def span(self, node: Any) -> Span:
        """Return where a node stands in the text."""
        starts = self._line_starts
        return (
            starts[node.lineno - 1] + node.col_offset,
            starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def lines(self, node: Any) -> Span:
        """Return where the lines of a node stand, the end of the last one included."""
        return self._line_starts[node.lineno - 1], self._line_starts[node.end_lineno]

    @cached_property
    def _line_starts(self) -> list[int]:
        lengths = (len(line) for line in self.text.splitlines(keepends=True))
        return list(itertools.accumulate(lengths, initial=0))

    def _references(self) -> Iterator[Reference]:
        bound = _bound(self.tree)
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
                continue
            if node.id in bound or node.id not in self.namespace:
                continue
            reference = Reference(node, node.id, self.namespace[node.id])
            # A module of ours, or a declared loss, is left out of a dotted name.
            while _is_passed_through(reference.value):
                around = self.parents[reference.node]
                if not isinstance(around, ast.Attribute):
                    break
                reference = Reference(around, around.attr, getattr(reference.value, around.attr))
            yield reference


def plain(value: Any) -> Any:
    """Return a function without what decorators have put around it."""
    return inspect.unwrap(value) if isinstance(value, types.FunctionType) else value


def _namespace(value: Any) -> Mapping[str, Any]:
    if isinstance(value, types.FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        return value.__globals__ | {name: cell.cell_contents for name, cell in cells}
    return vars(sys.modules[value.__module__])


def _bound(tree: Definition) -> set[str]:
    """Return the names that a text itself gives a value to."""
    bound = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, Definition) and node is not tree:
            bound.add(node.name)
    return bound


def _is_passed_through(value: Any) -> bool:
    if isinstance(value, types.ModuleType):
        return value.__name__.partition(".")[0] == "autoloss"
    return isinstance(value, Loss | Penalty)
