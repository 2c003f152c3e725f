from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloss.losses import LossSpec
from autoloss.records import Comparison, Coverage, Resampling, Summary, TrialRecord
from autoloss.report import render_html, render_markdown, verdict_lines, verdict_rows
from autoloss.report.comparison import comparison_rows
from autoloss.report.recipe import loss_python, loss_toml
from autoloss.report.roles import ranked_trials, trial_roles
from autoloss.report.trials import family_rows, trial_columns, trial_rows
from autoloss.report.verdict import coverage_text, headline
from autoloss.report.words import date_text, difference_text, value_text
from autoloss.verdict.learnt import Learnt
from tests.report.summaries import HOSTILE, make_summary


def compared(low: float, high: float, *, lower_is_better: bool = True) -> Any:
    """Return the row of one comparison with that interval."""
    one = Comparison("brier", 0.5, 0.5 + (low + high) / 2, low, high, lower_is_better)
    summary = make_summary(n_trials=2, diverged=0)
    verdict = replace(summary.verdict, comparisons=(one,))
    return comparison_rows(replace(summary, verdict=verdict))[0]


def test_lines_begin_with_the_verdict_then_what_ships_then_a_table() -> None:
    summary = make_summary()
    first, second, header, *rows = verdict_lines(summary)
    assert first == f"No evidence: {summary.verdict.text}"
    assert second.startswith("Shipped model: tuned cross-entropy (trial 0;")
    assert "95% interval" in header
    assert 1 <= len(rows) <= 6
    assert {len(row.rstrip()) <= len(rows[0]) + 12 for row in rows} == {True}


def test_rows_are_plain_cells_with_a_header() -> None:
    table = verdict_rows(make_summary())
    assert {len(row) for row in table} == {6}
    assert table[1][0] == "Error"
    assert table[1][4] == "−0.72 to +0.48 pp"


def test_nothing_compared_gives_no_table() -> None:
    summary = make_summary(n_trials=1, families=("cross_entropy",), diverged=0)
    assert verdict_rows(summary) == ()
    assert len(verdict_lines(summary)) == 2
    assert headline(summary) == "No other loss was compared with tuned cross-entropy"


@pytest.mark.parametrize(
    ("low", "high", "lower_is_better", "reading"),
    [
        (-0.2, -0.1, True, "better"),
        (-0.2, -0.1, False, "worse"),
        (0.1, 0.2, True, "worse"),
        (0.1, 0.2, False, "better"),
        (-0.1, 0.2, True, "no clear difference"),
        (0.0, 0.2, False, "no clear difference"),
        (math.nan, 0.2, True, "unknown"),
    ],
)
def test_reading_follows_the_interval_and_the_direction(
    low: float, high: float, lower_is_better: bool, reading: str
) -> None:
    row = compared(low, high, lower_is_better=lower_is_better)
    assert row.reading == reading
    if reading == "unknown":
        assert row.ends is None
    else:
        # Drawn left of zero exactly where it is better.
        assert (row.ends[1] < 0) == (reading == "better")
        assert 0.5 < max(map(abs, row.ends)) <= 1.0


@pytest.mark.parametrize("decision", ["better", "no_evidence", "worse", "undecided"])
def test_headline_states_the_decision(decision: Any) -> None:
    text = headline(make_summary(decision=decision))
    start = {
        "better": "SM softmax beats tuned",
        "no_evidence": "No evidence that",
        "worse": "Tuned c",
        "undecided": "Undecided",
    }
    assert text.startswith(start[decision])


def nested(summary: Summary) -> Summary:
    return replace(summary, resampling=Resampling("cross_validation", 5, "nested", outer=10))


def test_headline_of_nested_folds_speaks_of_the_search() -> None:
    better, worse = (nested(make_summary(decision=d)) for d in ("better", "worse"))
    assert headline(better).startswith("Choosing the loss by search beats tuned")
    assert "SM softmax" not in headline(worse)


def test_an_unlikely_challenger_is_not_called_the_best_other_loss() -> None:
    summary = make_summary(decision="worse")

    def named(chance: float) -> str:
        return headline(replace(summary, verdict=replace(summary.verdict, chance=chance)))

    assert "the best other loss" in named(0.2)
    assert "the best other loss" not in named(0.19)


def test_an_undecided_report_opens_with_the_reason_and_with_what_was_trained() -> None:
    summary = make_summary(decision="undecided")
    reason = "not enough training: 2 of 20 epochs, 7 of 16 trials; give it about 3 min"
    summary = replace(
        summary,
        verdict=replace(summary.verdict, reason=reason),
        coverage=Coverage(7, 16, 2, 20, cut=9, is_final_cut=True, is_schedule_done=False),
    )
    assert headline(summary) == f"Undecided: {reason}"
    unlearnt = Learnt(0.0316, 0.0315, 0.0004).reason
    found = headline(replace(summary, verdict=replace(summary.verdict, reason=unlearnt)))
    assert found.endswith("not better than the class shares by more than its own uncertainty")
    assert coverage_text(summary) == (
        "7 trials of 16 finished; the time limit cut off 9. They were trained for 2 of "
        "20 epochs. The time limit cut off the final training runs."
    )
    assert coverage_text(replace(summary, coverage=Coverage(16, 16, 20, 20))) == ""
    page = render_html(summary)
    assert page.index(reason) < page.index("7 trials of 16")
    assert "7 trials of 16" in render_markdown(summary)


def test_headline_tells_smoothed_cross_entropy_from_cross_entropy() -> None:
    summary = make_summary(decision="better")
    trials = [
        replace(trial, loss=LossSpec(target="smoothing").to_dict())
        if trial.number == summary.verdict.challenger
        else trial
        for trial in summary.trials
    ]
    text = headline(replace(summary, trials=tuple(trials)))
    assert text == "Cross-entropy with smoothing beats tuned cross-entropy on this data"


def test_trials_are_ranked_by_log_loss_with_the_unscored_last() -> None:
    trials = ranked_trials(make_summary(diverged=4))
    values = [trial.metrics.get("refined_log_loss", math.inf) for trial in trials]
    assert values == sorted(values)
    assert values.count(math.inf) == 4


def test_rows_have_a_cell_for_each_column_and_a_rank_if_scored() -> None:
    summary = make_summary(diverged=4)
    rows = trial_rows(summary)
    assert {len(row.cells) for row in rows} == {len(trial_columns(summary))}
    assert [row.rank for row in rows] == [*range(1, 61), None, None, None, None]
    assert {row.state for row in rows[60:]} == {"diverged"}


def test_what_ships_and_the_baseline_are_told_apart_from_the_challenger() -> None:
    summary = make_summary(decision="better")
    roles = trial_roles(summary)
    assert roles[summary.recommended][:2] == ("ships", "challenger")
    assert roles[summary.verdict.baseline][0] == "tuned cross-entropy"


def test_families_count_all_their_trials() -> None:
    summary = make_summary(diverged=4)
    rows = family_rows(summary)
    assert sum(row.trials for row in rows) == 64
    assert sum(row.complete for row in rows) == 60
    assert [row.log_loss for row in rows] == sorted(row.log_loss for row in rows)


VALUES = st.floats(allow_nan=False) | st.integers() | st.text() | st.booleans()


@given(st.dictionaries(st.sampled_from(["focal.gamma", "prior", "temperature"]), VALUES))
def test_toml_says_the_loss(settings: dict[str, Any]) -> None:
    loss = {"base": HOSTILE.replace("\n", " "), **settings}
    read = tomllib.loads(loss_toml(TrialRecord(0, "complete", loss, {})))
    flat = {key: value for key, value in read.items() if not isinstance(value, dict)}
    flat |= {f"focal.{key}": value for key, value in read.get("focal", {}).items()}
    assert flat == loss


@given(st.dictionaries(st.text(), VALUES))
def test_python_says_the_loss(settings: dict[str, Any]) -> None:
    loss = settings | {"base": HOSTILE}
    code = loss_python(TrialRecord(0, "complete", loss, {}))
    start, end = code.index("{"), code.rindex("}")
    assert eval(code[start : end + 1]) == loss


def test_counts_are_written_where_the_loss_has_a_prior() -> None:
    loss = {"base": "focal", "prior": "logit_adjust", "logit_adjust.tau": 1.0}
    with_prior = loss_python(TrialRecord(0, "complete", loss, {}), (90, 10))
    assert "spec.module(class_counts=[90, 10])" in with_prior
    plain = loss_python(TrialRecord(0, "complete", {"base": "focal"}, {}), (90, 10))
    assert "spec.module()" in plain
    several = loss_python(TrialRecord(0, "complete", loss, {}), (90, 10), task="multilabel")
    assert 'spec.module(class_counts=counts, task="multilabel")' in several
    assert "a row (without, with) for each label" in several


@given(st.floats())
def test_every_number_has_a_text(value: float) -> None:
    for name in ("error", "brier", "refined_log_loss", "mine"):
        text = value_text(name, value)
        assert text == "–" or math.isfinite(value)
        if math.isfinite(value) and 1e-7 < abs(value) < 1e6 and name == "brier":
            assert float(text.replace("−", "-")) == pytest.approx(value, rel=0.06, abs=1e-4)
        difference = difference_text(name, value)
        # Zero has no sign.
        assert (difference[0] in "+−–") == (difference.strip("0. p") != "")


def test_a_moment_is_shown_to_the_minute_and_other_text_as_it_is() -> None:
    assert date_text("2026-03-14T15:09:26+00:00") == "2026-03-14 15:09 UTC"
    assert date_text("yesterday") == "yesterday"
