"""The floors of the package, and a reader of its imports.

`test_layers` holds the package to the floors, `python -m docs.architecture` draws them.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "autoloss"
ROOT = Path(__file__).parents[1] / PACKAGE

# A part is a folder of the package or a module at its root. It imports from lower floors only.
FLOORS = {
    "core": 1,
    "records": 1,
    "data": 2,
    "losses": 2,
    "metrics": 2,
    "readout": 2,
    "models": 3,
    "executors": 4,
    "training": 4,
    "inference": 5,
    "report": 5,
    "verdict": 5,
    "diagnosis": 6,
    "export": 6,
    "search": 6,
    "tracking": 6,
    "experiment": 7,
    "api": 8,
    "estimator": 8,
    "__init__": 9,
    "bench": 9,
    "cli": 9,
    "serving": 9,
}

# Imports between two parts of one floor, each with its reason. No import goes up.
ALLOWED = {
    ("records", "core"): "a record prints itself in the form that all values share",
    ("data", "metrics"): "a note on the rows depends on what the study's metric decides by",
    ("metrics", "losses"): "the scoring of K candidates holds the losses that they trained with",
    ("metrics", "readout"): "a metric of probabilities is one of calibrated probabilities",
    ("readout", "losses"): "a loss declares how its logits become probabilities",
    ("executors", "training"): "an executor decides where training runs, and calls it there",
    ("verdict", "report"): "a verdict in words uses the vocabulary of the report",
    ("export", "tracking"): "only tracking imports MLflow, so it writes the MLflow export",
    ("estimator", "api"): "the estimator is scikit-learn's form of the call `search`",
    ("cli", "bench"): "`autoloss bench` is a command",
}

# Modules that compute the name of an import, so that the text does not have it.
UNREADABLE = {
    "autoloss.core.own_code": "imports the module that a user names for data",
    "autoloss.core.lazy": "loads the names that an `__init__` imports for type checkers",
    "autoloss.metrics.known": "finds the files of declared/, which load torch when called",
    "autoloss.losses.components": "finds the files of penalties/",
    "autoloss.losses.registry": "finds the files of bases/",
    "autoloss.export.onnx_graph": "tries the libraries of the extra `onnx`",
}


@cache
def modules() -> dict[str, Path]:
    """Return the modules of the package by dotted name."""
    return {dotted(path): path for path in sorted(ROOT.rglob("*.py"))}


def dotted(path: Path) -> str:
    """Return the dotted name of a module of the package."""
    names = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def part_of(module: str) -> str:
    """Return the part that a module of the package belongs to."""
    _, *names = module.split(".")
    if not names:
        return "__init__"
    # `python -m autoloss` is the command line.
    return "cli" if names[0] == "__main__" else names[0]


def imports(tree: ast.AST, *, module: str = "", is_package: bool = False) -> Iterator[str]:
    """Yield the imports of a text: at the top, inside functions, for types only, or by name.

    Args:
        tree: The text.
        module: Its dotted name.
        is_package: Whether it is an `__init__`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: None if is_package else -1]
                kept = parents[: len(parents) - node.level + 1]
                base = ".".join([*kept, *([base] if base else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        else:
            match node:
                case ast.Call(args=[ast.Constant(name), *_]) if _is_import(node):
                    yield str(name)


def computed(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls that import a module whose name is not written in the text."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(args=[ast.Constant(), *_]):
                pass
            case ast.Call() if _is_import(node):
                yield node


def _is_import(call: ast.Call) -> bool:
    """Return whether a call imports a module by its name."""
    name = ast.unparse(call.func).rpartition(".")[2]
    return name in {"import_module", "__import__"} and bool(call.args)


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the text of a module, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> frozenset[str]:
    """Return the imports of a module, under the names that it writes."""
    is_package = path.name == "__init__.py"
    return frozenset(imports(tree_of(path), module=dotted(path), is_package=is_package))


def module_of(name: str) -> str | None:
    """Return the module that an imported name is or belongs to; None outside the package."""
    known = modules()
    # `from a.b import c` names a module or something in one.
    return next((one for one in (name, name.rpartition(".")[0]) if one in known), None)


def imports_between_parts() -> dict[tuple[str, str], list[str]]:
    """Return the pairs of a part and a part that it imports, each with ``"a.b imports c.d"``."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, path in modules().items():
        for other in sorted(set(filter(None, map(module_of, imported(path))))):
            pair = part_of(name), part_of(other)
            if pair[0] != pair[1]:
                found[pair].append(f"{name} imports {other}")
    return dict(sorted(found.items()))


def goes_down(above: str, part: str) -> bool:
    """Return whether a part may import from another."""
    return FLOORS.get(above, 0) > FLOORS.get(part, 10) or (above, part) in ALLOWED


def shortest(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the pairs without a pair that follows from others: a imports b, b imports c.

    Args:
        pairs: A part and a part that it imports, without a cycle.
    """
    below: dict[str, set[str]] = defaultdict(set)
    for above, part in pairs:
        below[above].add(part)

    @cache
    def reach(part: str) -> frozenset[str]:
        return frozenset(below[part]).union(*map(reach, below[part]))

    return {
        (above, part)
        for above, part in pairs
        if not any(part in reach(other) for other in below[above] - {part})
    }


def cycles() -> list[set[str]]:
    """Return the sets of modules that import each other in a circle, without any `__init__`.

    They are named as inside the package: ``data.numbers``.
    """
    plain = {name: path for name, path in modules().items() if path.name != "__init__.py"}
    uses = {name: set(map(module_of, imported(path))) & set(plain) for name, path in plain.items()}
    reach = {name: _reached(name, uses) for name in plain}
    found = {frozenset(other for other in reach[name] if name in reach[other]) for name in plain}
    circles = [{name.removeprefix("autoloss.") for name in one} for one in found if len(one) > 1]
    return sorted(circles, key=sorted)


def _reached(start: str, uses: dict[str, set[str]]) -> set[str]:
    """Return the modules that a module imports, directly or through others."""
    seen, waiting = set[str](), [start]
    while waiting:
        new = uses[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen
