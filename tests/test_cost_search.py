"""A search with a cost matrix: its metric, its decisions and its stored study."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from typer.testing import CliRunner

import autoloss
from autoloss.cli.app import app
from autoloss.core.errors import InputError

NAMES = ("malignant", "benign")
# True classes down: a missed tumour costs 20 times as much as a needless biopsy.
COSTS = pd.DataFrame([[0.0, 20.0], [1.0, 0.0]], index=NAMES, columns=NAMES)


@pytest.fixture
def frame() -> pd.DataFrame:
    table = load_breast_cancer(as_frame=True).frame
    return table.assign(target=[NAMES[code] for code in table["target"]])


def paid(truth, decided) -> float:
    return float(np.mean([COSTS.loc[a, b] for a, b in zip(truth, decided, strict=True)]))


def cheapest(probs: np.ndarray, classes) -> list[str]:
    names = [str(name) for name in classes]
    return [names[i] for i in (probs @ COSTS.loc[names, names].to_numpy()).argmin(1)]


def test_costs_are_the_metric_and_the_model_decides_by_them(space, frame, tmp_path):
    arguments = {"space": space, "trials": 8, "track": "off", "out": tmp_path}
    result = autoloss.search(frame, "target", cost_matrix=COSTS, name="costs", **arguments)
    summary, model = result.summary, result.model
    assert (summary.metric, summary.lower_is_better) == ("expected_cost", True)
    assert all("expected_cost" in trial.metrics for trial in summary.trials if trial.metrics)
    first = summary.verdict.comparisons[0]
    assert (first.metric, first.low <= first.difference <= first.high) == ("expected_cost", True)
    order = [str(label) for label in model.classes]
    assert summary.cost_matrix == tuple(map(tuple, COSTS.loc[order, order].to_numpy().tolist()))

    probs = model.predict_proba(frame)
    decided = model.predict(frame)
    assert decided.tolist() == cheapest(probs, model.classes)
    assert decided.tolist() == model.decide(frame, COSTS).tolist()
    likeliest = model.classes[probs.argmax(1)]
    assert (decided != likeliest).any()
    loaded = autoloss.load(tmp_path / "costs")
    assert loaded.predict(frame).tolist() == decided.tolist()
    assert paid(frame["target"], decided) <= paid(frame["target"], likeliest)


def test_costs_beside_another_metric_are_shown(space, frame, tmp_path):
    result = autoloss.search(
        frame, "target", metric="auroc", cost_matrix=COSTS, name="s", track="off", trials=4,
        space=space, out=tmp_path,
    )  # fmt: skip
    assert result.summary.metric == "auroc"
    assert all(
        "expected_cost" in trial.metrics for trial in result.summary.trials if trial.metrics
    )
    assert {"auroc", "expected_cost"} <= set(result.summary.test_metrics["challenger"])


def test_a_study_goes_on_with_its_costs(space, frame, tmp_path, monkeypatch):
    def stop(self, *args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("autoloss.experiment.running.conclude", stop)
    with pytest.raises(KeyboardInterrupt):
        autoloss.search(
            frame, "target", cost_matrix=COSTS, name="s", trials=4, space=space, track="off",
            out=tmp_path,
        )  # fmt: skip
    monkeypatch.undo()
    result = autoloss.resume("s", data=frame, out=tmp_path)
    assert result.summary.metric == "expected_cost"
    probs = result.model.predict_proba(frame)
    assert result.model.predict(frame).tolist() == cheapest(probs, result.model.classes)


def test_the_estimator_decides_by_its_costs(space, frame):
    X, y = frame.drop(columns="target"), frame["target"]
    classifier = autoloss.AutoLossClassifier(space=str(space), trials=4, cost_matrix=COSTS)
    classifier.fit(X, y)
    decided = cheapest(classifier.predict_proba(X), classifier.classes_)
    assert classifier.predict(X).tolist() == decided


def test_the_command_line_reads_a_file_and_plans_by_it(space, frame, tmp_path):
    rows, costs = tmp_path / "rows.csv", tmp_path / "costs.csv"
    frame.to_csv(rows, index=False)
    COSTS.to_csv(costs)
    words = [
        "search",
        str(rows),
        "--target",
        "target",
        "--space",
        str(space),
        "--dry-run",
        "--json",
    ]
    plan = CliRunner().invoke(app, [*words, "--cost-matrix", str(costs)])
    assert json.loads(plan.stdout)["metric"] == "expected_cost"
    assert json.loads(CliRunner().invoke(app, words).stdout)["metric"] == "error"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cost_matrix": COSTS.rename(columns={"benign": "b"})}, "must name the same classes"),
        ({"cost_matrix": COSTS * 0}, "must leave a choice"),
        ({"metric": "expected_cost"}, "must have a cost matrix"),
    ],
)
def test_unsuitable_costs_are_refused_in_one_line_and_leave_nothing(
    space, frame, tmp_path, arguments, message
):
    with pytest.raises(InputError, match=message):
        autoloss.search(frame, "target", space=space, name="s", out=tmp_path, **arguments)
    assert not (tmp_path / "s").exists()
    with pytest.raises(InputError, match=message):
        autoloss.plan(frame, "target", space=space, **arguments)
