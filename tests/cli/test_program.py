from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

COMMANDS = (
    "search", "resume", "list", "select", "report", "predict", "export", "diagnose", "ui",
    "losses", "spaces", "bench",
)  # fmt: skip
HEAVY = (
    "torch",
    "pandas",
    "numpy",
    "sklearn",
    "optuna",
    "mlflow",
    "plotly",
    "jinja2",
    "rich.live",
)


def program(*words: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autoloss", *words],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        **options,
    )


def computed(*words: str, **options) -> float:
    """Return the processor time of a run of the program, in seconds."""
    before = os.times()
    assert program(*words, **options).returncode == 0
    after = os.times()
    return (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )


def loaded(*words: str, **options) -> set[str]:
    """Return the modules that a run of the program loads."""
    code = (
        "import json, sys\n"
        f"sys.argv = ['autoloss', *{list(words)!r}]\n"
        "from autoloss.cli import main\n"
        "try: main()\n"
        "finally: print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", **options
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


LISTS = (["list"], ["losses"], ["losses", "--family", "robust", "--json"], ["spaces"])


@pytest.mark.parametrize("words", [["--help"], *LISTS])
def test_help_and_lists_take_less_than_half_a_second_of_computing(words, tmp_path) -> None:
    computed(*words, cwd=tmp_path)
    # The smallest: other work on the machine only ever adds.
    assert min(computed(*words, cwd=tmp_path) for _ in range(3)) < 0.5


@pytest.mark.parametrize("words", LISTS)
def test_what_there_is_is_listed_without_torch(words, tmp_path) -> None:
    study = tmp_path / "reports" / "mine"
    study.mkdir(parents=True)
    config = {"name": "mine", "created": 1.0, "trials": 8, "storage": None}
    (study / "study.json").write_text(json.dumps(config), encoding="utf-8")
    (study / "study.journal").touch()
    heavy = {"torch", "pandas", "numpy", "sklearn", "optuna", "mlflow"}
    assert loaded(*words, cwd=tmp_path) & heavy == set()


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_loads_nothing_heavy(words) -> None:
    assert loaded(*words) & set(HEAVY) == set()


def test_help_names_every_command_and_exit_code(run) -> None:
    text = run("--help", env={"COLUMNS": "200"}).stdout
    assert [name for name in COMMANDS if f" {name} " not in text] == []
    words = " ".join(text.split())
    for code in (
        "0 done",
        "1 a failure",
        "2 a mistake",
        "3 a verdict other",
        "130 interrupted",
        "143 ended",
        "129 ended",
    ):
        assert code in words


def test_version(run) -> None:
    from importlib.metadata import version

    assert run("--version").stdout == f"autoloss {version('autoloss')}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serach"], "Did you mean 'search'?"),
        (["--bogus"], "--bogus"),
        (["search"], "DATA"),
        (["predict", "m", "d.csv"], "--output"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(run, words, said) -> None:
    result = run(*words)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("autoloss: ")
    assert said in line


def test_module_and_program_are_the_same() -> None:
    done = program("losses", "no_such_loss")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("autoloss: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_console_of_few_characters_is_enough() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autoloss", "losses", "focal"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0
    assert done.stdout.decode("ascii").startswith("Loss")
