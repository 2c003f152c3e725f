"""The functions, constants and imports that some functions need, each under a name of its own."""

from __future__ import annotations

import ast
import math
import sys
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, cast, get_origin

import torch
from torch import Tensor

from autoloss.errors import AutolossError, InputError
from autoloss.losses.context import LossContext
from autoloss.losses.declare import declare
from autoloss.losses.labels import EVERY
from autoloss.losses.part import declare_penalty
from autoloss.losses.source.reading import Code, Reference, Span, plain
from autoloss.task import TaskKind

ALLOWED = frozenset({"torch", *sys.stdlib_module_names})
Edit = tuple[Span, str]
"""A span of a text, and what stands there instead."""
_PUBLIC = ("torch", "torch.nn", "torch.nn.functional", "math", "typing")


class Gathered:
    """What some functions are made of, in an order in which it can be written down.

    Args:
        roots: The functions.
        instead: Functions that stand in the place of others.
        inlined: Functions in the place of whose call stands their first argument, with the text
            that then follows.
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
        inlined: Mapping[Any, str],
        reserved: Collection[str],
    ) -> None:
        self.codes: list[Code] = []
        self.constants: dict[str, str] = {}
        self.imports: dict[str, str] = {}
        self._instead, self._inlined = instead, inlined
        self._names: dict[int, str] = {}
        self._constants: dict[ast.AST, str] = {}
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

    def name(self, value: Any) -> str:
        """Return the name of a function that is gathered."""
        return self._names[id(self.actual(value))]

    def annotation(self, reference: Reference) -> str | None:
        """Return how a type that a text names is called here, None where it has no place."""
        if reference.value is TaskKind:
            return "str"
        is_here = id(reference.value) in self._names or reference.value is LossContext
        return self.word(reference) if is_here or is_external(reference.value) else None

    def word(self, reference: Reference) -> str:
        """Return how what a text refers to is called here."""
        value = self.actual(reference.value)
        if value is LossContext:
            return "SimpleNamespace"
        if _is_error(value):
            return "ValueError"
        return self._constants.get(reference.node) or self._names.get(id(value), reference.name)

    def edits(self, code: Code) -> list[Edit]:
        """Return what of a text is left out, and what stands there instead."""
        found = [
            (code.span(decorator), "")
            for decorator in code.tree.decorator_list
            if isinstance(decorator, ast.Call)
            and code.called(decorator) in (declare, declare_penalty)
        ]
        for node in ast.walk(code.tree):
            if isinstance(node, ast.Assert) and "context" in names_in(node):
                found.append((code.lines(node), ""))
            elif isinstance(node, ast.Call):
                called = code.called(node)
                if called is cast:
                    found += _kept_alone(code, node, node.args[1], "")
                elif isinstance(called, types.FunctionType) and called in self._inlined:
                    found += _kept_alone(code, node, node.args[0], self._inlined[called])
        return found

    def used(self, code: Code) -> list[Reference]:
        """Return the references of a text but for those that are left out."""
        gone = [span for span, _ in self.edits(code)]
        return [
            reference
            for node, reference in code.references.items()
            if not is_within(code.span(node), gone)
        ]

    def _visit(self, value: Any) -> None:
        if id(value) in self._names:
            return
        code = Code.of(value)
        self._names[id(value)] = self._free(code.name)
        for reference in self.used(code):
            if is_external(reference.value):
                self.imports[reference.name] = _import_line(reference)
            elif reference.node not in code.annotations:
                self._take(reference)
        self.codes.append(code)

    def _take(self, reference: Reference) -> None:
        value = self.actual(reference.value)
        if value is LossContext or _is_error(value):
            return
        if isinstance(value, types.FunctionType | type) and _home(value) in self._homes:
            self._visit(value)
            return
        text = "torch.empty(0, dtype=torch.int64)" if value is EVERY else literal(value)
        if text is None:
            raise InputError(
                "what a loss is made of must be functions, numbers, torch and the standard "
                f"library to be written down, but got {reference.name}={value!r:.60}."
            )
        name = reference.name
        while self.constants.get(name, text) != text:
            name += "_"
        if name not in self.constants:
            name = self._free(name)
        self.constants[name] = text
        self._constants[reference.node] = name

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def is_within(span: Span, others: Iterable[Span]) -> bool:
    """Return whether a span begins in one of others."""
    return any(start <= span[0] < end for start, end in others)


def _kept_alone(code: Code, call: ast.Call, kept: ast.expr, after: str) -> list[Edit]:
    """Return the edits by which an argument stands in the place of a call."""
    (start, end), (first, last) = code.span(call), code.span(kept)
    atoms = ast.Name | ast.Call | ast.Attribute | ast.Subscript
    inside = isinstance(code.parents[call], ast.operator | ast.BinOp | ast.UnaryOp | ast.Attribute)
    if isinstance(kept, atoms) or not (after or inside):
        return [((start, first), ""), ((last, end), after)]
    return [((start, first), "("), ((last, end), f"){after}")]


def names_in(node: ast.AST) -> set[str]:
    """Return all names that are read in a part of a text."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def literal(value: Any) -> str | None:
    """Return a constant as it is written, None where it cannot be."""
    if isinstance(value, bool | int | str | torch.dtype) or value is None:
        return repr(value)
    if isinstance(value, float):
        # As a formatter writes it: 1e30, not 1e+30.
        return repr(value).replace("e+", "e") if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, tuple | list):
        parts = [literal(item) for item in value]
        if None in parts:
            return None
        inner = ", ".join(map(str, parts))
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(parts) == 1 else f"({inner})"
    if isinstance(value, Tensor):
        return f"torch.tensor({value.tolist()}, dtype={value.dtype})"
    return None


def _is_error(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, AutolossError)


def is_external(value: Any) -> bool:
    """Return whether something is of torch or the standard library."""
    # An alias of a type, such as a union, is of the module that gives it a name.
    return _home(value) in ALLOWED and (isinstance(value, type) or get_origin(value) is None)


def _home(value: Any) -> str:
    """Return the package that a module, function or class is of, empty for anything else."""
    if isinstance(value, types.ModuleType):
        name = value.__name__
    elif isinstance(value, type) or callable(value):
        name = getattr(value, "__module__", None) or ""
    else:
        name = ""
    return name.partition(".")[0]


def _import_line(reference: Reference) -> str:
    """Return the line that gives a module, or what is in one, its name."""
    name, value = reference.name, reference.value
    if isinstance(value, types.ModuleType):
        package, _, last = value.__name__.rpartition(".")
        if value.__name__ == name:
            return f"import {name}"
        if last == name:
            return f"from {package} import {name}"
        return f"import {value.__name__} as {name}"
    own = getattr(value, "__name__", name)
    home = value.__module__ or ""
    is_public = not any(part.startswith("_") for part in home.split("."))
    for module in (home, *_PUBLIC) if is_public else (*_PUBLIC, home):
        if getattr(sys.modules.get(module), own, None) is value:
            renamed = "" if own == name else f" as {name}"
            return f"from {module} import {own}{renamed}"
    raise InputError(
        f"what a loss is made of must be importable to be written down, but got {name}={value!r}."
    )
