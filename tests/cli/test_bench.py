from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import autoloss.bench
from autoloss.bench import BenchPlan, Figure
from autoloss.bench.text import bar_text, number_text
from autoloss.cli.commands.bench import _row

FIGURES = (
    Figure.of("tight", [7.0, 9.0, 8.5], detail={"candidates_per_second_tight": 2.0}),
    Figure.of("outside", [0.042]),
    Figure.of("default", [2.0]),
)


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[BenchPlan]:
    """The figures that the command asks for; nothing is measured."""
    seen: list[BenchPlan] = []

    def measure(plan: BenchPlan, *, said: Callable[[str], None]) -> Iterator[Figure]:
        seen.append(plan)
        said("The loops.")
        print("somebody else's words")
        yield from FIGURES

    monkeypatch.setattr(autoloss.bench, "measure", measure)
    return seen


def test_the_table_has_bar_median_and_range(run: Any, plans: list[BenchPlan]) -> None:
    result = run("bench", "--together", "16", "--device", "cpu", env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert (plans[0].together, plans[0].device.type) == (16, "cpu")
    # It takes less than two minutes.
    assert plans[0].seconds <= 110
    (line,) = (line for line in result.stdout.splitlines() if "tight loop" in line and "×" in line)
    assert line.split("tight loop")[1].split() == [
        "at",
        "least",
        "8.0×",
        "8.5×",
        "7.0×",
        "to",
        "9.0×",
        "yes",
    ]
    assert "without MLflow" in result.stdout
    assert "The loops." in result.stderr


def test_json_is_all_there_is(run: Any, plans: list[BenchPlan]) -> None:
    result = run("bench", "--json", "--device", "cpu")
    found = json.loads(result.stdout)
    assert [one["key"] for one in found["figures"]] == ["tight", "outside", "default"]
    assert found["figures"][0]["value"] == 8.5
    assert found["figures"][0]["detail"] == {"candidates_per_second_tight": 2.0}
    assert found["machine"]["device"] == "cpu"
    assert "somebody else" in result.stderr


def test_one_together_is_a_mistake(run: Any, plans: list[BenchPlan]) -> None:
    assert run("bench", "--together", "1").exit_code == 2
    assert plans == []


def test_figures_in_words() -> None:
    rows = [_row(figure.to_dict()) for figure in FIGURES]
    assert rows[1][1:] == ("at most 5%", "4.2%", "", "yes")
    help_row = _row(Figure.of("help", [0.3]).to_dict())
    assert help_row[1:] == ("at most 0.5 s", "0.3 s", "", "yes")
    assert rows[2][1:] == ("", "2.0×", "", "")
    assert bar_text(FIGURES[0].to_dict()) == "at least 8.0×"
    assert [number_text(value, "seconds") for value in (0.213, 7.96, 12.4)] == [
        "0.21 s",
        "8 s",
        "12 s",
    ]
