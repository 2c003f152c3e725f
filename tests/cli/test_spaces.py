from __future__ import annotations

import pytest

from autoloss.cli.commands.spaces import _rows
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
    assert "right" in checked.stdout


def test_check_lists_every_mistake(run, tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('bases = ["fokal", "brier"]\nlr = 5\nwidht = 3\n', encoding="utf-8")
    result = run("spaces", "--check", file)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert all(line.startswith("autoloss: mine.toml: ") for line in lines)
    assert {line.split(": ")[2] for line in lines} >= {"bases", "widht"}


@pytest.mark.parametrize("words", [["nosuch"], ["--check", "nosuch.toml"]])
def test_a_space_that_is_not_there(run, words) -> None:
    result = run("spaces", *words)
    assert result.exit_code == 2
    assert "nosuch" in result.stderr
