"""Imports go down; imports inside functions count too."""

from __future__ import annotations

import ast
import re

import pytest

from tests.floors import (
    ALLOWED,
    FLOORS,
    ROOT,
    UNREADABLE,
    computed,
    cycles,
    goes_down,
    imported,
    imports,
    imports_between_parts,
    module_of,
    modules,
    part_of,
    shortest,
    tree_of,
)

HOMES = {"optuna": "search", "mlflow": "tracking", "ray": "executors"}
HEAVY = {"torch", "optuna", "mlflow", "ray"}


def roots(module: str) -> set[str]:
    """Return the libraries that a module imports from."""
    return {name.partition(".")[0] for name in imported(modules()[module])}


def reached(part: str) -> set[str]:
    """Return the modules that a part loads: its own, and all that they import."""
    seen = {name for name in modules() if part_of(name) == part}
    waiting = list(seen)
    while waiting:
        found = set(filter(None, map(module_of, imported(modules()[waiting.pop()]))))
        # The package itself loads a name when it is used.
        waiting += found - seen - {"autoloss"}
        seen |= found - {"autoloss"}
    return seen


def test_the_reader_sees_every_kind_of_import() -> None:
    text = """
import optuna.storages
if TYPE_CHECKING:
    from pandas import DataFrame
def late():
    from mlflow import MlflowClient
    importlib.import_module("ray")
    __import__("torch")
from . import sibling
from ..data import read
import_module(name)
"""
    tree = ast.parse(text)
    assert set(imports(tree, module="autoloss.search.finish")) == {
        "optuna.storages",
        "pandas.DataFrame",
        "mlflow.MlflowClient",
        "ray",
        "torch",
        "autoloss.search.sibling",
        "autoloss.data.read",
    }
    (unreadable,) = computed(tree)
    assert ast.unparse(unreadable) == "import_module(name)"


def test_an_import_that_follows_from_others_is_left_out() -> None:
    pairs = {("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("a", "d"), ("e", "d")}
    assert shortest(pairs) == {("a", "b"), ("b", "c"), ("c", "d"), ("e", "d")}


def test_every_part_has_a_floor() -> None:
    assert {part_of(name) for name in modules()} == set(FLOORS)


def test_imports_go_down() -> None:
    wrong = {
        f"{above} -> {part}": found
        for (above, part), found in imports_between_parts().items()
        if not goes_down(above, part)
    }
    assert wrong == {}


def test_exceptions_are_needed_and_stay_on_one_floor() -> None:
    used = imports_between_parts()
    assert [pair for pair in ALLOWED if pair not in used] == []
    assert [pair for pair in ALLOWED if FLOORS[pair[0]] != FLOORS[pair[1]]] == []
    assert [pair for pair in ALLOWED if pair[::-1] in ALLOWED] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert cycles() == []


def test_every_imported_module_exists() -> None:
    names = {
        f"{module} imports {name}"
        for module, path in modules().items()
        for name in imported(path)
        if name.startswith("autoloss.") and module_of(name) in (None, "autoloss")
    }
    assert names == set()


def test_names_of_imports_are_written_in_the_text() -> None:
    found = {
        module for module, path in modules().items() if any(True for _ in computed(tree_of(path)))
    }
    assert found == set(UNREADABLE)


@pytest.mark.parametrize("library", HOMES)
def test_each_platform_is_imported_in_one_folder_only(library: str) -> None:
    users = {part_of(module) for module in modules() if library in roots(module)}
    assert users <= {HOMES[library]}


@pytest.mark.parametrize("part", ["records", "report"])
def test_records_and_report_never_load_torch(part: str) -> None:
    seen = reached(part)
    assert {module: roots(module) & HEAVY for module in seen if roots(module) & HEAVY} == {}
    assert any(part_of(module) == part for module in seen)


def test_modules_that_the_report_loads_are_read_too() -> None:
    assert {part_of(module) for module in reached("report")} > {"report"}


def test_only_the_command_line_prints() -> None:
    printing = {
        module
        for module, path in modules().items()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"print", "sys.stdout.write", "sys.stderr.write"}
    }
    # The door of the program says that it was interrupted before the command line was there.
    program = ("autoloss.cli.", "autoloss.__main__")
    assert {name for name in printing if not name.startswith(program)} == set()


def test_nothing_below_the_command_line_imports_it() -> None:
    users = {
        module
        for module, path in modules().items()
        if any(name.startswith("autoloss.cli") for name in imported(path))
    }
    assert {u for u in users if not u.startswith("autoloss.cli")} <= {"autoloss.__main__"}


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in ROOT.glob("*/__init__.py")))
def test_each_folder_says_its_floor_and_its_imports(folder: str) -> None:
    text = ast.get_docstring(
        ast.parse((ROOT / folder / "__init__.py").read_text(encoding="utf-8"))
    )
    assert text is not None
    assert f"Floor {FLOORS[folder]}. Imports " in text
    for beside in (other for part, other in ALLOWED if part == folder):
        assert beside in text.partition("Floor ")[2]


# Classes of one kind of input. `bench` makes its own problem.
KIND_CLASSES = re.compile(
    r"(Table|Stored|Sequence|Image)(Inputs|Schema|Encoding|Encoder|Reader)$|(Table|Token|Image)Network$"
)
KNOW_KINDS = ("data", "models", "export", "bench")


def test_only_data_models_and_export_know_the_kinds_of_input() -> None:
    known = {
        name.rpartition(".")[2]
        for part in ("data", "models")
        for module, path in modules().items()
        if part_of(module) == part
        for name in imported(path)
        if KIND_CLASSES.match(name.rpartition(".")[2])
    }
    assert {"TableEncoding", "SequenceEncoding", "TableNetwork", "TokenNetwork"} <= known
    asking = [
        f"{module} imports {name}"
        for module, path in modules().items()
        if part_of(module) not in KNOW_KINDS
        for name in imported(path)
        if KIND_CLASSES.match(name.rpartition(".")[2])
    ]
    assert asking == []
