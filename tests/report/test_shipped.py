"""After a person's choice the report names the person, the choice, its reason and the model."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from autoloss.records import PersonalChoice, Reference, ShippingPolicy, Summary
from autoloss.report import render_html, render_markdown, verdict_lines
from autoloss.report.brief import brief_pairs
from autoloss.report.recipe import recipes
from autoloss.report.roles import marked_trials, trial_roles
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
def test_no_sentence_calls_another_trial_shipped(place: str) -> None:
    before, text = make_summary(), texts(chosen())[place]
    assert "Tuned cross-entropy is recommended" not in text
    # Only the title of the model that now ships is left.
    assert "the shipped model" not in text
    assert re.findall(r"[Ss]hipped model(?!:)", text) == []
    if place == "page":
        assert f"trial {before.recommended} (" in text


def test_a_stored_sentence_of_an_earlier_version_names_the_trial() -> None:
    summary = chosen()
    said = "It has 1.00 pp more error than what ships."
    reference = Reference("boosting", 0.2, 0.4, 0.01, 0.0, 0.02, False, said)
    text = render_markdown(replace(summary, reference=reference))
    assert f"more error than trial {judged(summary)} (" in text


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
    assert judged_start(again) == "The shipped model"
    assert verdict_now(again) == summary.verdict.text
    assert "Chosen by bob" in ships_text(again)


def with_blend(*numbers: int) -> Summary:
    """Return a summary whose blend of these trials ships; trial 0 is recommended."""
    share = 1.0 / len(numbers)
    policies = (
        ShippingPolicy("verdict", (0,), (1.0,), 0.1, 0.3),
        ShippingPolicy("blend", numbers, (share,) * len(numbers), 0.1, 0.25, ships=True),
    )
    return replace(make_summary(), policies=policies)


def test_a_blend_ships_and_the_loss_of_the_verdict_is_recommended() -> None:
    summary = with_blend(1, 6)
    assert summary.shipping == (1, 6)
    roles = trial_roles(summary)
    assert roles[0][0] == "recommended"
    assert roles[1] == ("in the blend", *roles[1][1:])
    assert roles[6][:2] == ("in the blend", "challenger")
    assert not any("ships" in own for own in roles.values())
    text = ships_text(summary)
    assert text.startswith("Shipped model: a blend of 50% focal (trial 1) and 50%")
    assert "Recommended loss: cross-entropy (trial 0)." in text
    assert recipes(summary)[0].title == "The recommended loss: trial 0"
    assert "| recommended, tuned cross-entropy" in render_markdown(summary)
    # Figures mark two trials, not the whole blend.
    assert set(marked_trials(summary)) == {0, 6}


def test_the_table_of_all_metrics_says_that_its_models_have_a_temperature() -> None:
    summary = with_blend(1, 6)
    assert "All metrics on the test rows\n" in render_markdown(summary)
    tempered = replace(summary.policies[0], temperature=0.8)
    after = replace(summary, policies=(tempered, *summary.policies[1:]))
    for text in (render_markdown(after), render_html(after)):
        assert "All metrics on the test rows, after the temperature of the mean" in text


def test_a_blend_of_another_trial_alone_names_that_trial() -> None:
    summary = with_blend(1)
    roles = trial_roles(summary)
    assert roles[1][0] == "ships"
    assert roles[0][0] == "recommended"
    text = ships_text(summary)
    assert text.startswith("Shipped model: focal (trial 1), the only finalist in the blend.")
    assert "Recommended loss: cross-entropy (trial 0)" in text


def test_a_blend_of_the_recommended_trial_alone_is_that_trial() -> None:
    summary = with_blend(0)
    assert trial_roles(summary)[0][0] == "ships"
    assert ships_text(summary).startswith("Shipped model: tuned cross-entropy (trial 0")
    assert recipes(summary)[0].title == "The shipped loss: trial 0"
