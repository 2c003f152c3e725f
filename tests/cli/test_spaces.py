from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoloss.cli.commands.spaces import _rows
from autoloss.losses.registry import OWN, forget_results
from autoloss.search.shipped_spaces import space_names
from autoloss.search.space_reader import load_space


def test_every_space_is_listed(run) -> None:
    text = run("spaces", env={"COLUMNS": "1000"}).stdout
    for name in space_names():
        assert name in text
        assert load_space(name).description in text


def test_the_list_says_what_the_spaces_are() -> None:
    read = [load_space(name) for name in space_names()]
    assert _rows() == [(one.name, ", ".join(one.bases), one.description) for one in read]


@pytest.mark.parametrize("name", space_names())
def test_a_space_is_shown_as_a_file_that_says_the_same(run, name, tmp_path) -> None:
    file = tmp_path / f"{name}.toml"
    file.write_text(run("spaces", name).stdout, encoding="utf-8")
    assert load_space(file) == load_space(name)
    checked = run("spaces", "--check", file)
    assert checked.exit_code == 0
    assert "valid" in checked.stdout


def test_check_lists_every_mistake(run, tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('bases = ["fokal", "brier"]\nlr = 5\nwidht = 3\n', encoding="utf-8")
    result = run("spaces", "--check", file)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert all(line.startswith("autoloss: mine.toml: ") for line in lines)
    assert {line.split(": ")[2] for line in lines} >= {"bases", "widht"}


STEEP = '''
from autoloss.losses import FloatParam, by_gradient, declare

@declare(source="here", local=True, link=by_gradient, power=FloatParam(1.0, 3.0, default=1.5))
def mine_to_check(log_p, *, power):
    """``L = (-log p)^power``: hard examples weigh more."""
    return (-log_p) ** power
'''


@pytest.fixture
def own_losses(tmp_path) -> Iterator[Path]:
    """A file that declares a loss, which is forgotten afterwards."""
    file = tmp_path / "steep.py"
    file.write_text(STEEP, encoding="utf-8")
    yield file
    OWN.clear()
    forget_results()


def test_check_knows_losses_of_your_own(run, tmp_path, own_losses) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('bases = ["cross_entropy", "brier", "mine_to_check"]\n', encoding="utf-8")
    refused = run("spaces", "--check", file)
    assert "mine_to_check" in refused.stderr
    assert refused.stderr.rstrip().endswith("--losses FILE declares your own.")
    assert "valid; 3 losses" in run("spaces", "--check", file, "--losses", own_losses).stdout
    alone = run("spaces", "--losses", own_losses)
    assert (alone.exit_code, alone.stdout) == (2, "")
    assert "--losses must come with a space that uses them" in alone.stderr


@pytest.mark.parametrize("words", [["nosuch"], ["--check", "nosuch.toml"]])
def test_a_space_that_is_not_there(run, words) -> None:
    result = run("spaces", *words)
    assert result.exit_code == 2
    assert "nosuch" in result.stderr
