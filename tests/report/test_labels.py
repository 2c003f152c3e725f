"""Several labels in the report: the display of few and of many, and a model that collapses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoloss.records import LabelCount, LabelFigures, LabelInsights, LabelPair
from autoloss.report.document import summary_from_json, summary_json
from autoloss.report.figures import all_figures
from autoloss.report.html import render_html
from autoloss.report.labels import label_facts
from autoloss.report.markdown import render_markdown
from tests.report.summaries import HOSTILE, make_summary


def a_label(place: int, *, difference: float = -0.02, p_value: float = 0.01) -> LabelFigures:
    return LabelFigures(
        f"topic {place}",
        rows=400,
        positives=10 + place,
        decided=place,
        error=0.1,
        average_precision=0.4,
        auroc=0.8,
        calibration=-0.0001,
        threshold=0.2,
        f1=0.5,
        f1_at_half=0.25,
        difference=difference,
        low=difference - 0.01,
        high=difference + 0.01,
        p_value=p_value,
    )


def with_labels(count: int, *, decided: int = 900, decision: str = "better", **more):
    labels = tuple(a_label(place) for place in range(count))
    pair = LabelPair("topic 0", "topic 1", 400, 0.31, -0.12, 7)
    found = LabelInsights(labels, (pair,), (pair,), 1_000, decided, 950)
    return replace(make_summary(decision=decision, n_trials=12), labels=replace(found, **more))


def test_one_label_a_row_has_no_section() -> None:
    summary = make_summary(n_trials=12)
    assert label_facts(summary) is None
    assert 'id="labels"' not in render_html(summary)
    assert "## Labels" not in render_markdown(summary)


def test_each_label_is_a_row_with_its_reading() -> None:
    summary = with_labels(6)
    readings = (a_label(0), a_label(1, difference=0.03), a_label(2, p_value=0.2))
    unknown = replace(a_label(3), low=float("nan"), high=float("nan"), p_value=float("nan"))
    summary = replace(summary, labels=replace(summary.labels, labels=(*readings, unknown)))
    facts = label_facts(summary)
    assert facts is not None
    readings = [row.reading for row in facts.rows]
    assert readings == ["better", "worse", "no clear difference", "unknown"]
    assert "better on 1 and worse on 1 of 4 labels" in facts.text
    first = facts.rows[0]
    expected = ("400", "10", "0", "10.0%", "0.400", "0.000", "20.0%", "0.500", "0.250")
    assert first.cells == expected
    assert len(first.cells) == len(facts.columns)
    assert first.difference == "−0.0200"
    assert facts.missed[0].missed == "−0.12"
    for text in (render_html(summary), render_markdown(summary)):
        assert "topic 3" in text
        assert "topic 0 and topic 1" in text
    assert summary_from_json(summary_json(summary)).labels.missed == summary.labels.missed


def test_a_threshold_that_all_labels_share_is_said_once() -> None:
    shared = label_facts(with_labels(3, thresholds=(0.2, 0.2, 0.2)))
    assert shared is not None
    assert shared.rule == "The model decides for a label from a probability of 20.0% on."
    apart = label_facts(with_labels(3, thresholds=(0.2, 0.3, 0.25)))
    assert apart is not None
    assert "from 20.0% to 30.0%" in apart.rule


def test_given_weights_and_costs_are_columns() -> None:
    summary = with_labels(2)
    counts = (
        LabelCount("topic 0", 10, 390, weight=2.5, costs=(8.0, 1.0)),
        LabelCount("topic 1", 11, 389, costs=(1.0, 0.5)),
    )
    summary = replace(summary, data=replace(summary.data, labels=counts))
    facts = label_facts(summary)
    assert facts is not None
    assert facts.columns[-3:] == ("Weight of yes", "Cost of a miss", "Cost of a false alarm")
    assert [row.cells[-3:] for row in facts.rows] == [("2.5", "8", "1"), ("1", "1", "0.5")]
    for text in (render_html(summary), render_markdown(summary)):
        assert "Cost of a miss" in text
    assert summary_from_json(summary_json(summary)).data.labels == counts


def test_a_model_that_leaves_almost_all_labels_out_is_flagged() -> None:
    said = label_facts(with_labels(6, decided=100)).warning
    assert "The challenger decides for 100 labels where 1,000 are there" in said
    assert "Tuned cross-entropy" not in said
    assert said in render_markdown(with_labels(6, decided=100))
    assert label_facts(with_labels(6)).warning == ""
    alone = label_facts(with_labels(6, decided=1, baseline_decided=1)).warning
    assert "The challenger decides for 1 label where" in alone
    assert "Tuned cross-entropy decides for 1 label" in alone


def test_of_many_labels_the_clearest_are_shown_and_the_page_stays_small() -> None:
    few, many = with_labels(6), with_labels(500)
    clear = tuple(
        a_label(place, difference=-0.5 if place % 10 == 0 else -0.001) for place in range(500)
    )
    many = replace(many, labels=replace(many.labels, labels=clear))
    facts = label_facts(many)
    assert facts is not None
    assert len(facts.rows) == 60
    assert "60 of 500 labels that differ most" in facts.shown
    names = [row.label for row in facts.rows]
    assert {f"topic {place}" for place in range(0, 500, 10)} <= set(names)
    strip = next(one for one in all_figures(many) if one.id == "labels")
    assert len(strip.spec["data"]) == 40
    low, high = strip.spec["layout"]["xaxis"]["range"]
    shown = [one for one in clear if one.difference == -0.5]
    assert low < min(one.low for one in shown)
    assert high > max(one.high for one in clear)
    assert len(render_html(many)) < len(render_html(few)) + 200_000


def test_without_a_challenger_nothing_is_compared() -> None:
    summary = with_labels(6)
    verdict = replace(summary.verdict, challenger=summary.verdict.baseline)
    summary = replace(summary, verdict=verdict, recommended=verdict.baseline)
    facts = label_facts(summary)
    assert facts is not None
    assert not facts.has_challenger
    assert "challenger" not in facts.text
    assert not [one for one in all_figures(summary) if one.id == "labels"]
    assert "Difference in log loss |" not in render_markdown(summary)


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_the_name_of_a_label_cannot_become_code(render) -> None:
    summary = with_labels(3)
    bad = tuple(replace(one, name=HOSTILE) for one in summary.labels.labels)
    text = render(replace(summary, labels=replace(summary.labels, labels=bad)))
    assert "<script>alert" not in text


def test_the_decision_of_the_model_is_told() -> None:
    assert label_facts(with_labels(6)).rule.endswith("from a probability of 50% on.")
    assert "its 2 likeliest labels" in label_facts(with_labels(6, labels_each=2)).rule
    moved = label_facts(with_labels(3, thresholds=(0.1, 0.25, 0.6))).rule
    assert "from 10.0% to 60.0%" in moved
    assert moved in render_markdown(with_labels(3, thresholds=(0.1, 0.25, 0.6)))
