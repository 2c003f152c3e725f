"""After a person's choice the report says who chose what and why, and speaks of what ships now."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from autoloss.records import PersonalChoice, Summary
from autoloss.report import render_html, render_markdown, verdict_lines
from autoloss.report.brief import brief_pairs
from autoloss.report.shipped import judged, judged_start, verdict_now
from autoloss.report.verdict import ships_text
from autoloss.tracking.note import verdict_note
from tests.report.summaries import make_summary

WHY = "fewer false alarms"


def others(summary: Summary) -> list[int]:
    """Return trials that the verdict did not compare, with figures."""
    compared = {summary.verdict.challenger, summary.verdict.baseline}
    return [one.number for one in summary.trials if one.metrics and one.number not in compared]


def chosen(number: int | None = None) -> Summary:
    """Return a study in which a person chose a trial that the verdict did not compare."""
    summary = make_summary()
    number = others(summary)[0] if number is None else number
    choice = PersonalChoice(number, summary.recommended, WHY, "anna", "2026-11-29T10:00:00+00:00")
    return replace(summary, recommended=number, choices=(*summary.choices, choice))


def texts(summary: Summary) -> dict[str, str]:
    """Return all that is said of a study, by place."""
    page = re.sub(r"<style>.*?</style>|<[^>]+>", " ", render_html(summary), flags=re.DOTALL)
    return {
        "page": " ".join(page.split()),
        "markdown": " ".join(render_markdown(summary).split()),
        "screen": " ".join(verdict_lines(summary)),
        "brief": " ".join(text for _, text in brief_pairs(summary)),
        "note": verdict_note(summary),
    }


def test_without_a_choice_everything_speaks_of_what_ships() -> None:
    summary = make_summary()
    assert judged(summary) == summary.recommended
    assert verdict_now(summary) == summary.verdict.text
    assert "Chosen by" not in ships_text(summary)


@pytest.mark.parametrize("place", ["page", "markdown", "screen", "note"])
def test_who_chose_what_and_why_is_said(place: str) -> None:
    summary = chosen()
    text = texts(summary)[place]
    for words in ("anna", "2026-11-29", WHY, "in place of"):
        assert words in text


@pytest.mark.parametrize("place", ["page", "markdown", "screen", "brief", "note"])
def test_no_sentence_calls_another_trial_what_ships(place: str) -> None:
    before, text = make_summary(), texts(chosen())[place]
    assert "Tuned cross-entropy is recommended" not in text
    # What is left are the title of what ships now, and marks in legends.
    for found in re.finditer(r"[Ww]hat ships", text):
        assert text[found.end() : found.end() + 1] in (":", " ", "")
        assert not re.match(r" (decides|ships|finds|,|\()", text[found.end() :])
    assert "of what ships" not in text
    assert "than what ships" not in text
    assert "to what ships" not in text
    if place == "page":
        assert f"trial {before.recommended} (" in text


def test_a_trial_of_the_verdict_has_its_figures() -> None:
    summary = make_summary()
    words = "not compared in the verdict"
    assert words not in ships_text(chosen(summary.verdict.challenger))
    assert words in ships_text(chosen())


def test_a_choice_that_is_taken_back_speaks_of_what_ships_again() -> None:
    summary = make_summary()
    once = chosen()
    back = PersonalChoice(
        summary.recommended, once.recommended, "a mistake", "bob", "2026-11-30T10:00:00+00:00"
    )
    again = replace(once, recommended=summary.recommended, choices=(*once.choices, back))
    assert judged_start(again) == "What ships"
    assert verdict_now(again) == summary.verdict.text
    assert "Chosen by bob" in ships_text(again)
