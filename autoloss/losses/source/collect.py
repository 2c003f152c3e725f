"""Collecting the functions of a loss and their helpers as source text."""

from __future__ import annotations

import ast
import copy
import itertools
import math
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, cast, get_origin

import torch
from torch import Tensor

from autoloss.core.errors import AutolossError, InputError
from autoloss.core.task import TaskKind
from autoloss.losses.context import LossContext
from autoloss.losses.declare import declare, declare_penalty
from autoloss.losses.labels import EVERY
from autoloss.losses.numerics import log_softmax, softmax
from autoloss.losses.source.code import Code, Edit, Span, is_within, unwrapped
from autoloss.losses.source.layout import WIDTH, fitted, paragraph

_PUBLIC = ("torch", "torch.nn", "torch.nn.functional", "math", "typing")
# The nodes in which a parameter without axes may replace one with a class axis.
_PLACES = ast.BinOp | ast.Call | ast.Compare | ast.keyword
_FORMULA = re.compile(r"``L = .+?``", re.DOTALL)


class Collector:
    """Some functions, with all functions, constants and imports that they need.

    Args:
        settings: The functions to begin with, each with the numbers of its parameters.
        inlined: Functions whose calls are replaced by the first argument, each with the text that
            follows the argument; softmax and log-softmax are replaced too.
        reserved: Names that no collected value may have.

    Raises:
        InputError: If a function needs a value that is neither of autoloss nor of torch nor of the
            standard library.
    """

    def __init__(
        self,
        settings: Mapping[Callable[..., Any], Mapping[str, float]],
        *,
        inlined: Mapping[Callable[..., Any], str],
        reserved: Iterable[str],
    ) -> None:
        self.constants: dict[str, str] = {}
        self.imports: dict[str, str] = {}
        self._settings = {unwrapped(one): values for one, values in settings.items()}
        self._inlined = {log_softmax: (0, ".log_softmax(-1)"), softmax: (0, ".softmax(-1)")}
        self._inlined |= {cast: (1, "")} | {one: (0, after) for one, after in inlined.items()}
        self._taken = set(reserved)
        self._names: dict[Any, str] = {}
        self._codes: dict[Any, Code] = {}
        self._edits: dict[Any, list[Edit]] = {}
        self._takes_context: set[Any] = set()
        self._shared: set[Any] = set()
        self._homes = {"autoloss", *map(_home, self._settings)}
        for one in self._settings:
            self._add(one)

    def name(self, value: Any) -> str:
        """Return the name of a collected function; empty for others."""
        return self._names.get(unwrapped(value), "")

    def takes_context(self, value: Any) -> bool:
        """Return whether a collected function reads the context."""
        return unwrapped(value) in self._takes_context

    @property
    def context_fields(self) -> list[str]:
        """Return the fields of the context that the functions read."""
        return sorted(set(re.findall(r"\bcontext\.(\w+)", self.text)))

    @cached_property
    def text(self) -> str:
        """Return the code of all functions; each follows the functions that it needs."""
        return fitted("\n\n\n".join(map(self._text, self._codes.values())))

    def _add(self, value: Any) -> str:
        """Collect a function and its dependencies; return its name."""
        if value in self._names:
            return self._names[value]
        code = Code.of(value)
        self._names[value] = self._free(code.tree.name)
        edits = list(self._left_out(code))
        gone = [span for span, _ in edits]
        hidden = [*gone, *(code.span(one) for one in code.annotations)]
        for node, (name, found) in code.references.items():
            if not any(is_within(code.span(node), one) for one in hidden):
                edits.append((code.span(node), self._word(name, found)))
        for annotation in code.annotations:
            edits += self._annotation(code, annotation)
        edits += self._unread_contexts(code, [span for span, new in edits if "context" not in new])
        # After its dependencies.
        self._codes[value], self._edits[value] = code, edits
        return self._names[value]

    def _word(self, name: str, value: Any) -> str:
        """Collect the value of a name and return its name in the text."""
        value = unwrapped(value)
        if stand_in := _stand_in(value):
            return stand_in
        if _is_external(value):
            self.imports[name] = _import_line(name, value)
            return name
        if isinstance(value, types.FunctionType | type) and _home(value) in self._homes:
            self._shared.add(value)
            return self._add(value)
        if value is EVERY:
            self.constants["EVERY"] = "torch.empty(0, dtype=torch.int64)"
            return "EVERY"
        text = literal(value)
        if text is None:
            raise InputError(
                "a loss must use functions, numbers, torch and the standard library alone to have "
                f"source code, but got {name}={value!r:.60}."
            )
        if (name, text) not in self._names:
            self._names[name, text] = self._free(name)
        self.constants[self._names[name, text]] = text
        return self._names[name, text]

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def _left_out(self, code: Code) -> Iterator[Edit]:
        """Yield the edits that drop declarations, checks of the context and inlined calls."""
        for one in code.tree.decorator_list:
            if code.called(one) in (declare, declare_penalty):
                yield code.span(one), ""
        for node in ast.walk(code.tree):
            if isinstance(node, ast.Assert) and any(map(_is_context, ast.walk(node))):
                yield code.lines(node), ""
            elif isinstance(node, ast.Call) and code.called(node) in self._inlined:
                place, after = self._inlined[code.called(node)]
                yield from _kept_alone(code, node, node.args[place], after)

    def _annotation(self, code: Code, node: ast.expr) -> Iterator[Edit]:
        """Yield the edits of an annotation; ``object`` replaces types that are not collected."""
        for one in ast.walk(node):
            if one in code.references:
                name, value = code.references[one]
                is_here = any(value is known for known in self._names)
                if not (is_here or _is_external(value) or _stand_in(value)):
                    yield code.span(node), "object"
                    return
                yield code.span(one), self._word(name, value)

    def _unread_contexts(self, code: Code, gone: list[Span]) -> Iterator[Edit]:
        """Find whether a function reads the context; yield edits that drop unread arguments."""
        if not isinstance(code.tree, ast.FunctionDef):
            return
        reads = any(one.arg == "context" for one in code.tree.args.args)
        self._takes_context.add(code.value)  # for a function that calls itself
        for node in filter(_is_context, ast.walk(code.tree)):
            if any(is_within(code.span(node), one) for one in gone):
                continue
            keyword = code.parents[node]
            call = code.parents[keyword]
            called = code.called(call)
            if isinstance(call, ast.Call) and called in self._names.keys() - self._takes_context:
                start, end = code.span(keyword)
                others = [code.span(one)[1] for one in (*call.args, *call.keywords)]
                yield (max((one for one in others if one <= start), default=start), end), ""
            else:
                reads = True
        if not reads:
            self._takes_context.remove(code.value)

    def _text(self, code: Code) -> str:
        """Return the final text of a function or class."""
        edits = [*self._edits[code.value], *_short_docstrings(code)]
        if isinstance(code.tree, ast.FunctionDef):
            return self._function(code, code.tree, edits)
        nodes = [node for one in self._codes.values() for node in ast.walk(one.tree)]
        used = {one.attr for one in nodes if isinstance(one, ast.Attribute)}
        for before, one in itertools.pairwise(code.tree.body):
            if isinstance(one, ast.FunctionDef) and one.name not in used and one.name[:2] != "__":
                edits.append(((code.span(before)[1], code.span(one)[1]), ""))
        text = code.edited((0, code.span(code.tree)[1]), edits)
        return text.replace(f"class {code.tree.name}", f"class {self._names[code.value]}", 1)

    def _function(self, code: Code, tree: ast.FunctionDef, edits: list[Edit]) -> str:
        """Return the text of a function whose parameters are numbers, and tensors in its body."""
        settings, shared = self._settings.get(code.value, {}), code.value in self._shared
        if not shared:
            edits += _slices(code, tree, settings)
        kept = [one for one in tree.decorator_list if (code.span(one), "") not in edits]
        lines = [f"@{code.edited(code.span(one), edits)}" for one in kept]
        lines.append(self._signature(code, tree, edits))
        start, body = code.span(tree.body[0])
        if ast.get_docstring(tree):
            lines.append(f"    {code.edited((start, body), edits)}")
        else:
            line = code.lines(tree.body[0])[0]
            body = start if code.text[line:start].strip() else line
        first = tree.args.args[0].arg if settings else ""
        like = "scored.logits" if first == "scored" else first
        read = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}
        for name in filter(read.__contains__, settings):
            made = f"{like}.new_full((), {name})"
            if shared:
                made = f"torch.as_tensor({name}, dtype={like}.dtype, device={like}.device)"
            lines.append(f"    {name} = {made}")
        rest = textwrap.dedent(code.edited((body, code.span(tree)[1]), edits)).strip("\n")
        return "\n".join([*lines, textwrap.indent(rest, "    ")])

    def _signature(self, code: Code, tree: ast.FunctionDef, edits: list[Edit]) -> str:
        given, settings = copy.deepcopy(tree.args), self._settings.get(code.value, {})
        positional = reversed([*given.posonlyargs, *given.args])
        pairs = [*zip(positional, reversed(given.defaults), strict=False)]
        defaults = dict([*pairs, *zip(given.kwonlyargs, given.kw_defaults, strict=True)])
        if not self.takes_context(code.value):
            given.kwonlyargs = [one for one in given.kwonlyargs if one.arg != "context"]
        for one in (node for node in ast.walk(given) if isinstance(node, ast.arg)):
            span = code.span(one)[0], code.span(defaults.get(one) or one)[1]
            # A name includes its type and default here, which are text already.
            own = f"{one.arg}: float = {literal(settings.get(one.arg))}"
            one.arg = own if one.arg in settings else code.edited(span, edits)
            one.annotation = None
        given.defaults, given.kw_defaults = [], [None] * len(given.kwonlyargs)
        tail = f" -> {code.edited(code.span(tree.returns), edits)}:" if tree.returns else ":"
        return f"def {self._names[code.value]}({ast.unparse(given)}){tail}"


def literal(value: Any) -> str | None:
    """Return the source text of a constant, or None if it has none."""
    if isinstance(value, Tensor):
        return f"torch.tensor({value.tolist()}, dtype={value.dtype})"
    if isinstance(value, float):
        # The form of a formatter: 1e30, not 1e+30.
        return repr(value).replace("e+", "e") if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, tuple | list):
        parts = [literal(item) for item in value]
        if None in parts:
            return None
        inner = ", ".join(map(str, parts))
        comma = "," if len(parts) == 1 else ""
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{comma})"
    is_plain = isinstance(value, bool | int | str | torch.dtype) or value is None
    return repr(value) if is_plain else None


def _short_docstrings(code: Code) -> Iterator[Edit]:
    """Yield the edits that shorten docstrings to their first paragraph and the formula."""
    for tree in (code.tree, *code.tree.body):
        if not isinstance(tree, ast.FunctionDef | ast.ClassDef):
            continue
        if not (text := ast.get_docstring(tree)):
            continue
        summary, indent = text.partition("\n\n")[0], " " * (tree.col_offset + 4)
        formula = next(iter(_FORMULA.findall(text)), "")
        quotes = 'r"""' if "\\" in summary + formula else '"""'
        if formula not in summary:
            summary += f"\n\n{paragraph(formula, '')}\n"
        elif len(f'{indent}{quotes}{summary}"""') > WIDTH:
            summary = textwrap.fill(summary, WIDTH - len(indent) - 6) + "\n"
        whole = textwrap.indent(f'{quotes}{summary}"""', indent)
        yield code.span(tree.body[0]), whole.strip()


def _slices(code: Code, tree: ast.FunctionDef, names: Iterable[str]) -> Iterator[Edit]:
    """Yield the edits that drop the class axis of parameters, which have no axes in the text."""
    nodes, own = list(ast.walk(tree)), {*ast.walk(tree.args)}
    # A name that is bound again may be a tensor with axes.
    again = {one.arg for one in nodes if isinstance(one, ast.arg) and one not in own}
    words = (one for one in nodes if isinstance(one, ast.Name))
    again |= {one.id for one in words if not isinstance(one.ctx, ast.Load)}
    for node in nodes:
        if (
            isinstance(node, ast.Subscript)
            and ast.unparse(node.slice) == "(..., None)"
            and isinstance(node.value, ast.Name)
            and node.value.id in {*names} - again
            and isinstance(code.parents[node], _PLACES)
        ):
            yield (code.span(node.value)[1], code.span(node)[1]), ""


def _kept_alone(code: Code, call: ast.Call, kept: ast.expr, after: str) -> Iterator[Edit]:
    """Yield the edits that replace a call by an argument of it."""
    (start, end), (first, last) = code.span(call), code.span(kept)
    atoms = ast.Name | ast.Call | ast.Attribute | ast.Subscript
    inside = isinstance(code.parents[call], ast.BinOp | ast.UnaryOp | ast.Attribute)
    opened, closed = "", after
    if not isinstance(kept, atoms) and (after or inside):
        opened, closed = "(", f"){after}"
    if after.startswith(" ") and inside:
        opened, closed = f"({opened}", f"{closed})"
    yield (start, first), opened
    yield (last, end), closed


def _is_context(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "context"


def _stand_in(value: Any) -> str:
    """Return the standard type that replaces a type of autoloss; empty if there is none."""
    if isinstance(value, type) and issubclass(value, AutolossError):
        return "ValueError"
    return "SimpleNamespace" if value is LossContext else "str" if value is TaskKind else ""


def _is_external(value: Any) -> bool:
    """Return whether a value is of torch or the standard library."""
    # An alias of a type, such as a union, belongs to the module that names it.
    is_alias = not isinstance(value, type) and get_origin(value) is not None
    return _home(value) in ("torch", *sys.stdlib_module_names) and not is_alias


def _home(value: Any) -> str:
    """Return the package of a module, function or class; empty for other values."""
    name = ""
    if isinstance(value, types.ModuleType):
        name = value.__name__
    elif isinstance(value, type) or callable(value):
        name = getattr(value, "__module__", None) or ""
    return name.partition(".")[0]


def _import_line(name: str, value: Any) -> str:
    """Return the line that imports a module, or a member of a module, under a name."""
    if isinstance(value, types.ModuleType):
        package, _, last = value.__name__.rpartition(".")
        if package and last == name:
            return f"from {package} import {name}"
        return f"import {name}" if value.__name__ == name else f"import {value.__name__} as {name}"
    own = getattr(value, "__name__", name)
    home = value.__module__ or ""
    is_public = not any(part.startswith("_") for part in home.split("."))
    for module in (home, *_PUBLIC) if is_public else (*_PUBLIC, home):
        if getattr(sys.modules.get(module), own, None) is value:
            renamed = "" if own == name else f" as {name}"
            return f"from {module} import {own}{renamed}"
    raise InputError(
        f"a loss must use importable names alone to have source code, but got {name}={value!r}."
    )
