"""Which arguments of a function may be plain numbers where it is written for tensors.

What is said to be one is one: an argument counts as a number only where all that is done with it
is known to give with a number what it gives with a tensor of no axes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from autoloss.losses.source.gather import Gathered
from autoloss.losses.source.reading import Code

_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult)
_MIXED = (*_ARITHMETIC, ast.Div, ast.Pow)
_NO_TENSORS = {"size", "dim", "item", "tolist", "numel", "finfo", "iinfo"}
_TENSOR_FIELDS = {"logits", "log_probs", "norms", "memory", "class_counts", "scale", "shift"}


class Numbers:
    """Which arguments of some functions may be plain numbers.

    Args:
        gathered: The functions, which may hand their arguments to each other.
    """

    def __init__(self, gathered: Gathered) -> None:
        self.gathered = gathered
        self._known: dict[tuple[Code, frozenset[str], bool], frozenset[str]] = {}

    def among(self, code: Code, names: frozenset[str], *, sliced: bool) -> frozenset[str]:
        """Return which of some arguments may be numbers, all of them together.

        Args:
            code: The function.
            names: The arguments.
            sliced: Whether ``name[..., None]`` may become ``name``.
        """
        key = (code, names, sliced)
        if key not in self._known:
            self._known[key] = frozenset()  # for a function that calls itself
            numbers = names
            while unsafe := _Reading(self, code, numbers, sliced=sliced).unsafe():
                numbers -= unsafe
            self._known[key] = numbers
        return self._known[key]

    def slices(self, code: Code, numbers: frozenset[str]) -> list[ast.Subscript]:
        """Return the ``[..., None]`` of a function that stand behind numbers."""
        reading = _Reading(self, code, numbers, sliced=True)
        return [
            node
            for node in ast.walk(code.tree)
            if isinstance(node, ast.Subscript) and is_slice(node) and reading.is_number(node.value)
        ]


class _Reading:
    """A function whose arguments `numbers` are taken to be numbers."""

    def __init__(
        self, owner: Numbers, code: Code, numbers: frozenset[str], *, sliced: bool
    ) -> None:
        self.owner, self.code, self.numbers, self.sliced = owner, code, numbers, sliced
        # What each name of a number comes from: itself, or the arguments it is computed from.
        self.origins: dict[str, frozenset[str]] = {name: frozenset({name}) for name in numbers}
        self.tensors = {
            one.arg
            for one in (*code.arguments.args, *code.arguments.kwonlyargs)
            if isinstance(one.annotation, ast.Name)
            and one.annotation.id == "Tensor"
            and one.arg not in numbers
        }
        self._follow()

    def unsafe(self) -> frozenset[str]:
        """Return the arguments with which something is done that wants a tensor."""
        # What is given another value may be anything from then on.
        found = frozenset(name for name, _ in _assignments(self.code.tree)) & self.numbers
        for node in ast.walk(self.code.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                whole = self._whole(node) if node.id in self.origins else None
                if whole is not None and not self._is_safe(whole):
                    found |= self._origins(whole)
        return found

    def is_number(self, node: ast.AST) -> bool:
        """Return whether an expression is a number for sure."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, int | float)
        if isinstance(node, ast.Name) and node.id in self.origins:
            return True
        if isinstance(node, ast.UnaryOp):
            return isinstance(node.op, ast.USub | ast.UAdd) and self.is_number(node.operand)
        if isinstance(node, ast.BinOp):
            both = self.is_number(node.left) and self.is_number(node.right)
            return both and isinstance(node.op, _ARITHMETIC)
        if is_slice(node):
            assert isinstance(node, ast.Subscript)
            return self.sliced and self.is_number(node.value)
        found = self.code.references.get(node)
        return found is not None and isinstance(found.value, int | float)

    def is_tensor(self, node: ast.AST) -> bool:
        """Return whether an expression is a tensor for sure."""
        if isinstance(node, ast.Name):
            return node.id in self.tensors
        if isinstance(node, ast.BinOp):
            return self.is_tensor(node.left) or self.is_tensor(node.right)
        if isinstance(node, ast.UnaryOp):
            return self.is_tensor(node.operand)
        if isinstance(node, ast.Subscript):
            return self.is_tensor(node.value)
        if isinstance(node, ast.Attribute):
            return node.attr in _TENSOR_FIELDS
        if isinstance(node, ast.Compare):
            return any(map(self.is_tensor, (node.left, *node.comparators)))
        return isinstance(node, ast.Call) and self._gives_tensor(node)

    def _gives_tensor(self, call: ast.Call) -> bool:
        if not isinstance(call.func, ast.Attribute):
            ours = self.owner.gathered.code(self.code.called(call))
            if ours is not None and isinstance(ours.tree, ast.FunctionDef) and ours.tree.returns:
                return ast.unparse(ours.tree.returns).startswith(("Tensor", "tuple[Tensor"))
            values = [*call.args, *(keyword.value for keyword in call.keywords)]
            return call.func in self.code.references and any(map(self.is_tensor, values))
        if call.func.attr in _NO_TENSORS:
            return False
        module = self.code.references.get(call.func.value)
        name = getattr(module.value, "__name__", "") if module is not None else ""
        return name.partition(".")[0] == "torch" or self.is_tensor(call.func.value)

    def _follow(self) -> None:
        """Note the names that are given a number or a tensor, until nothing is new."""
        values: dict[str, list[ast.AST]] = {}
        for target, value in _assignments(self.code.tree):
            values.setdefault(target, []).append(value)
        known = -1
        while known != (known := len(self.tensors) + len(self.origins)):
            for name, given in values.items():
                if all(map(self.is_tensor, given)):
                    self.tensors.add(name)
                elif len(given) == 1 and self.is_number(given[0]):
                    self.origins[name] = self._origins(given[0])

    def _origins(self, node: ast.AST) -> frozenset[str]:
        names = (one.id for one in ast.walk(node) if isinstance(one, ast.Name))
        return frozenset().union(*(self.origins.get(name, frozenset()) for name in names))

    def _whole(self, node: ast.AST) -> ast.AST:
        """Return the largest expression around a number that is one."""
        while self.is_number(around := self.code.parents[node]):
            node = around
        return node

    def _is_safe(self, node: ast.AST) -> bool:
        """Return whether what is done with a number can be done with one."""
        around = self.code.parents[node]
        if isinstance(around, ast.BinOp):
            other = around.right if node is around.left else around.left
            return isinstance(around.op, _MIXED) and self.is_tensor(other)
        if isinstance(around, ast.Assign):
            target = around.targets[0]
            return isinstance(target, ast.Name) and target.id in self.origins
        if isinstance(around, ast.keyword):
            call = self.code.parents[around]
            return isinstance(call, ast.Call) and self._takes(call, around.arg)
        if isinstance(around, ast.Call) and node in around.args:
            return self._takes(around, around.args.index(node))
        return False

    def _takes(self, call: ast.Call, argument: Any) -> bool:
        """Return whether the function that is called takes a number there."""
        called = self.owner.gathered.code(self.code.called(call))
        if called is None:
            return False
        positions = [one.arg for one in called.arguments.args]
        given = dict(zip(positions, call.args, strict=False))
        given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        numbers = frozenset(name for name, value in given.items() if self.is_number(value))
        name = positions[argument] if isinstance(argument, int) else argument
        return name in self.owner.among(called, numbers, sliced=False)


def is_slice(node: ast.AST) -> bool:
    """Return whether an expression is ``something[..., None]``."""
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Tuple)
        and [ast.unparse(one) for one in node.slice.elts] == ["...", "None"]
    )


def _assignments(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield every name that is given a value, with the value; of several at once, none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Call):
                # Several values of one call: tensors if one is.
                pairs = [(one, node.value) for one in target.elts]
            yield from ((one.id, value) for one, value in pairs if isinstance(one, ast.Name))
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.value
