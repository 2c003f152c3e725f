from __future__ import annotations

import math

import pytest

from autoloss.losses import names
from autoloss.records import CurvePoint
from autoloss.tracking.content import (
    COLOURS,
    MAX_CURVE,
    MAX_KEY,
    MAX_PARAM,
    PALETTE,
    clip,
    family_colour,
    ranked_front,
    trial_content,
)
from autoloss.tracking.note import opening_note, verdict_note


def by_key(content):
    return {
        point.key: point.value for point in content.points if not point.key.startswith("epoch")
    }


def test_a_run_has_the_values_of_its_trial(record):
    content = trial_content(record(16, loss={"base": "focal", "focal.gamma": 2.1}), parent="p")
    assert content.name == "#016 focal gamma=2.1"
    assert content.params == {
        "base": "focal",
        "focal.gamma": "2.1",
        "lr": "0.003",
        "weight_decay": "0.01",
    }
    assert content.tags["mlflow.parentRunId"] == "p"
    assert content.tags["autoloss.trial"] == "00016"
    assert content.tags["mlflow.runColor"] == family_colour("focal")
    assert by_key(content) == {
        "val/error": pytest.approx(0.26),
        "val/refined_log_loss": 0.3,
        "val/ece": 0.02,
        "cost/seconds": 1.5,
    }


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("complete", "FINISHED"),
        ("stopped", "KILLED"),
        ("diverged", "FAILED"),
        ("failed", "FAILED"),
    ],
)
def test_a_state_has_its_status(record, state, status):
    content = trial_content(record(0, state=state), parent="p")
    assert content.status == status
    assert content.tags["autoloss.state"] == state


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_is_left_out(record, bad):
    content = trial_content(
        record(0, metrics={"error": bad, "ece": 0.1}, curve=(CurvePoint(1, bad, 0.5),)), parent="p"
    )
    keys = {point.key for point in content.points}
    assert keys == {"val/ece", "cost/seconds", "epoch/val_error"}


@pytest.mark.parametrize("n", [0, 1, 2, 19, 20, 21, 300])
def test_a_curve_keeps_its_ends_and_at_most_twenty_points(record, n):
    curve = tuple(CurvePoint(epoch, 0.3, 0.1) for epoch in range(1, n + 1))
    content = trial_content(record(0, curve=curve), parent="p")
    points = [point for point in content.points if point.key == "epoch/val_error"]
    assert len(points) == min(n, MAX_CURVE)
    steps = [point.step for point in points]
    assert steps == sorted(set(steps))
    assert [steps[0], steps[-1]] == [1, n] if n else not steps
    times = [point.timestamp for point in points]
    assert times == sorted(times)
    assert all(content.started < time <= content.ended for time in times)


def test_long_or_forbidden_text_is_clipped_or_replaced(record):
    content = trial_content(
        record(0, loss={"base": "x" * 300, "note": "y" * 9000}, metrics={"<lambda>": 0.5}),
        parent="p",
    )
    assert len(content.name) == MAX_KEY
    assert len(content.params["note"]) == MAX_PARAM
    assert by_key(content)["val/_lambda_"] == 0.5


def test_clip_keeps_short_text():
    assert clip("abc", 3) == "abc"
    assert clip("abcd", 3) == "ab…"


def test_families_of_the_catalogue_have_different_colours():
    found = {family_colour(name) for name in names()}
    assert len(found) == len(names())
    common = ("cross_entropy", "focal", "brier", "asymmetric", "power", "bi_tempered")
    assert {family_colour(name) for name in common} <= set(PALETTE)
    assert family_colour("a loss of tomorrow") in COLOURS


def test_the_note_begins_with_the_verdict(record, summary):
    note = verdict_note(summary([record(i) for i in range(3)]))
    assert note.startswith("### Better than tuned cross-entropy")
    assert "| error | 0.1200 | 0.1000 | -0.0200 | -0.0400 to -0.0010 |" in note
    assert "**Shipped model:** #001 `focal gamma=2.1`" in note
    assert "autoloss search churn.csv --target churned" in note


def test_a_cell_of_the_note_cannot_break_its_table():
    assert "| data \\| more | a b |" in opening_note("churn", {"data | more": "a\nb"})


def test_the_front_is_ranked_by_the_metric_in_its_direction(record, summary):
    from dataclasses import replace

    trials = [record(0), record(1), record(2)]
    plain = summary(trials, pareto=(2, 0, 1))
    assert ranked_front(plain) == [0, 1, 2]
    assert ranked_front(replace(plain, lower_is_better=False)) == [2, 1, 0]
