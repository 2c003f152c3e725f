"""The functions, constants and imports that some functions need, each under a name of its own."""

from __future__ import annotations

import ast
import math
import sys
import types
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from torch import Tensor

from autoloss.errors import AutolossError, InputError
from autoloss.losses.context import LossContext
from autoloss.losses.declare import declare
from autoloss.losses.labels import EVERY
from autoloss.losses.part import declare_penalty
from autoloss.losses.source.reading import Code, Reference, Span, plain

ALLOWED = frozenset({"torch", *sys.stdlib_module_names})
_PUBLIC = ("torch", "torch.nn", "torch.nn.functional", "math", "typing")


class Gathered:
    """What some functions are made of, in an order in which it can be written down.

    Args:
        roots: The functions.
        instead: Functions that stand in the place of others.
        inlined: Functions that return their first argument as it is, and are left out.
        reserved: Names that nothing else may have.

    Raises:
        InputError: If something is needed that is neither here, nor of torch or the standard
            library.
    """

    def __init__(
        self,
        roots: Collection[Callable[..., Any]],
        *,
        instead: Mapping[Any, Any],
        inlined: Collection[Any],
        reserved: Collection[str],
    ) -> None:
        self.codes: list[Code] = []
        self.constants: dict[str, str] = {}
        self.imports: dict[str, str] = {}
        self._instead, self._inlined = instead, inlined
        self._words: dict[int, str] = {}
        self._taken = set(reserved)
        self._homes = {"autoloss", *(_home(plain(root)) for root in roots)}
        for root in roots:
            self._visit(self.actual(root))

    def actual(self, value: Any) -> Any:
        """Return what stands in the place of a function, without its decorators."""
        value = plain(value)
        return self._instead.get(value, value) if callable(value) else value

    def code(self, value: Any) -> Code | None:
        """Return the text of a function that is gathered, None for any other."""
        value = self.actual(value)
        return next((code for code in self.codes if code.value is value), None)

    def word(self, value: Any, name: str) -> str:
        """Return how something that a text calls `name` is called here."""
        value = self.actual(value)
        if value is LossContext:
            return "SimpleNamespace"
        if isinstance(value, type) and issubclass(value, AutolossError):
            return "ValueError"
        return self._words.get(id(value), name)

    def cuts(self, code: Code) -> list[Span]:
        """Return the spans of a text that are left out."""
        found = [
            code.span(decorator)
            for decorator in code.tree.decorator_list
            if isinstance(decorator, ast.Call)
            and code.called(decorator) in (declare, declare_penalty)
        ]
        for node in ast.walk(code.tree):
            if isinstance(node, ast.Assert) and "context" in _names(node):
                found.append(code.lines(node))
            elif isinstance(node, ast.Call):
                called = code.called(node)
                if called is cast or called in self._inlined:
                    kept = code.span(node.args[1 if called is cast else 0])
                    start, end = code.span(node)
                    found += [(start, kept[0]), (kept[1], end)]
        return found

    def used(self, code: Code) -> list[Reference]:
        """Return the references of a text but for those that are left out."""
        cuts = self.cuts(code)
        return [
            reference
            for node, reference in code.references.items()
            if not any(start <= code.span(node)[0] < end for start, end in cuts)
        ]

    def _visit(self, value: Any) -> None:
        if id(value) in self._words:
            return
        code = Code.of(value)
        self._words[id(value)] = self._free(code.name)
        annotations = _annotations(code.tree)
        for reference in self.used(code):
            if reference.node not in annotations:
                self._take(reference)
            elif self._is_external(reference.value):
                self._import(reference)
        self.codes.append(code)

    def _take(self, reference: Reference) -> None:
        value = self.actual(reference.value)
        if value is LossContext or value is EVERY or self._is_error(value):
            if value is EVERY:
                self.constants["EVERY"] = "torch.empty(0, dtype=torch.int64)"
        elif self._is_external(value):
            self._import(reference)
        elif isinstance(value, types.FunctionType | type) and _home(value) in self._homes:
            self._visit(value)
        elif (text := literal(value)) is not None:
            name = reference.name
            while self.constants.get(name, text) != text or name in self._taken:
                name += "_"
            self.constants[name] = text
            self._words[id(reference.value)] = name
        else:
            raise InputError(
                "what a loss is made of must be functions, numbers, torch and the standard "
                f"library to be written down, but got {reference.name}={value!r:.60}."
            )

    def _import(self, reference: Reference) -> None:
        self.imports[reference.name] = _import_line(reference.name, reference.value)

    def _is_external(self, value: Any) -> bool:
        return not isinstance(value, Tensor) and _home(value) in ALLOWED

    @staticmethod
    def _is_error(value: Any) -> bool:
        return isinstance(value, type) and issubclass(value, AutolossError)

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name
