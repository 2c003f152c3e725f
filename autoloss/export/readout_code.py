"""The read-outs of a model's members as Python code."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import replace
from typing import Any

from autoloss.inference.classifier import Classifier
from autoloss.inference.member import Member
from autoloss.losses.tuned import Tuned, as_counts

# Names that the template of the code imports.
_IMPORTED = frozenset({"math", "torch", "Tensor", "nn", "functional"})
_KEPT = ("scores", "readout")
_PLAIN = '''def _softmax() -> Any:
    """Return the read-out by softmax, whose scores are the logits themselves."""
    return lambda logits: logits'''
_PAIRS = '''def _softmax() -> Any:
    """Return the read-out by softmax, whose scores are pairs of 0 and the logit of a label."""
    return lambda logits: torch.stack([torch.zeros_like(logits), logits], -1)'''


class ReadoutCode:
    """The code of a classifier's read-outs, without repeats.

    Args:
        classifier: The classifier.

    Raises:
        InputError: If a loss has no source.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._bodies: dict[str, int] = {}
        self.places = [
            self._bodies.setdefault(_body(classifier, member), len(self._bodies))
            for member in classifier.members
        ]

    @property
    def text(self) -> str:
        """Return the functions, and the list ``READOUTS`` of their results."""
        functions, names = [], []
        for body, place in self._bodies.items():
            name = "_softmax" if body in (_PLAIN, _PAIRS) else f"_readout_{place}"
            functions.append(body.replace("_readout()", f"{name}()", 1))
            names.append(f"{name}()")
        return "\n\n\n".join([*functions, f"READOUTS = [{', '.join(names)}]"])


def _body(classifier: Classifier, member: Member) -> str:
    """Return the code of a function that makes the read-out of a member."""
    readout = member.readout
    if readout.source == "softmax":
        return _PAIRS if classifier.task.names else _PLAIN
    tuned = Tuned(
        lr=0.0,
        readout=readout.source,
        class_counts=as_counts(member.class_counts.double().tolist()),
        class_weights=_tuple(classifier.class_weights),
        class_similarity=None
        if classifier.class_similarity is None
        else tuple(tuple(row) for row in classifier.class_similarity.tolist()),
    )
    source = replace(readout.spec, tuned=tuned).source(task=classifier.task.kind)
    blocks = _needed(source)
    return "\n".join(
        [
            "def _readout() -> Any:",
            f'    """Return the read-out of {readout.spec.base} by its {readout.source}."""',
            textwrap.indent("\n\n".join(blocks), "    "),
            "",
            f"    return Loss().{_last(source)}",
        ]
    )


def _tuple(values: Any) -> tuple[float, ...] | None:
    return None if values is None else tuple(values.tolist())


def _methods(loss: ast.ClassDef) -> list[ast.FunctionDef]:
    return [one for one in loss.body if isinstance(one, ast.FunctionDef) and one.name in _KEPT]


def _last(source: str) -> str:
    """Return the name of the method that computes the scores."""
    return _methods(_loss(ast.parse(source)))[-1].name


def _loss(tree: ast.Module) -> ast.ClassDef:
    return next(one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "Loss")


def _needed(source: str) -> list[str]:
    """Return the parts of a loss's source that its read-out needs, in their order."""
    tree = ast.parse(source)
    methods = _methods(_loss(tree))
    defined: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            defined[node.targets[0].id] = node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) not in _IMPORTED:
                    defined[alias.asname or alias.name] = node
    found: set[str] = set()
    waiting = [name for method in methods for name in _names(method)]
    while waiting:
        name = waiting.pop()
        if name in defined and name not in found and name != "Loss":
            found.add(name)
            waiting += _names(defined[name])
    chosen = list(dict.fromkeys(defined[name] for name in defined if name in found))
    blocks = [_segment(source, node) for node in chosen]
    body = [textwrap.indent(_segment(source, one), "    ") for one in methods]
    return [*blocks, "\n\n".join(["class Loss(nn.Module):", *body]).replace(":\n\n", ":\n", 1)]


def _names(node: ast.AST) -> list[str]:
    return [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]


def _segment(source: str, node: Any) -> str:
    """Return the source of a node with its decorators, not indented."""
    lines = source.splitlines()
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    return textwrap.dedent("\n".join(lines[first - 1 : node.end_lineno]))
