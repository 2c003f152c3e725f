"""Which functions read the context of a loss, and what of it; the others do without."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autoloss.losses.source.gather import Gathered, is_within
from autoloss.losses.source.reading import Code, Span

CONTEXT = "context"


class Contexts:
    """Which of some functions read the context.

    Args:
        gathered: The functions.
    """

    def __init__(self, gathered: Gathered) -> None:
        self.gathered = gathered
        self._keeps: dict[Code, bool] = {}

    @property
    def fields(self) -> set[str]:
        """Return what is read of the context."""
        return {
            around.attr
            for code in self.gathered.codes
            for node in self._reads(code)
            if isinstance(around := code.parents[node], ast.Attribute)
        }

    def keeps(self, code: Code | None) -> bool:
        """Return whether a function reads the context, or hands it to one that does."""
        if code is None or CONTEXT not in _options(code):
            return False
        if code not in self._keeps:
            self._keeps[code] = True  # for a function that calls itself
            self._keeps[code] = any(
                not isinstance(code.parents[node], ast.keyword) or self._hands_on(code, node)
                for node in self._reads(code)
            )
        return self._keeps[code]

    def cuts(self, code: Code) -> list[Span]:
        """Return the spans in which a context is handed to functions that do without."""
        found = []
        for node in self._reads(code):
            keyword = code.parents[node]
            if isinstance(keyword, ast.keyword) and not self._hands_on(code, node):
                call = code.parents[keyword]
                assert isinstance(call, ast.Call)
                start, end = code.span(keyword)
                before = [
                    code.span(one)[1]
                    for one in (*call.args, *call.keywords)
                    if code.span(one)[1] <= start
                ]
                found.append((max(before, default=start), end))
        return found

    def _hands_on(self, code: Code, node: ast.Name) -> bool:
        call = code.parents[code.parents[node]]
        assert isinstance(call, ast.Call)
        called = self.gathered.code(code.called(call))
        return called is None or self.keeps(called)

    def _reads(self, code: Code) -> Iterator[ast.Name]:
        """Yield where a text names the context, but for what is left out."""
        gone = [span for span, _ in self.gathered.edits(code)]
        for node in ast.walk(code.tree):
            if not isinstance(node, ast.Name) or node.id != CONTEXT:
                continue
            if not is_within(code.span(node), gone):
                yield node


def _options(code: Code) -> list[str]:
    arguments = code.arguments
    return [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
