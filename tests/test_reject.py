"""The decision for no class: costs with a column reject, from the file to the prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import autoloss
from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data.costs import check_costs, cost_array, cost_notes, ordered_costs
from autoloss.export import export
from autoloss.inference.pyfunc import ServedModel, output_types
from autoloss.metrics import cost_decisions, resolve_metric
from autoloss.report import render_html, render_markdown
from tests.spaces import SMALL

CHANCE = np.random.default_rng(0)
COSTS = "true,reject,yes,no\nno,0.2,1,0\nyes,0.2,0,5\n"
MAIL = Task("binary", ("no", "yes"), "y")


@pytest.mark.parametrize("cost", [0.05, 0.2, 0.45])
def test_a_cost_of_rejection_is_the_rule_of_chow(cost: float) -> None:
    probs = torch.tensor(CHANCE.dirichlet(np.ones(4), 500))
    matrix = np.c_[1.0 - np.eye(4), np.full(4, cost)]
    decided = cost_decisions(probs, matrix.tolist())
    # Chow 1970: reject where the largest probability is below one less the cost.
    wanted = torch.where(probs.amax(-1) < 1.0 - cost, 4, probs.argmax(-1))
    assert decided.tolist() == wanted.tolist()


def test_reject_comes_last_in_whatever_order_the_file_has_it(tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    file.write_text(COSTS, encoding="utf-8")
    read = check_costs(file)
    assert ordered_costs(read, MAIL) == [[0.0, 1.0, 0.2], [5.0, 0.0, 0.2]]
    assert cost_array(file, MAIL).shape == (2, 3)
    assert resolve_metric(None, cost_matrix=ordered_costs(read, MAIL)).name == "expected_cost"
    # A class of that name is a class.
    square = {"reject": {"reject": 0, "no": 1}, "no": {"reject": 2, "no": 0}}
    named = Task("binary", ("no", "reject"), "y")
    assert ordered_costs(check_costs(square), named) == [[0.0, 2.0], [1.0, 0.0]]
    dear = cost_notes([[0.0, 1.0, 3.0], [5.0, 0.0, 3.0]], MAIL.classes)
    assert any("No probabilities lead to the decision 'reject'" in note for note in dear)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (COSTS.replace("0.2,1", "-0.2,1"), r"c.csv must hold costs of 0 or more, but has -0.2 for"
         r" true class 'no' and decision 'reject'"),
        (COSTS.replace("0.2,1", ",1"), r"c.csv must hold finite numbers.*'no' and decision 'rej"),
        (COSTS.replace("reject", "refuse"), "same classes in its first column and its header"),
        (COSTS.replace("yes,no", "yes,maybe"), "once each, reject aside, but got"),
    ],
)  # fmt: skip
def test_costs_that_cannot_be_are_refused_in_a_line(tmp_path: Path, text, message) -> None:
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as refused:
        check_costs(tmp_path / "c.csv")
    assert "\n" not in str(refused.value)


def test_sequences_and_estimators_do_not_reject() -> None:
    tags = Task("sequence", ("no", "yes"), "y")
    costs = {"no": {"no": 0, "yes": 1, "reject": 0.2}, "yes": {"no": 5, "yes": 0, "reject": 0.2}}
    with pytest.raises(InputError, match="no decision 'reject' for sequences"):
        ordered_costs(check_costs(costs), tags)
    rows, labels = CHANCE.normal(size=(60, 2)), np.array(["no", "yes"] * 30)
    with pytest.raises(InputError, match="predict returns classes alone"):
        autoloss.AutoLossClassifier(cost_matrix=costs, trials=4).fit(rows, labels)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    place = tmp_path_factory.mktemp("reject")
    (place / "space.toml").write_text(SMALL, encoding="utf-8")
    (place / "costs.csv").write_text("true,reject,1,0\n0,0.35,1,0\n1,0.35,0,1\n")
    frame = pd.DataFrame(CHANCE.normal(size=(500, 3)), columns=list("abc"))
    frame["y"] = (frame.a + 0.3 * CHANCE.normal(size=500) > 0).astype(int)
    result = autoloss.search(
        frame, "y", space=place / "space.toml", trials=6, cost_matrix=place / "costs.csv",
        name="mine", out=place, track="off", workers=1,
    )  # fmt: skip
    return result, frame, place


def test_a_model_rejects_rows_and_writes_it_as_a_decision(found) -> None:
    result, frame, place = found
    price = np.array([[0.0, 1.0, 0.35], [1.0, 0.0, 0.35]])
    wanted = np.array(["0", "1", "reject"])[(result.model.predict_proba(frame) @ price).argmin(1)]
    decided = result.model.predict(frame)
    assert decided.tolist() == wanted.tolist()
    assert set(decided) == {"0", "1", "reject"}
    loaded = autoloss.load(place / "mine")
    assert loaded.predict(frame).tolist() == decided.tolist()
    assert loaded.decide(frame, price).tolist() == decided.tolist()
    assert set(loaded.decide(frame, price[:, :2])) == {0, 1}
    served = ServedModel(loaded)
    assert served.predict(frame)["prediction"].tolist() == decided.tolist()
    assert output_types(loaded)[0] == ("prediction", "string")
    with pytest.raises(InputError, match="exported for mlflow alone, but got --to onnx"):
        export(loaded, "onnx", place / "model.onnx")


def test_the_report_counts_what_is_rejected_and_what_it_costs(found) -> None:
    summary = found[0].summary
    assert [len(row) for row in summary.cost_matrix] == [3, 3]
    matrix = np.array(summary.confusion.baseline)
    assert matrix.shape == (2, 3)
    assert matrix.sum() == sum(summary.class_scores.rows)
    rules = {(one.role, one.rule): one for one in summary.rule_costs}
    own = rules["cross-entropy", "calibrated"]
    costs = np.array(summary.cost_matrix)
    assert own.cost.value == pytest.approx((matrix * costs).sum() / matrix.sum())
    assert own.cost.value == pytest.approx(summary.test_metrics["cross-entropy"]["expected_cost"])
    assert own.rejected == pytest.approx(matrix[:, 2].sum() / matrix.sum())
    assert rules["cross-entropy", "likeliest"].rejected == 0.0
    text, page = render_markdown(summary), render_html(summary)
    assert "% rejected" in text
    assert "### Decision rules" in text
    assert "reject" in page
