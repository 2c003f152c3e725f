from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from autoloss.cli.search_result import show_ranking, show_verdict
from autoloss.records import Summary
from autoloss.report.brief import brief_pairs
from tests.report.summaries import make_honest_summary, make_hostile_summary, make_summary


def shown(summary: Summary, width: int = 80) -> str:
    """Return the last screen."""
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, emoji=False, markup=False)
    show_verdict(console, summary, folder=Path("studies/churn"))
    return out.getvalue()


def ranking(summary: Summary, width: int = 80) -> str:
    """Return the screen before it."""
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, emoji=False, markup=False)
    show_ranking(console, summary)
    return out.getvalue()


def test_the_next_command_has_the_format_of_sequences() -> None:
    plain = make_summary(n_trials=24)
    tagged = replace(plain, data=replace(plain.data, task="sequence", source="news.conll"))
    assert "NEW.csv -o predictions.csv" in shown(plain, 200)
    assert "NEW.conll -o predictions.conll" in shown(tagged, 200)


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("far_ahead", [True, False])
def test_the_verdict_fits_a_screen(nested: bool, far_ahead: bool) -> None:
    summary = make_honest_summary(n_trials=24, nested=nested, far_ahead=far_ahead)
    lines = shown(summary).splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [40, 80, 120])
def test_every_line_of_the_brief_is_on_the_screen(width: int) -> None:
    summary = make_honest_summary(n_trials=24)
    words = "".join(shown(summary, width).split())
    pairs = brief_pairs(summary)
    assert len(pairs) == 8
    assert all(name.replace(" ", "") in words for name, _ in pairs)
    if width == 120:
        assert all("".join(text.split()) in words for _, text in pairs)


def test_a_screen_of_before_has_its_whole_comparison_and_no_more() -> None:
    text = shown(make_summary(n_trials=24))
    assert "Brier score" in text
    for name in (
        "Rows",
        "Gains",
        "Challenger  ",
        "Selection bias",
        "For comparison",
        "On an edge",
    ):
        assert name not in text


def test_the_comparison_makes_room_for_what_else_is_known() -> None:
    text = shown(make_honest_summary(n_trials=24))
    assert "Log loss" in text
    assert "Brier score" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_finalists_stand_below_the_ranking(width: int) -> None:
    summary = make_honest_summary(n_trials=24)
    text = ranking(summary, width)
    finalists = text[text.index("Finalist") :]
    assert finalists.count("±") == {40: 0, 60: 0, 80: 6, 120: 12}[width]
    assert "Finalist" not in ranking(make_summary(n_trials=24), width)
    assert "+0.08 to +0.75 pp" in " ".join(finalists.split())


def test_unknown_numbers_are_not_told() -> None:
    summary = make_honest_summary(n_trials=12, unknown=True)
    names = [name for name, _ in brief_pairs(summary)]
    assert names == ["Rows", "Looks", "On an edge"]
    assert "nan" not in shown(summary) + ranking(summary)


@pytest.mark.parametrize("width", [30, 80])
def test_hostile_names_break_no_screen(width: int) -> None:
    summary = make_hostile_summary()
    assert "javascript" in shown(summary, width) + ranking(summary, width)
