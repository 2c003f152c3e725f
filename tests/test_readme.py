"""The README is right: its Python runs in order, its commands run, its targets exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.spaces import make_quicker

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The reader's run takes minutes; the test runs the same with a smaller budget.
SMALLER = {
    "trials=64": "trials=8",
    "trials=48": "trials=8",
    "range(30)": "range(2)",
    'space="quick"': 'space="quicker.toml"',
}
SMALLER_WORDS = {"64": "8", "96": "8", "quick": "quicker.toml"}
OUTSIDE = ("pip", "mlflow", "make", "python", "curl")
DOCUMENTS = ("README.md", "CONTRIBUTING.md")


def blocks(language: str, *, file: str = "README.md") -> list[str]:
    text = (ROOT / file).read_text(encoding="utf-8")
    return [body for kind, body in BLOCK.findall(text) if kind == language]


def commands(file: str = "README.md") -> list[list[str]]:
    lines = [line for body in blocks("console", file=file) for line in body.splitlines()]
    return [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with only the table and the files that the README names."""
    import numpy as np
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    chance = np.random.default_rng(0)
    months = chance.integers(1, 72, 1200)
    plan = chance.choice(["monthly", "yearly"], 1200)
    left = chance.random(1200) < 0.5 * (plan == "monthly") * (1 - months / 90) + 0.05
    table = pd.DataFrame({"months": months, "plan": plan, "churned": np.where(left, "yes", "no")})
    table.insert(0, "customer", [f"C{number:05d}" for number in range(1200)])
    table.to_csv("churn.csv", index=False)
    (tmp_path / "quicker.toml").write_text(make_quicker(), encoding="utf-8")
    for body in blocks("python"):
        if named := re.match(r"# (\w+\.py)\n", body):
            (tmp_path / named[1]).write_text(body, encoding="utf-8")
    return tmp_path


def test_python_blocks_run_in_order(place) -> None:
    source = "\n".join(blocks("python"))
    for written, smaller in SMALLER.items():
        assert written in source
        source = source.replace(written, smaller)
    names: dict[str, object] = {}
    exec(compile(source, "README.md", "exec"), names)
    assert names["probabilities"].shape == (569, 2)
    assert (place / "reports" / "mine" / "report.html").is_file()


def test_commands_run_in_order(place) -> None:
    from autoloss.cli import app

    ours = [words for words in commands() if words[0] == "autoloss"]
    for _, *words in ours:
        if "search" in words and "--trials" not in words:
            words += ["--trials", "8", "--space", "quicker.toml"]
        words = [SMALLER_WORDS.get(word, word) for word in words]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{words}: {result.stderr}"
    assert (place / "predictions.csv").is_file()
    assert (place / "predictions.parquet").is_file()
    assert (place / "retention-model" / "MLmodel").is_file()
    (example,) = [word[1:] for words in commands() for word in words if word.startswith("@")]
    assert (place / example).is_file()
    assert {words[1] for words in ours} == {
        "search",
        "list",
        "predict",
        "export",
        "select",
        "report",
        "losses",
        "spaces",
    }


def test_every_file_of_the_table_is_written(place) -> None:
    import autoloss

    result = autoloss.search("sklearn:iris", space="quicker.toml", trials=6, name="flowers")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    files = re.findall(r"^\| `([\w./]+)` \|", text, flags=re.MULTILINE)
    assert len(files) >= 6
    assert [file for file in files if not (place / "reports" / "flowers" / file).exists()] == []
    assert result.summary.name == "flowers"


@pytest.mark.parametrize("file", DOCUMENTS)
def test_other_commands_exist(file) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for program, *words in commands(file):
        assert program in ("autoloss", *OUTSIDE)
        if program == "make":
            assert set(words) <= set(targets)


@pytest.mark.parametrize("file", [*DOCUMENTS, "CHANGELOG.md"])
def test_links_and_paths_lead_somewhere(file) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    prose = BLOCK.sub("", text)
    links = [link for link in re.findall(r"\]\(([^)]+)\)", prose) if not link.startswith("http")]
    paths = re.findall(r"`((?:autoloss|tests|benchmarks|search_spaces)/[\w./]*)`", text)
    assert [name for name in [*links, *paths] if not (ROOT / name).exists()] == []


def test_every_block_says_its_language() -> None:
    kinds = {kind for kind, _ in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert kinds == {"python", "console"}


def test_the_loop_around_ask_and_tell_is_ten_lines_or_so() -> None:
    (loop,) = [body for body in blocks("python") if "study.ask" in body]
    assert len(loop.splitlines()) <= 12
