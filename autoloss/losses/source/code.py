"""The text of a function or class, and the values of the names in it."""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
import textwrap
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from autoloss.core.errors import InputError
from autoloss.losses.component import Penalty
from autoloss.losses.loss import Loss

Definition = ast.FunctionDef | ast.ClassDef
Span = tuple[int, int]
"""The first byte of a part of a text, and the byte after its last."""
Edit = tuple[Span, str]
"""A span of a text, and its replacement."""


@dataclass(frozen=True, eq=False)
class Code:
    """A function or class with its text.

    Args:
        value: The function or class.
        text: Its text, not indented, in UTF-8: a syntax tree counts columns in bytes.
        tree: The syntax tree of the text.
        namespace: The names of its module and of the functions around it.
    """

    value: Any
    text: bytes
    tree: Definition
    namespace: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, value: Any) -> Code:
        """Return the code of a function or class.

        Raises:
            InputError: If it has no source text, or is a lambda.
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
                f"a loss must use named functions of a file to have source code, but got {name}."
            )
        return cls(value, text.encode(), tree, _namespace(value))

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Return the parent of each node."""
        return {
            child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        }

    @cached_property
    def references(self) -> dict[ast.AST, tuple[str, Any]]:
        """Return the nodes that refer to names of the module, with the last name and the value.

        A module of autoloss or a declared loss is only part of a reference: the whole of
        ``poly1.poly1.function`` is a reference.
        """
        return {node: (name, value) for node, name, value in self._references()}

    @cached_property
    def annotations(self) -> list[ast.expr]:
        """Return the annotations of arguments, variables and results."""
        nodes = list(ast.walk(self.tree))
        found = [one.annotation for one in nodes if isinstance(one, ast.arg | ast.AnnAssign)]
        found += [one.returns for one in nodes if isinstance(one, ast.FunctionDef)]
        return [one for one in found if one is not None]

    def called(self, call: ast.AST) -> Any:
        """Return the called function or class if it is of the module; otherwise None."""
        found = self.references.get(call.func) if isinstance(call, ast.Call) else None
        value = None if found is None else unwrapped(found[1])
        return value if isinstance(value, types.FunctionType | type) else None

    def span(self, node: Any) -> Span:
        """Return the span of a node in the text."""
        starts = self._line_starts
        return (
            starts[node.lineno - 1] + node.col_offset,
            starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def lines(self, node: Any) -> Span:
        """Return the span of the lines of a node, with the end of the last line."""
        return self._line_starts[node.lineno - 1], self._line_starts[node.end_lineno]

    def edited(self, span: Span, edits: Iterable[Edit]) -> str:
        """Return a span of the text with its edits; an edit within another edit is dropped."""
        start, end = span
        inside = [one for one in edits if start <= one[0][0] and one[0][1] <= end]
        text = self.text[:end]
        for place, new in sorted(inside, reverse=True):
            if not any(is_within(place, other) for other, _ in inside if other != place):
                text = text[: place[0]] + new.encode() + text[place[1] :]
        return text[start:].decode()

    @cached_property
    def _line_starts(self) -> list[int]:
        lengths = (len(line) for line in self.text.splitlines(keepends=True))
        return list(itertools.accumulate(lengths, initial=0))

    def _references(self) -> Iterator[tuple[ast.AST, str, Any]]:
        bound = _bound(self.tree)
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
                continue
            if node.id in bound or node.id not in self.namespace:
                continue
            whole: ast.AST = node
            name, value = node.id, self.namespace[node.id]
            while _is_ours(value) and isinstance(around := self.parents[whole], ast.Attribute):
                whole, name, value = around, around.attr, getattr(value, around.attr)
            yield whole, name, value


def is_within(span: Span, other: Span) -> bool:
    """Return whether a span lies within another span, which is not empty."""
    return other[0] <= span[0] and span[1] <= other[1] and span[0] < other[1]


def unwrapped(value: Any) -> Any:
    """Return a function without its decorators; other values are returned as they are."""
    return inspect.unwrap(value) if isinstance(value, types.FunctionType) else value


def _namespace(value: Any) -> Mapping[str, Any]:
    if isinstance(value, types.FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        return value.__globals__ | {name: cell.cell_contents for name, cell in cells}
    return vars(sys.modules[value.__module__])


def _bound(tree: Definition) -> set[str]:
    """Return the names that a definition binds."""
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


def _is_ours(value: Any) -> bool:
    if isinstance(value, types.ModuleType):
        return value.__name__.partition(".")[0] == "autoloss"
    return isinstance(value, Loss | Penalty)
