"""Costs of rows: they multiply the costs of decisions in metric, verdict and report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import autoloss
from autoloss.core.errors import InputError
from autoloss.data.frames import Table
from autoloss.data.row_costs import row_costs
from autoloss.metrics.costs import expected_cost
from autoloss.report import render_html, render_markdown
from tests.spaces import SMALL

CHANCE = np.random.default_rng(0)
N = 500
FRAME = pd.DataFrame(CHANCE.normal(size=(N, 3)), columns=list("abc"))
FRAME["amount"] = CHANCE.exponential(100.0, N).round(2)
FRAME["y"] = np.where(FRAME.a + CHANCE.normal(size=N) > 0, "yes", "no")
COSTS = {"no": {"no": 0, "yes": 1}, "yes": {"no": 5, "yes": 0}}


def test_the_expected_cost_is_the_mean_of_row_costs_times_costs() -> None:
    probs = torch.tensor(CHANCE.dirichlet(np.ones(3), 200))
    targets, own = torch.tensor(CHANCE.integers(3, size=200)), torch.tensor(CHANCE.random(200))
    matrix = np.array([[0.0, 1.0, 4.0], [2.0, 0.0, 1.0], [9.0, 3.0, 0.0]])
    decided = (probs.numpy() @ matrix).argmin(1)
    wanted = (own.numpy() * matrix[targets.numpy(), decided]).mean()
    found = expected_cost(probs.log()[None], targets, matrix.tolist(), row_costs=own)
    assert found.item() == pytest.approx(wanted)
    assert expected_cost(
        probs.log()[None], targets, matrix.tolist(), row_costs=torch.ones(200)
    ).item() == pytest.approx(expected_cost(probs.log()[None], targets, matrix.tolist()).item())


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("costs")
    (folder / "space.toml").write_text(SMALL, encoding="utf-8")
    # Without an outer fold rows would be locked.
    judged = SMALL.replace("outer_folds = 0\n", "")
    (folder / "judged.toml").write_text(judged, encoding="utf-8")
    return folder


def search(place: Path, data=FRAME, **options):
    given = {"space": place / "space.toml", "trials": 6, "cost_column": "amount"} | options
    return autoloss.search(data, "y", out=place, track="off", workers=1, **given)


def test_row_costs_are_paid_in_the_search_the_verdict_and_the_report(place: Path) -> None:
    result = search(place, name="paid", cost_matrix=COSTS, lock=True)
    summary, model = result.summary, result.model
    assert summary.metric == "expected_cost"
    assert "amount" not in dict(summary.data.columns)
    assert dict(summary.data.aside)["amount"] == "holds the costs of rows"
    rules = {(one.role, one.rule): one for one in summary.rule_costs}
    own = rules["cross-entropy", "calibrated"].cost
    assert own.low < own.value < own.high
    shown = summary.test_metrics["cross-entropy"]["expected_cost"]
    assert own.value == pytest.approx(shown)
    # In the unit of the amounts, not of the matrix.
    assert shown > 5.0
    if summary.verdict.comparisons:
        assert summary.verdict.comparisons[0].baseline == pytest.approx(shown)
    assert all(one.metrics["expected_cost"] > 5.0 for one in summary.trials if one.metrics)
    # They move no decision, and new rows need none.
    fresh = FRAME.drop(columns=["amount", "y"])
    assert model.predict(fresh).tolist() == model.decide(fresh, COSTS).tolist()
    for text in (render_markdown(summary), render_html(summary)):
        assert "Cost per row" in text
    curve = summary.cost_curve
    at = min(range(len(curve.at)), key=lambda n: abs(curve.at[n] - curve.given))
    assert curve.baseline[at] == pytest.approx(shown, rel=0.1)


def test_without_a_matrix_a_wrong_decision_costs_its_row_out_of_fold(place: Path) -> None:
    result = search(place, name="alone", space=place / "judged.toml")
    summary = result.summary
    assert summary.cost_matrix == ((0.0, 1.0), (1.0, 0.0))
    rules = {(one.role, one.rule): one for one in summary.rule_costs}
    assert rules["cross-entropy", "likeliest"].cost.value == pytest.approx(
        rules["cross-entropy", "calibrated"].cost.value, rel=0.1
    )
    shown = summary.test_metrics["cross-entropy"]
    assert shown["expected_cost"] == pytest.approx(rules["cross-entropy", "calibrated"].cost.value)
    assert shown["error"] < 1.0 < shown["expected_cost"]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (-1.0, r"Column 'amount' of rows.csv must have a cost of 0 or more.* row 3 has '?-1.0"),
        (np.nan, r"Column 'amount' of rows.csv must have a cost .* row 3 has"),
        ("much", r"row 3 has 'much'; correct it"),
    ],
)
def test_a_cost_that_cannot_be_is_named_by_its_row(cell, message: str) -> None:
    frame = FRAME.astype({"amount": object})
    frame.loc[2, "amount"] = cell
    with pytest.raises(InputError, match=message):
        row_costs(Table(frame, "rows.csv"), "amount")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cost_column": "amounts"}, "cost_column must name a column.*did you mean 'amount'"),
        ({"drop": ["amount"]}, "cost_column must have no other role"),
        ({"cost_column": "y"}, "cost_column must not be the target"),
        ({"test": FRAME.drop(columns="amount")}, "must have the column 'amount' with the cost"),
    ],
)
def test_columns_that_hold_no_costs_are_refused_before_a_study(place, change, message) -> None:
    with pytest.raises(InputError, match=message):
        search(place, name="refused", **change)
    assert not (place / "refused").exists()


def test_several_labels_and_nested_folds_have_no_costs_of_rows(place: Path) -> None:
    labels = FRAME.assign(y=(FRAME.y == "yes").astype(int), z=(FRAME.b > 0).astype(int))
    with pytest.raises(InputError, match="cost_column must be left out for several labels"):
        autoloss.search(
            labels, ("y", "z"), cost_column="amount", out=place, track="off", name="refused"
        )
