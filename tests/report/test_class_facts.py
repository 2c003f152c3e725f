"""The report's sections on classes, curves, bars and importance, against slow oracles."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve, precision_score, recall_score

from autoloss.metrics import reliability
from autoloss.records import Comparison, Summary
from autoloss.records.insights import ClassScores
from autoloss.report import render_html, render_markdown, summary_from_json, summary_json
from autoloss.report.class_facts import (
    class_score_facts,
    cost_curve_table,
    ranking_table,
    ranking_text,
)
from autoloss.report.comparison import Bars, comparison_bars
from autoloss.report.figures import all_figures
from autoloss.report.gains import gain_rows
from autoloss.report.importance import importance_text
from autoloss.report.words import quoted, share_text, value_text
from autoloss.search.class_curves import class_scores, ranking
from autoloss.search.decisions import confusion
from tests.report.summaries import HOSTILE, make_honest_summary, make_summary

BINARY = make_honest_summary(n_trials=24)
LATER = ("class_scores", "ranking", "positive_reliability", "cost_curve")


def decided(n: int, n_classes: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, n_classes, n)


def test_recall_and_precision_by_class_are_those_of_scikit_learn() -> None:
    names = ["owl", "jay", "wren", "coot"]
    targets, ours, theirs = (decided(300, 4, seed) for seed in range(3))
    summary = replace(
        make_honest_summary(n_trials=24, classes=names),
        class_scores=class_scores(ours, theirs, targets, 4),
        confusion=confusion("error", ours, theirs, targets, 4),
        cost_matrix=tuple(tuple(float(abs(a - b)) for b in range(4)) for a in range(4)),
    )
    facts = class_score_facts(summary)
    assert facts is not None
    assert facts.has_costs
    assert [row.label for row in facts.rows] == names
    for place, codes in ((0, ours), (1, theirs)):
        recall = recall_score(targets, codes, average=None)
        precision = precision_score(targets, codes, average=None)
        for code, row in enumerate(facts.rows):
            cells = (row.challenger, row.baseline)[place]
            assert cells == (share_text(recall[code]), share_text(precision[code]))
            of_class = targets == code
            cost = np.abs(codes[of_class] - code).mean()
            assert row.costs[place] == value_text("expected_cost", cost)
            assert row.rows == str(of_class.sum())


def test_of_many_classes_those_found_least_are_shown() -> None:
    n = 100
    names = [f"class {code}" for code in range(n)]
    right = tuple((37 * code) % n for code in range(n))
    scores = ClassScores((n,) * n, right, (n,) * n, right, (n,) * n)
    summary = replace(make_honest_summary(n_trials=12, classes=names), class_scores=scores)
    facts = class_score_facts(summary)
    assert facts is not None
    assert "40 of 100 classes" in facts.text
    assert {right[names.index(row.label)] for row in facts.rows} == set(range(40))


def test_a_class_without_rows_or_decisions_is_a_dash() -> None:
    scores = ClassScores((0, 5), (0, 5), (0, 5), (0, 0), (0, 0))
    facts = class_score_facts(replace(BINARY, class_scores=scores, cost_matrix=None))
    assert facts is not None
    assert facts.rows[0].challenger == ("–", "–")
    assert facts.rows[1].baseline == ("0.0%", "–")
    assert not facts.has_costs


def test_the_table_of_a_curve_reads_it_at_round_recalls() -> None:
    chance = np.random.default_rng(0)
    targets = (chance.random(90) < 0.4).astype(np.int64)
    odds = chance.normal(size=90) + targets
    log_probs = torch.tensor(np.stack([np.zeros(90), odds], axis=1)).log_softmax(-1)
    summary = replace(BINARY, ranking=ranking(log_probs, -log_probs, targets))
    table = ranking_table(summary)
    assert table is not None
    precision, recall, _ = precision_recall_curve(targets, odds)
    for level, row in zip((0.5, 0.8, 0.9, 0.95, 0.99), table.rows, strict=True):
        assert row[0] == share_text(level)
        assert row[1] == share_text(precision[recall >= level].max())
    assert "“churned”" in ranking_text(summary)


def test_the_cost_curve_is_told_in_tenths() -> None:
    table = cost_curve_table(BINARY)
    assert table is not None
    assert [row[0] for row in table.rows] == [f"{10 * tenth}.0%" for tenth in range(11)]
    assert table.rows[5][1] == value_text("expected_cost", 0.55)
    reviewed = make_honest_summary(n_trials=12, classes=("a", "b", "c"))
    other = cost_curve_table(reviewed)
    assert other is not None
    assert "person" in other.columns[0]
    assert len(other.columns) == 3


def compared(metric: str, baseline: float, low: float, high: float, lower: bool) -> Comparison:
    return Comparison(metric, baseline, baseline + (low + high) / 2, low, high, lower)


@given(
    st.lists(
        st.tuples(st.floats(0.01, 5), st.floats(-0.5, 0.5), st.floats(0, 0.4), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_bars_are_changes_in_percent_of_the_baseline_on_one_scale(rows: list[Any]) -> None:
    found = [
        compared("brier", base, base * low, base * (low + size), lower)
        for base, low, size, lower in rows
    ]
    bars = comparison_bars(
        replace(BINARY, verdict=replace(BINARY.verdict, comparisons=tuple(found)))
    )
    for one, ends in zip(found, bars.ends, strict=True):
        assert ends is not None
        sign = 1 if one.lower_is_better else -1
        wanted = sorted(sign * value / one.baseline for value in (one.low, one.high))
        assert [end * bars.scale for end in ends[:2]] == pytest.approx(wanted)
        assert ends[2] * bars.scale == pytest.approx(sign * one.difference / one.baseline)
        assert -1 - 1e-9 <= ends[0] <= ends[1] <= 1 + 1e-9


@pytest.mark.parametrize(
    ("metric", "baseline", "low"),
    [("debiased_calibration_error", 0.001, -0.0001), ("gain", -1.0, -0.1), ("brier", 0.1, -0.2),
     ("brier", 0.0, -0.1), ("brier", 0.1, math.nan)],
)  # fmt: skip
def test_a_change_relative_to_next_to_nothing_has_no_bar(
    metric: str, baseline: float, low: float
) -> None:
    one = compared(metric, baseline, low, low + 0.01, True)
    other = compared("log_loss", 0.5, -0.01, 0.01, True)

    def cells(*rows: Comparison) -> tuple[Bars, list[str]]:
        summary = replace(BINARY, verdict=replace(BINARY.verdict, comparisons=rows))
        page = render_html(summary)
        assert page.count("% better</span>") == page.count("The bars show the 95%")
        found = re.findall(r'<td class="bar".*?</td>', page, re.DOTALL)
        return comparison_bars(summary), ["<svg" in cell for cell in found]

    bars, drawn = cells(one, other)
    assert (bars.ends[0], drawn) == (None, [False, True])
    # A column in which nothing could stand is left out, and so are its heading and its sentence.
    bars, drawn = cells(one)
    assert (bars.ends, bars.text, drawn) == ((None,), "", [])


def test_importance_is_one_sentence_with_the_loss_as_one() -> None:
    importance = (("lr", 0.7), ("dropout", 0.28), ("base", 0.012), ("focal.gamma", 0.008))
    text = importance_text(replace(BINARY, importance=importance))
    assert text == (
        "Learning rate explains 70%, dropout 28% and the loss and its parameters 2% of the "
        "variation of the log loss among trials."
    )
    assert importance_text(replace(BINARY, importance=())) == ""
    assert importance_text(BINARY) in render_markdown(BINARY)


def test_the_positive_class_has_its_own_name_everywhere() -> None:
    gains = (replace(BINARY.gains[1], detail="class 1 above a probability of 0.56"),)
    summary = replace(BINARY, gains=gains)
    assert gain_rows(summary)[0].detail == "churned above a probability of 0.56"
    for text in (render_html(summary), render_markdown(summary)):
        assert "class 1" not in text
        assert "positive class" not in text
        assert "“churned”" in text


def test_a_hostile_class_opens_nothing() -> None:
    summary = make_honest_summary(n_trials=12, classes=("b|c", HOSTILE))
    page = render_html(summary)
    assert "<script>alert" not in page
    assert HOSTILE[:40] not in page
    assert "<script>" not in render_markdown(summary)


def test_names_are_cut_within_sentences_alone() -> None:
    name = "Department of Consumer Affairs, Licensing and Complaints"
    assert len(quoted(name)) < 36
    summary = make_honest_summary(n_trials=12, classes=("x", name))
    facts = class_score_facts(summary)
    assert facts is not None
    assert facts.rows[1].label == name


def without_what_came_later(summary: Summary) -> Summary:
    """Return the summary as a version before these records wrote it."""
    plain = json.loads(summary_json(summary))
    for key in LATER:
        del plain[key]
    for diagram in plain["reliability"]:
        del diagram["histogram"]
    return summary_from_json(json.dumps(plain))


def test_an_older_study_has_no_sections_of_what_it_did_not_keep() -> None:
    old = without_what_came_later(BINARY)
    page, text = render_html(old), render_markdown(old)
    new = render_html(BINARY)
    said = ("By class", "ROC", "under other costs", "The same for the probability", "bars below")
    for words in said:
        assert words not in page + text
        assert words in new
    assert ranking_table(BINARY) is not None
    drawn = {figure.id for figure in all_figures(BINARY)} - {f.id for f in all_figures(old)}
    assert drawn == {"roc", "precision-recall", "cost-curve", "positive-0", "positive-1"}


def test_the_bars_of_rows_are_a_histogram() -> None:
    log_probs = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    log_probs = torch.cat([log_probs.double(), torch.tensor([[0.0, -math.inf, -math.inf]])])
    found = reliability(log_probs, torch.zeros(501, dtype=torch.int64), name="x")
    wanted, _ = np.histogram(log_probs.exp().max(-1).values.numpy(), bins=40, range=(0.0, 1.0))
    assert found.histogram == tuple(wanted.tolist())


def test_the_bars_below_a_diagram_are_that_histogram() -> None:
    def bars(summary: Summary) -> list[list[float]]:
        return [
            trace["y"]
            for figure in all_figures(summary)
            if figure.group in ("reliability", "positive")
            for trace in figure.spec["data"]
            if trace["type"] == "bar"
        ]

    diagrams = (*BINARY.reliability, *BINARY.positive_reliability)
    wanted = [[count / sum(one.histogram) for count in one.histogram] for one in diagrams]
    assert sorted(bars(BINARY)) == sorted(wanted)
    # Bars of groups of equal size would all be equal: an older study has none.
    assert bars(without_what_came_later(BINARY)) == []


def test_the_page_stays_about_as_large_as_it_was() -> None:
    assert len(render_html(make_honest_summary(n_trials=64)).encode()) < 700_000


def test_only_what_ships_is_in_the_colour_of_what_ships() -> None:
    for decision, ships in (("better", "challenger"), ("no_evidence", "tuned cross-entropy")):
        summary = make_honest_summary(n_trials=24, decision=decision)
        figure = next(one for one in all_figures(summary) if one.id == "roc")
        accents = [text for text, line in figure.key if line["color"] == "var(--accent)"]
        assert accents == [next(text for text, _ in figure.key if text.startswith(ships))]
        assert "(ships)" in accents[0]


def test_a_study_without_a_challenger_has_one_line_and_one_column() -> None:
    summary = make_honest_summary(n_trials=12, families=("cross_entropy",))
    figure = next(one for one in all_figures(summary) if one.id == "roc")
    assert len(figure.key) == 1
    facts = class_score_facts(summary)
    assert facts is not None
    assert not facts.has_challenger
    assert "Challenger: recall" not in render_markdown(make_summary(n_trials=4))
