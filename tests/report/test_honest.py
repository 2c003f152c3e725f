"""Beside a verdict, every number is the summary's, and absent results are not mentioned."""

from __future__ import annotations

import html
import math
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloss.records import Finalist, Gain, Optimism, PairOptimism, Summary
from autoloss.report import render_html, render_markdown
from autoloss.report.about import data_pairs, key_figures, setting_pairs
from autoloss.report.beside import (
    cost_table,
    edge_texts,
    fine_share,
    reference_facts,
    tail_facts,
)
from autoloss.report.brief import brief_pairs
from autoloss.report.doubts import chance_sentence, doubts, optimism_text
from autoloss.report.figures import all_figures, finalists_info, gains_info, tails_info
from autoloss.report.figures._tails import log_odds
from autoloss.report.finalists import finalist_rows, rule_rows
from autoloss.report.gains import gain_rows, gain_sentences, gains_short
from autoloss.report.power import power_text
from autoloss.report.rows import resampling_text
from autoloss.report.words import listed, points_text, reading_text, spread_text
from tests.report.summaries import make_honest_summary, make_summary

HONEST = make_honest_summary(n_trials=24)
# Where each record is told, by a heading or a name that nothing else uses.
TOLD: dict[str, tuple[Any, str]] = {
    "resampling": (None, "Candidates were compared on two divisions"),
    "finalists": ((), "in the order of the selection"),
    "gains": ((), "Where the gain comes from"),
    "optimism": (None, "Selection bias"),
    "reference": (None, "For comparison"),
    "edges": ((), "At the edge of the range"),
    "looks": (0, "2 other studies"),
    "cost_matrix": (None, "Cost matrix"),
    "tails": (None, "Rare positives"),
}


def markdown_words(text: str) -> str:
    """Return markdown as its reader sees it, on one line."""
    return " ".join(re.sub(r"\\(.)", r"\1", html.unescape(text)).replace("`", "").split())


def page_words(text: str) -> str:
    """Return the page as its reader sees it, on one line, without scripts and styles."""
    bare = re.sub(r"<(script|style).*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())


@pytest.fixture(scope="module")
def page() -> str:
    return page_words(render_html(HONEST))


@pytest.fixture(scope="module")
def text() -> str:
    return markdown_words(render_markdown(HONEST))


def test_markdown_and_page_say_the_same(page: str, text: str) -> None:
    reference, tails, costs = reference_facts(HONEST), tail_facts(HONEST), cost_table(HONEST)
    assert reference is not None
    assert tails is not None
    assert costs is not None
    rows = finalist_rows(HONEST)
    said = [
        resampling_text(HONEST),
        *gain_sentences(HONEST),
        reference.figures,
        reference.text,
        tails.text,
        *edge_texts(HONEST),
        *(sentence for _, sentence in doubts(HONEST)),
        *(value for row in rows for value in (row.label, row.why, row.metric)),
        *(value for row in rows for value in (row.log_loss, row.interval, row.chance)),
        *(row.sentence for row in rule_rows(HONEST)),
        *(one.interval for row in gain_rows(HONEST) for one in (row.metric, row.log_loss)),
        *(row.detail for row in gain_rows(HONEST)),
        *(value for row in tails.top for value in (row.expected, row.observed, row.recall)),
        *(" ".join([label, *costs]) for label, costs in costs.rows),
    ]
    assert all(said)
    for sentence in said:
        assert sentence in page
        assert sentence in text.replace(" | ", " ")


@pytest.mark.parametrize("field", TOLD)
def test_what_is_absent_is_not_mentioned(field: str, page: str, text: str) -> None:
    nothing, words = TOLD[field]
    without = replace(HONEST, **{field: nothing})
    assert words in page
    assert words in text
    assert words not in page_words(render_html(without))
    assert words not in markdown_words(render_markdown(without))


def test_a_summary_of_before_says_nothing_of_it() -> None:
    summary = make_summary(n_trials=24)
    lists = (doubts, gain_rows, finalist_rows, rule_rows, edge_texts)
    for found in (*lists, resampling_text, reference_facts, cost_table, tail_facts):
        assert not found(summary)
    assert brief_pairs(summary) == ()
    assert power_text(summary) in page_words(render_html(summary))
    assert ("Locked test rows", f"{summary.data.n_test:,}") in data_pairs(summary)


def test_a_nested_verdict_has_no_locked_test_rows() -> None:
    summary = make_honest_summary(n_trials=24, nested=True)
    for words in (page_words(render_html(summary)), markdown_words(render_markdown(summary))):
        assert "rows of the nested cross-validation" in words
        # The verdict's own sentence is the search's and stays as it is.
        assert "test rows" not in words.replace(summary.verdict.text, "").lower()


def test_the_power_is_said_once(page: str) -> None:
    assert page.count(power_text(HONEST)) == 1


def test_finalists_stand_in_the_order_of_the_selection() -> None:
    rows = finalist_rows(HONEST)
    found = {one.number: one for one in HONEST.finalists}
    kept = [found[row.number] for row in rows]
    assert [one.is_admissible for one in kept] == sorted(
        (one.is_admissible for one in kept), reverse=True
    )
    inside = [sum(one.log_loss) for one in kept if one.is_admissible]
    assert inside == sorted(inside)
    assert kept[-1].reasons == ("default cross-entropy",)
    assert (rows[-1].admissible, rows[-1].chance) == ("–", "–")


def test_tuned_cross_entropy_is_the_line_and_no_dot() -> None:
    info = finalists_info(HONEST)
    baseline = HONEST.verdict.baseline
    row = next(row for row in finalist_rows(HONEST) if row.number == baseline)
    assert (row.difference, row.interval) == ("–", "–")
    default = HONEST.finalists[-1].number
    assert {dot.number for dot in info.dots} == {
        one.number for one in HONEST.finalists if one.number not in (baseline, default)
    }


def test_a_dot_has_the_differences_of_its_pairs_of_training_runs() -> None:
    found = {one.number: one for one in HONEST.finalists}
    other = found[HONEST.verdict.baseline].metric
    for dot in finalists_info(HONEST).dots:
        mine = found[dot.number]
        assert dot.trainings == tuple(a - b for a, b in zip(mine.metric, other, strict=True))
        assert (dot.low, dot.difference, dot.high) == (mine.low, mine.difference, mine.high)


@pytest.mark.parametrize("metric", ["error", "auroc"])
def test_better_is_drawn_left_of_worse(metric: str) -> None:
    summary = make_honest_summary(n_trials=24, metric=metric)
    figures = {figure.id: figure for figure in all_figures(summary)}
    for name in ("finalists", f"gains-{metric}"):
        low, high = figures[name].spec["layout"]["xaxis"]["range"]
        assert (low < high) == (metric == "error")


def test_a_lone_finalist_has_a_row_and_no_figure() -> None:
    summary = make_honest_summary(n_trials=12, n_finalists=1)
    assert len(finalist_rows(summary)) == 1
    assert "finalists" not in {figure.id for figure in all_figures(summary)}


def test_steps_of_the_gains_join_end_to_start() -> None:
    for metric in ("error", "log_loss"):
        bars = gains_info(HONEST, metric).bars
        name = "metric" if metric == "error" else metric
        assert [bar.end for bar in bars] == [getattr(gain, name) for gain in HONEST.gains]
        assert math.isnan(bars[0].start)
        for before, bar, gain in zip(bars, bars[1:], HONEST.gains[1:], strict=False):
            assert bar.start == before.end
            assert bar.low - bar.start == pytest.approx(getattr(gain, f"{name}_low"))
            assert bar.high - bar.start == pytest.approx(getattr(gain, f"{name}_high"))


def gained(change: float, low: float, high: float, *, lower: bool = True) -> Summary:
    """Return a study with one step, another loss, that changed the metric by so much."""
    gains = (
        Gain("tuned", "", 0.2, 0.5),
        Gain("another loss", "", 0.2 + change, 0.5, change, low, high),
    )
    return replace(make_summary(n_trials=2, diverged=0), gains=gains, lower_is_better=lower)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize(
    ("change", "low", "high", "doubt"),
    [
        (-0.003, -0.004, -0.002, ""),
        (0.003, 0.002, 0.004, ""),
        (0.003, -0.001, 0.007, " (interval covers zero)"),
        (-0.003, math.nan, math.nan, ""),
    ],
)
def test_a_gain_is_told_by_its_direction_and_its_interval(
    change: float, low: float, high: float, doubt: str, lower: bool
) -> None:
    sentences = gain_sentences(gained(change, low, high, lower=lower))
    verb = "gave" if (change < 0) == lower else "cost"
    assert sentences == (f"In error, another loss {verb} 0.30 pp{doubt}.",)


def test_a_change_that_shows_as_zero_is_none() -> None:
    assert gain_sentences(gained(1e-6, -1.0, 1.0)) == ("In error, another loss changed nothing.",)
    assert gains_short(gained(1e-6, -1.0, 1.0)) == ""


def test_the_short_gains_part_the_clear_from_the_doubtful() -> None:
    clear, _, doubtful = gains_short(HONEST).partition("; interval covers zero: ")
    rows = {row.step: row.metric.reading for row in gain_rows(HONEST)}
    assert ("tuning gave" in clear) == (rows["tuned"] == "better")
    assert "another loss" in doubtful
    assert rows["another loss"] == "no clear difference"


def test_a_log_loss_is_not_told_twice() -> None:
    summary = replace(HONEST, metric="log_loss")
    assert len(gain_sentences(summary)) == 1
    assert sum(figure.group == "gains" for figure in all_figures(summary)) == 1


@pytest.mark.parametrize(
    ("honest", "bias"), [(0.25, "5.00 pp of selection bias"), (0.19, "no selection bias")]
)
def test_selection_bias_is_what_other_rows_do_not_show(honest: float, bias: str) -> None:
    nan = math.nan
    summary = replace(HONEST, optimism=Optimism(100, 0.2, honest, nan, nan))
    text = optimism_text(summary)
    assert "The best of 100 trials" in text
    assert bias in text
    assert "log loss after calibration it" not in text
    higher = optimism_text(replace(summary, lower_is_better=False))
    assert ("no selection bias" in higher) != ("no selection bias" in text)


def with_chances(chances: dict[int, float]) -> Summary:
    """Return a study whose finalists have those probabilities to be the best."""
    finalists = tuple(
        Finalist(number, ("best of x",), (0.1,), (0.2,), chance_best=chance)
        for number, chance in chances.items()
    )
    return replace(HONEST, finalists=finalists)


def test_the_winner_is_told_beside_whoever_is_likelier() -> None:
    winner, baseline = HONEST.verdict.challenger, HONEST.verdict.baseline
    other = next(t.number for t in HONEST.trials if t.number not in (winner, baseline))
    sentence = chance_sentence(with_chances({winner: 0.31, baseline: 0.09, other: 0.6}))
    for words in ("3 finalists", "31%", "cross-entropy with 9%", "with 60%"):
        assert words in sentence
    assert "60%" not in chance_sentence(with_chances({winner: 0.9, baseline: 0.1, other: 0.0}))
    assert chance_sentence(with_chances({winner: math.nan, baseline: 0.5})) == ""


@pytest.mark.parametrize(
    ("looks", "words"),
    [(0, "No other study had looked"), (1, "1 other study had"), (3, "3 other studies had")],
)
def test_earlier_looks_are_counted(looks: int, words: str) -> None:
    sentences = dict(doubts(replace(HONEST, looks=looks)))
    assert sentences["Earlier looks"].startswith(words)
    assert any(name == "Looks" for name, _ in brief_pairs(replace(HONEST, looks=looks))) == (
        looks > 0
    )


@pytest.mark.parametrize(
    ("optimism", "words"),
    [
        (
            PairOptimism(0.0021, 0.003),
            ("0.0021 nats in log loss and 0.30 pp in error: its gains",),
        ),
        (
            PairOptimism(0.0021, math.nan),
            ("0.0021 nats in log loss: its gains", "standard errors"),
        ),
        (
            PairOptimism(0.0, 0.003),
            ("favours the challenger by 0.30 pp in error", "by that, down to zero."),
        ),
        (PairOptimism(0.0, 0.0), ("does not favour the challenger", "not corrected")),
    ],
)
def test_the_correction_of_the_comparison_is_told(
    optimism: PairOptimism, words: tuple[str, ...]
) -> None:
    summary = replace(HONEST, metric="error", pair_optimism=optimism)
    sentence = dict(doubts(summary))["Correction of the comparison"]
    assert all(one in sentence for one in words)
    assert ("standard errors" in sentence) == (optimism.log_loss > 0.0)
    is_corrected = optimism != PairOptimism(0.0, 0.0)
    assert (dict(brief_pairs(summary))["Correction"] == "none needed") != is_corrected
    for page in (render_html(summary), render_markdown(summary)):
        assert words[0] in html.unescape(page)
        assert "not corrected for the selection" in page
    assert "Correction of the comparison" not in dict(doubts(HONEST))


@pytest.mark.parametrize("far", [True, False])
def test_a_reference_far_ahead_stands_out(far: bool) -> None:
    summary = make_honest_summary(n_trials=12, far_ahead=far)
    assert summary.reference is not None
    assert ('class="reference far"' in render_html(summary)) == far
    assert (f"**{summary.reference.text}**" in render_markdown(summary)) == far
    assert (summary.reference.text in dict(brief_pairs(summary))["For comparison"]) == far


def test_an_edge_says_side_ends_and_whether_the_range_grew() -> None:
    plain, widened = edge_texts(HONEST)
    assert all(word in plain for word in ("focal.gamma", "4.97", "upper end of 0 to 5"))
    assert all(word in widened for word in ("0.0301", "lower end of 0.03 to 0.3", "widened"))
    assert "widened" not in plain


@pytest.mark.parametrize("rules", [None, 3, {"error": 3}, {"error": ["x", "y"]}, {"error": [1]}])
def test_rules_of_another_form_stay_a_setting(rules: Any) -> None:
    summary = replace(HONEST, settings={"rules": rules})
    assert rule_rows(summary) == ()
    assert [name for name, _ in setting_pairs(summary)] == ["rules"]


def test_rules_have_their_own_table() -> None:
    assert [(row.name, row.number) for row in rule_rows(HONEST)] == [
        (name, number) for name, (number, _) in HONEST.settings["rules"].items()
    ]
    assert "rules" not in [name for name, _ in setting_pairs(HONEST)]


@pytest.mark.parametrize("p", [1e-5, 0.01, 0.5, 0.93])
def test_log_odds_are_those_of_the_share(p: float) -> None:
    assert 1 / (1 + math.exp(-log_odds(p))) == pytest.approx(p)


def test_a_group_without_positives_stands_on_the_lower_edge() -> None:
    assert HONEST.tails is not None
    info = tails_info(HONEST)
    assert info.bins[0].accuracy == 0.0
    assert info.place(0.0) == info.low
    assert info.low < info.place(info.bins[0].confidence) < info.high
    bins = tail_facts(HONEST)
    assert bins is not None
    assert len(bins.bins) == len(info.bins)


def test_tails_say_what_was_expected_and_what_was_found() -> None:
    facts = tail_facts(HONEST)
    assert facts is not None
    assert HONEST.tails is not None
    assert [(row.observed, row.count) for row in facts.top] == [
        (str(one.observed), str(one.count)) for one in HONEST.tails.top
    ]
    assert facts.top[0].share == "0.1%"


def test_a_large_cost_matrix_is_left_to_the_machine() -> None:
    classes = tuple(f"c{place}" for place in range(60))
    large = replace(
        HONEST,
        data=replace(HONEST.data, classes=classes),
        cost_matrix=tuple(tuple(float(i != j) for j in range(60)) for i in range(60)),
    )
    assert cost_table(large) is None


FLOATS = st.floats(width=32)


@given(st.lists(FLOATS, max_size=6))
def test_a_spread_is_the_mean_and_the_deviation_of_what_is_finite(values: list[float]) -> None:
    text = spread_text("brier", values)
    finite = [value for value in values if math.isfinite(value)]
    assert ("–" in text) == (not finite)
    assert ("±" in text) == (len(finite) > 1)
    assert (f"({len(finite)} of {len(values)})" in text) == (0 < len(finite) < len(values))
    assert "nan" not in text


@given(FLOATS, FLOATS, st.booleans())
def test_a_reading_mirrors_with_the_direction(low: float, high: float, lower: bool) -> None:
    swap = {"better": "worse", "worse": "better"}
    one = reading_text(low, high, lower_is_better=lower)
    assert reading_text(low, high, lower_is_better=not lower) == swap.get(one, one)
    assert (one == "unknown") == (not math.isfinite(low) or not math.isfinite(high))


@given(st.floats(min_value=1e-9, max_value=1.0))
def test_a_fine_share_keeps_two_digits(share: float) -> None:
    shown = float(fine_share(share).removesuffix("%")) / 100
    assert shown == pytest.approx(share, rel=0.051, abs=1e-10)


def test_points_and_lists_in_a_sentence() -> None:
    assert points_text("error", math.nan) == "–"
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"


def test_trials_that_left_the_race_are_not_lost() -> None:
    summary = make_summary(n_trials=20, diverged=2)
    assert dict(key_figures(summary))["Trials"].endswith("families, 2 without a result")
    gone = [replace(one, state="pruned", metrics={}) for one in summary.trials[10:17]]
    trials = (*summary.trials[:10], *gone, *summary.trials[17:])
    shown = dict(key_figures(replace(summary, trials=trials)))["Trials"]
    assert shown.endswith("families, 7 left the race, 2 without a result")
