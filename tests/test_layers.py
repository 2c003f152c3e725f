"""Who may import what; the whole text is read, so that imports inside functions count too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "autoloss"
MODULES = sorted(ROOT.rglob("*.py"))
HOMES = {"optuna": "search", "mlflow": "tracking", "ray": "executors"}


def folder_of(path: Path) -> str:
    """Return the folder of the package that a module belongs to, empty for the package itself."""
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else ""


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, *, module: str = "", is_package: bool = False) -> Iterator[str]:
    """Yield every module that a text imports, at the top or anywhere else."""
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
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant):
                yield str(first.value)


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return set(imports(tree, module=dotted(path), is_package=path.name == "__init__.py"))


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def test_the_reader_sees_every_kind_of_import() -> None:
    text = """
import optuna.storages
def late():
    from mlflow import MlflowClient
    importlib.import_module("ray")
from . import sibling
from ..data import read
"""
    found = set(imports(ast.parse(text), module="autoloss.search.study"))
    assert found == {
        "optuna.storages",
        "mlflow.MlflowClient",
        "ray",
        "autoloss.search.sibling",
        "autoloss.data.read",
    }


@pytest.mark.parametrize("library", HOMES)
def test_each_platform_is_imported_in_one_folder_only(library: str) -> None:
    users = {folder_of(path) for path in MODULES if library in roots(path)}
    assert users <= {HOMES[library]}


def test_report_never_sees_torch_or_what_needs_it() -> None:
    start = [path for path in MODULES if folder_of(path) == "report"]
    seen, waiting = set(start), list(start)
    by_name = {dotted(path): path for path in MODULES}
    while waiting:
        path = waiting.pop()
        assert not roots(path) & {"torch", "optuna", "mlflow", "ray"}, f"{dotted(path)}"
        for name in imported(path):
            # `from a.b import c` names a module or something in one.
            for candidate in (name, name.rpartition(".")[0]):
                # The package itself loads what is asked of it, and nothing before.
                found = by_name.get(candidate)
                if found and candidate != "autoloss" and found not in seen:
                    seen.add(found)
                    waiting.append(found)
    assert len(seen) > len(start)


def test_only_the_command_line_prints() -> None:
    printing = {
        dotted(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"print", "sys.stdout.write", "sys.stderr.write"}
    }
    assert {name for name in printing if not name.startswith("autoloss.cli.")} == set()


def test_nothing_below_the_command_line_imports_it() -> None:
    users = {
        dotted(path)
        for path in MODULES
        if any(name.startswith("autoloss.cli") for name in imported(path))
    }
    assert {u for u in users if not u.startswith("autoloss.cli")} <= {"autoloss.__main__"}
