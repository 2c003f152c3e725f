"""A search for labels in a column of lists, with weights, costs and a custom decision."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import autoloss
from autoloss.cli import app
from autoloss.core.errors import InputError
from autoloss.diagnosis.model import diagnose_model
from tests.spaces import SETTINGS
from tests.test_labels_search import make_frame

NAMES = ("calm", "loud", "sad")
COSTS = {name: {"miss": 4.0, "false_alarm": 1.0} for name in NAMES}
SPACE = f'bases = ["cross_entropy", "brier"]\npriors = ["none"]\n{SETTINGS}'


def with_lists(n_rows: int = 240, seed: int = 0) -> pd.DataFrame:
    """Return rows of numbers with a list of labels each; some have none, some are unknown."""
    frame = make_frame(n_rows, seed)
    lists = [[name for name in NAMES if row[name] == "yes"] for row in frame.to_dict("records")]
    frame = frame[["a", "b", "c", "d"]].assign(tags=lists)
    frame.loc[[5, 7], "tags"] = None
    return frame


def search(folder: Path, name: str, **options: Any) -> autoloss.SearchResult:
    space = folder / "lists.toml"
    space.write_text(SPACE, encoding="utf-8")
    how = {"space": space, "trials": 6, "track": "off", "workers": 1, "name": name, "out": folder}
    return autoloss.search(with_lists(), "tags", labels_in="list", **{**how, **options})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lists")


@pytest.fixture(scope="module")
def result(place: Path) -> autoloss.SearchResult:
    weights = {"calm": 1.0, "loud": 3.0, "sad": 1.0}
    return search(place, "costs", cost_matrix=COSTS, class_weights=weights)


def test_costs_and_weights_of_labels_reach_metric_loss_and_model(
    result: autoloss.SearchResult, place: Path
) -> None:
    summary, model = result.summary, result.model
    assert summary.metric == "expected_cost"
    assert [one.name for one in summary.data.labels] == list(NAMES)
    assert [one.weight for one in summary.data.labels] == [1.0, 3.0, 1.0]
    stored = json.loads((place / "costs" / "study.json").read_text(encoding="utf-8"))
    assert "given_weights" in stored["space"]["priors"]
    assert stored["class_weights"] == [[1.0, 1.0], [1.0, 3.0], [1.0, 1.0]]
    # Two rows have no list.
    assert {one.positives + one.negatives for one in summary.data.labels} == {238}
    assert model is not None
    assert model.thresholds is not None
    assert model.thresholds.tolist() == pytest.approx([0.2] * 3)
    fresh = with_lists(300, seed=5)
    probs, again = model.predict_proba(fresh), autoloss.load(place / "costs" / "model")
    assert (model.predict(fresh) == (probs > 0.2)).all()
    assert (again.predict(fresh) == model.predict(fresh)).all()
    assert summary.labels is not None
    assert summary.labels.thresholds == pytest.approx((0.2,) * 3)
    text = (place / "costs" / "report.md").read_text(encoding="utf-8")
    assert "## Labels" in text
    assert "from a probability of 20.0% on" in text


def test_a_number_of_labels_is_given_to_each_row(place: Path) -> None:
    found = search(place, "two", label_decision=2, metric="average_precision")
    assert found.model is not None
    decided = found.model.predict(with_lists(60, seed=3))
    assert (decided.sum(1) == 2).all()
    assert np.isfinite(found.summary.test_metrics["cross-entropy"]["subset_error"])
    assert "its 2 likeliest labels" in (place / "two" / "report.md").read_text(encoding="utf-8")


def test_a_file_of_text_is_read_and_predicted(place: Path) -> None:
    frame, path = with_lists(), place / "tags.csv"
    joined = [own if own is None else "|".join(own) or "|" for own in frame["tags"]]
    frame.assign(tags=joined).to_csv(path, index=False)
    words = ["search", str(path), "--target", "tags", "--dry-run", "--track", "off"]
    plan = CliRunner().invoke(app, [*words, "--label-separator", "|"])
    assert plan.exit_code == 0, plan.output
    assert "tags with 3 labels" in plan.output
    hinted = " ".join(CliRunner().invoke(app, words).output.split())
    assert "--label-separator '|' reads several" in hinted
    for more, message in (
        (["--label-separator", ";"], "has it nowhere"),
        (["--labels-in", "list"], "name the text between labels with --label-separator"),
        (["--labels-in", "lists"], "labels_in must be 'columns' or 'list'"),
        (["--label-separator", "|", "--label-decision", "3"], "a number of labels from 1 to 2"),
        (["--label-decision", "f1"], "must be left out for one label per row"),
        (["--labels-in", "list", "--target", "a,tags"], "left out for several yes-or-no columns"),
    ):
        refused = CliRunner().invoke(app, [*words, *more])
        assert refused.exit_code == 2, more
        assert message in " ".join(refused.output.split()), more


def test_labels_that_only_the_test_rows_have_are_named(place: Path) -> None:
    test = with_lists(60, seed=2)
    test.at[3, "tags"] = ["calm", "new"]
    plan = autoloss.plan(with_lists(), "tags", labels_in="list", test=test, trials=8)
    assert any("'new'" in note for note in plan.notes)


def test_weights_of_labels_name_the_labels(place: Path) -> None:
    with pytest.raises(InputError, match="class_weights must be of known labels, but got 'no'"):
        search(place, "refused", class_weights={"no": 1.0, "yes": 2.0})
    assert not (place / "refused").exists()


def test_a_model_is_diagnosed_on_lists_as_on_columns(
    result: autoloss.SearchResult, place: Path
) -> None:
    assert result.model is not None
    lists = with_lists(200, seed=4)
    columns = lists.drop(columns="tags")
    for name in NAMES:
        columns[name] = [None if own is None else int(name in own) for own in lists["tags"]]
    text = lists.assign(tags=["|".join(own) if own else own for own in lists["tags"]])
    text["tags"] = [own if isinstance(own, str) or own is None else "|" for own in text["tags"]]
    first, *others = (diagnose_model(result.model, one) for one in (columns, lists, text))
    for other in others:
        # As text, in which a curve's NaN equals another.
        assert str(asdict(other)) == str(asdict(first))
    with pytest.raises(InputError, match=r"joined by .* but has 'calm;sad'"):
        diagnose_model(result.model, text.assign(tags="calm;sad"))
