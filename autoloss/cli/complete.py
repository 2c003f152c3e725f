"""Shell completion of names: studies, spaces, losses, rules and metrics.

The user waits for each completion, so this module does not import torch or pandas: it reads names
from folders and source files. A test compares them with the library's.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

_OUT = Path("reports")
_TASKS = ("binary", "multiclass", "multilabel", "sequence")
_DECLARING = ("declare", "declare_penalty")
_LOSSES = Path(__file__).parents[1] / "losses"
_DATA_SETS = ("digits", "breast_cancer", "wine", "iris")


def studies(context: typer.Context, incomplete: str) -> list[str]:
    """Return the studies in the folder that ``--out`` names, the newest first."""
    from autoloss.search.naming import study_names

    return _begun(study_names(Path(context.params.get("out") or _OUT)), incomplete)


def data(incomplete: str) -> list[str]:
    """Return the data sets of scikit-learn; for an empty word, the shell completes files."""
    return _begun((f"sklearn:{name}" for name in _DATA_SETS), incomplete) if incomplete else []


def spaces(incomplete: str) -> list[str]:
    """Return the search spaces that come with autoloss."""
    from autoloss.search.shipped_spaces import space_names

    return _begun(space_names(), incomplete)


def rules(incomplete: str) -> list[str]:
    """Return the rules that name a trial."""
    from autoloss.verdict.rules import RULES

    return _begun(RULES, incomplete)


def metrics(incomplete: str) -> list[str]:
    """Return the metrics that can decide."""
    from autoloss.metrics.known import ALIASES, NAMES

    return _begun((*NAMES, *ALIASES), incomplete)


def devices(incomplete: str) -> list[str]:
    """Return the devices."""
    return _begun(("auto", "cpu", "cuda"), incomplete)


def executors(incomplete: str) -> list[str]:
    """Return the executors."""
    return _begun(("local", "ray"), incomplete)


def tasks(incomplete: str) -> list[str]:
    """Return the kinds of label."""
    return _begun(_TASKS, incomplete)


def losses(incomplete: str) -> list[str]:
    """Return the losses, priors, targets and penalties."""
    return _begun(sorted(name for name, _ in _declared()), incomplete)


def families(incomplete: str) -> list[str]:
    """Return the families of losses."""
    return _begun(sorted({family for _, family in _declared() if family}), incomplete)


def _declared() -> Iterator[tuple[str, str]]:
    """Yield the name and family of each declaration; only losses have a family."""
    for file in (*_LOSSES.glob("bases/*.py"), *_LOSSES.glob("penalties/*.py")):
        for node in ast.parse(file.read_bytes()).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and _called(call) in _DECLARING:
                    yield node.name, _text_of(call, "family")
    for one in ast.walk(ast.parse((_LOSSES / "components.py").read_bytes())):
        if isinstance(one, ast.Call) and _called(one) == "Component":
            yield _text_of(one, "name"), ""


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _text_of(call: ast.Call, name: str) -> str:
    """Return an argument that is plain text; empty if there is none."""
    found = (one.value for one in call.keywords if one.arg == name)
    return next((str(one.value) for one in found if isinstance(one, ast.Constant)), "")


def _begun(names: Iterable[str], incomplete: str) -> list[str]:
    """Return the names that begin with the incomplete word."""
    return [name for name in names if name.startswith(incomplete)]
