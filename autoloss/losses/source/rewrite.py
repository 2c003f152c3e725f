"""A function or class as it is written into a loss: short, with its settings as defaults."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Mapping
from typing import Any

from autoloss.losses.source.contexts import CONTEXT, Contexts
from autoloss.losses.source.gather import Gathered, is_within
from autoloss.losses.source.layout import paragraph, signature
from autoloss.losses.source.numbers import Numbers
from autoloss.losses.source.reading import Code, Span

_FORMULA = re.compile(r"``(L = .+?)``", re.DOTALL)


class Rewriter:
    """Writes gathered functions down.

    Args:
        gathered: The functions.
        defaults: For the functions that the loss calls itself, the values of their parameters.
    """

    def __init__(self, gathered: Gathered, defaults: Mapping[Any, Mapping[str, float]]) -> None:
        self.gathered = gathered
        self.contexts = Contexts(gathered)
        self._defaults = {gathered.actual(key): value for key, value in defaults.items()}
        self._numbers = Numbers(gathered)
        called = (
            gathered.actual(reference.value)
            for code in gathered.codes
            for reference in gathered.used(code)
        )
        self._shared = {id(value) for value in called}

    def text(self, code: Code, *, methods: Collection[str] = ()) -> str:
        """Return a function, or a class with some of its methods alone."""
        if isinstance(code.tree, ast.FunctionDef):
            return self._function(code, code.tree)
        return self._class(code, code.tree, methods)

    def _function(self, code: Code, tree: ast.FunctionDef) -> str:
        is_method = tree is not code.tree
        defaults = {} if is_method else self._defaults.get(code.value, {})
        shared = id(code.value) in self._shared
        names = frozenset(defaults)
        numbers = self._numbers.among(code, names, sliced=not shared) if defaults else names
        lines = [
            f"@{self._edited(code, code.span(decorator), frozenset())}"
            for decorator in tree.decorator_list
            if not self._is_cut(code, decorator)
        ]
        name = tree.name if is_method else self.gathered.name(code.value)
        arguments = self._arguments(code, tree, defaults)
        returns = self._annotation(code, tree.returns)
        tail = f" -> {returns}:" if returns else ":"
        lines.append(signature(f"def {name}", arguments, tail))
        lines += _docstring(ast.get_docstring(tree) or "")
        first = (*code.arguments.args, *code.arguments.kwonlyargs)
        for name in defaults:
            if name not in numbers:
                like = first[0].arg if first[0].arg != "scored" else "scored.logits"
                lines.append(f"    {name} = {_as_tensor(name, like, shared=shared)}")
        lines.append(self._body(code, tree, numbers if not shared else frozenset()))
        return "\n".join(lines)

    def _class(self, code: Code, tree: ast.ClassDef, methods: Collection[str]) -> str:
        none: frozenset[str] = frozenset()
        lines = [f"@{self._edited(code, code.span(one), none)}" for one in tree.decorator_list]
        bases = ", ".join(self._edited(code, code.span(base), none) for base in tree.bases)
        name = self.gathered.name(code.value)
        lines.append(f"class {name}({bases}):" if bases else f"class {name}:")
        lines += _docstring(ast.get_docstring(tree) or "")
        fields, blocks = [], ["\n".join(lines)]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                if node.name in methods or node.name.startswith("__"):
                    blocks.append(textwrap.indent(self._function(code, node), "    "))
            elif isinstance(node, ast.AnnAssign):
                annotation = self._annotation(code, node.annotation) or "object"
                field = f"    {ast.unparse(node.target)}: {annotation}"
                if node.value is not None:
                    field += f" = {self._edited(code, code.span(node.value), none)}"
                fields.append(field)
            elif not isinstance(node, ast.Expr):
                fields.append("    " + self._edited(code, code.span(node), none))
        if fields:
            blocks.insert(1, "\n".join(fields))
        return "\n\n".join(blocks)

    def _arguments(
        self, code: Code, tree: ast.FunctionDef, defaults: Mapping[str, float]
    ) -> list[str]:
        """Return the arguments of a function as they are written."""
        found, given = [], tree.args
        positional = [*given.posonlyargs, *given.args]
        bare = len(positional) - len(given.defaults)
        own: list[ast.expr | None] = [*[None] * bare, *given.defaults]
        for one, default in zip(positional, own, strict=True):
            found.append(self._argument(code, one, default))
        if given.vararg:
            found.append(f"*{self._argument(code, given.vararg, None)}")
        options = []
        for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
            if one.arg == CONTEXT and not self.contexts.keeps(code):
                continue
            if one.arg in defaults:
                options.append(f"{one.arg}: float = {float(defaults[one.arg])!r}")
            else:
                options.append(self._argument(code, one, default))
        if options and not given.vararg:
            found.append("*")
        found += options
        return [*found, f"**{self._argument(code, given.kwarg, None)}"] if given.kwarg else found

    def _argument(self, code: Code, one: ast.arg, default: ast.expr | None) -> str:
        annotation = self._annotation(code, one.annotation)
        value = None if default is None else self._edited(code, code.span(default), frozenset())
        if annotation is None:
            return one.arg if value is None else f"{one.arg}={value}"
        return f"{one.arg}: {annotation}" + ("" if value is None else f" = {value}")

    def _annotation(self, code: Code, node: ast.expr | None) -> str | None:
        """Return an annotation, None where it names something that is not written."""
        if node is None:
            return None
        text = ast.unparse(node)
        for one in ast.walk(node):
            found = code.references.get(one)
            word = None if found is None else self.gathered.annotation(found)
            if found is None and (not isinstance(one, ast.Name) or one.id in _BUILT_IN):
                continue
            if word is None:
                return None
            text = re.sub(rf"\b{re.escape(ast.unparse(one))}\b", word, text)
        return "SimpleNamespace" if text == "SimpleNamespace | None" else text

    def _body(self, code: Code, tree: ast.FunctionDef, numbers: frozenset[str]) -> str:
        """Return the lines of a function behind its docstring."""
        statements = tree.body
        if ast.get_docstring(tree) is not None:
            # With it go no comments: those stand above the next statement.
            start = code.lines(statements[0])[1]
            statements = statements[1:]
        else:
            start = code.lines(statements[0])[0]
        if not statements:
            return ""
        end = code.lines(statements[-1])[1]
        if start <= code.span(tree)[0]:
            start = code.span(statements[0])[0]
            return "    " + self._edited(code, (start, end), numbers).rstrip()
        body = textwrap.dedent(self._edited(code, (start, end), numbers)).strip("\n").rstrip()
        return textwrap.indent(body, "    ")

    def _edited(self, code: Code, span: Span, numbers: frozenset[str]) -> str:
        """Return a part of a text with other names, without what is left out."""
        edits = [
            *self.gathered.edits(code),
            *((cut, "") for cut in self.contexts.cuts(code)),
        ]
        for node in self._numbers.slices(code, numbers):
            end = code.span(node.value)[1]
            edits.append(((code.text.index(b"[", end), code.span(node)[1]), ""))
        gone = [where for where, _ in edits]
        for reference in self.gathered.used(code):
            where, word = code.span(reference.node), self.gathered.word(reference)
            if word != ast.unparse(reference.node) and not is_within(where, gone):
                edits.append((where, word))
        text, shift = code.text[span[0] : span[1]], span[0]
        for (start, end), word in sorted(edits, reverse=True):
            if span[0] <= start and end <= span[1]:
                text = text[: start - shift] + word.encode() + text[end - shift :]
        return text.decode()

    def _is_cut(self, code: Code, node: ast.expr) -> bool:
        return (code.span(node), "") in self.gathered.edits(code)


_BUILT_IN = {"int", "float", "bool", "str", "bytes", "tuple", "list", "dict", "set", "object"}


def _as_tensor(name: str, like: str, *, shared: bool) -> str:
    if shared:
        return f"torch.as_tensor({name}, dtype={like}.dtype, device={like}.device)"
    return f"{like}.new_full((), {name})"


def _docstring(text: str) -> list[str]:
    """Return the first lines of a description, and the formula of a loss."""
    summary = " ".join(text.partition("\n\n")[0].split())
    if not summary:
        return []
    found = _FORMULA.search(text)
    formula = f"``{' '.join(found[1].split())}``" if found else ""
    quotes = 'r"""' if "\\" in summary + formula else '"""'
    if formula and formula not in summary:
        return [paragraph(quotes + summary), "", paragraph(formula), '    """']
    line = paragraph(f'{quotes}{summary}"""')
    # The quotes stand behind a single line, so it needs room for them.
    return [line] if "\n" not in line else [paragraph(quotes + summary, spare=3), '    """']
