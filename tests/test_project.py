"""The files of a public project agree with each other and with the Makefile."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
COMMUNITY = (
    "SECURITY.md",
    "CITATION.cff",
    *(f".github/ISSUE_TEMPLATE/{p.name}" for p in TEMPLATES),
)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def document(name: str) -> Any:
    # YAML 1.1 reads the key `on` of a workflow as true; the plain loader keeps every word.
    return yaml.load(text(name), Loader=yaml.BaseLoader)


def project() -> dict[str, Any]:
    return tomllib.loads(text("pyproject.toml"))["project"]


def recipe(target: str) -> list[str]:
    """Return the commands of a target of the Makefile, as Windows would type them."""
    lines = re.search(rf"^{re.escape(target)}:.*\n((?:\t.*\n)+)", text("Makefile"), re.MULTILINE)
    assert lines, target
    places = {"$(BIN)": ".venv/Scripts", "$(PYTHON)": "python"}
    commands = [line.strip().lstrip("@") for line in lines[1].splitlines()]
    for variable, value in places.items():
        commands = [command.replace(variable, value) for command in commands]
    return commands


def steps(job: str, *, windows: bool) -> list[dict[str, Any]]:
    """Return the steps of a job of the workflow that run on a system."""
    elsewhere = "runner.os != 'Windows'" if windows else "runner.os == 'Windows'"
    found = document(".github/workflows/ci.yml")["jobs"][job]["steps"]
    return [step for step in found if step.get("if") != elsewhere]


def runs(job: str, *, windows: bool = False) -> list[str]:
    return [step["run"] for step in steps(job, windows=windows) if "run" in step]


def test_the_workflow_tests_every_python_that_the_package_names_on_three_systems() -> None:
    matrix = document(".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    named = [line.rpartition(" ")[2] for line in project()["classifiers"] if ":: 3." in line]
    assert matrix["python"] == named
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}


def test_the_workflow_runs_the_targets_of_the_local_run() -> None:
    targets = {
        word
        for line in re.findall(r"^make (.*)$", text(".ci/run"), re.MULTILINE)
        for word in line.split()
    }
    made = {line.removeprefix("make ") for job in ("check", "test") for line in runs(job)}
    assert made == targets == {"install", "check", "test"}


def test_windows_runs_the_commands_of_the_makefile() -> None:
    makes, installs, tests = runs("test", windows=True)
    install = recipe("$(INSTALLED)")
    assert any(command.endswith(makes) for command in install)
    assert installs in install
    (last,) = (step for step in steps("test", windows=True) if step.get("run") == tests)
    settings = " ".join(f"{name}={value}" for name, value in last["env"].items())
    assert [f"{settings} {tests}"] == recipe("test")


def test_files_have_the_same_line_ends_on_every_system() -> None:
    assert "* text=auto eol=lf" in text(".gitattributes").splitlines()


def test_hooks_have_the_versions_of_the_constraints_and_cover_the_checks() -> None:
    pins = dict(line.split("==") for line in text("constraints.txt").split() if "==" in line)
    remote, local = document(".pre-commit-config.yaml")["repos"]
    assert remote["rev"] == f"v{pins['ruff']}"
    # A hook of this repository runs the tools that `make install` put into .venv, so it has no
    # version here.
    assert [hook["id"] for hook in local["hooks"]] == ["mypy"]
    assert ".venv/bin:.venv/Scripts" in local["hooks"][0]["entry"]
    hooks = {hook["id"].partition("-")[0] for part in (remote, local) for hook in part["hooks"]}
    assert hooks == {Path(command.split()[0]).name for command in recipe("check")}


def test_the_citation_has_version_and_licence_of_the_package() -> None:
    citation = document("CITATION.cff")
    assert citation["version"] == project()["version"]
    assert citation["license"] == project()["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


@pytest.mark.parametrize("template", ["bug", "verdict"])
def test_a_report_of_a_fault_must_have_the_seed_and_the_summary(template) -> None:
    body = document(f".github/ISSUE_TEMPLATE/{template}.yml")["body"]
    required = {
        part["id"]: part for part in body if part.get("validations") == {"required": "true"}
    }
    assert "seed" in required
    assert "summary.json" in required["summary"]["attributes"]["description"]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_the_form_can_show_every_template(path) -> None:
    form = document(path.relative_to(ROOT).as_posix())
    if path.stem == "config":
        assert set(form) <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= set(form)
    kinds = {"input", "textarea", "dropdown", "checkboxes", "markdown"}
    assert {part["type"] for part in form["body"]} <= kinds
    assert all(part["attributes"].get("label") for part in form["body"] if part.get("id"))
    names = [part["id"] for part in form["body"] if "id" in part]
    assert len(names) == len(set(names))


def test_files_and_options_that_the_files_name_exist() -> None:
    from typer.testing import CliRunner

    from autoloss.cli import app

    written = "\n".join(text(name) for name in COMMUNITY)
    files = re.findall(r"\]\(([\w./]+)[#)]", written) + re.findall(r"`(\w+\.md)`", written)
    assert [name for name in files if not (ROOT / name).is_file()] == []
    helps = "".join(
        CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"}).output
        for words in ((), ("search",))
    )
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", written)) - {"--version"}
    assert len(options) >= 4
    assert [option for option in options if option not in helps] == []


def test_the_first_screen_of_the_readme_names_both_commands_of_a_new_machine() -> None:
    screen = text("README.md").splitlines()[:24]
    assert {"$ make demo", "$ make test"} <= set(screen)
