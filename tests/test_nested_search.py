"""A search over few rows whose verdict is by nested cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss

import autoloss
from tests.few_rows import N_ROWS, make_few_rows, plain
from tests.spaces import SETTINGS


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return make_few_rows()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nested")
    settings = SETTINGS.replace("max_epochs = 4", "max_epochs = 16")
    text = f'bases = ["cross_entropy", "focal"]{settings}[protocol]\njudge = "nested"\n'
    (folder / "tiny.toml").write_text(text, encoding="utf-8")
    return folder


def search(frame: pd.DataFrame, place: Path, name: str) -> autoloss.SearchResult:
    # Whether the model is trained again on all rows depends on the time, unless it is said.
    options: dict[str, Any] = {"space": place / "tiny.toml", "trials": 12, "refit": False}
    return autoloss.search(frame, "y", name=name, out=place, track="off", **options)


@pytest.fixture(scope="module")
def result(frame: pd.DataFrame, place: Path) -> autoloss.SearchResult:
    return search(frame, place, "whole")


def test_no_row_is_locked_and_every_row_counts_in_the_verdict(
    result: autoloss.SearchResult, frame: pd.DataFrame, place: Path
) -> None:
    summary = result.summary
    assert summary.resampling is not None
    assert (summary.resampling.verdict, summary.resampling.outer) == ("nested", 10)
    assert (summary.resampling.kind, summary.resampling.folds) == ("cross_validation", 5)
    assert summary.data.n_train + summary.data.n_valid == N_ROWS
    assert summary.data.n_test == 0
    assert sum(summary.data.class_counts) == N_ROWS
    assert summary.verdict.n_test == N_ROWS
    assert "nested" in summary.verdict.text
    assert "test_sha256" not in summary.settings
    for diagram in summary.reliability:
        assert sum(diagram.count) == N_ROWS
    plan = autoloss.plan(frame, "y", space=place / "tiny.toml", trials=12)
    assert plan.verdict == "nested"
    assert 0 < summary.verdict.detectable < 1
    assert [gain.step for gain in summary.gains][:2] == ["default cross-entropy", "tuned"]
    assert {len(one.metric) for one in summary.finalists} == {5}


def test_the_model_ships_and_was_not_judged_on_what_it_learnt(
    result: autoloss.SearchResult, frame: pd.DataFrame, place: Path
) -> None:
    model = autoloss.load(place / "whole")
    [ships] = [one for one in result.summary.policies if one.ships]
    assert len(model.members) == 5 * len(ships.numbers)
    probs = model.predict_proba(frame)
    assert result.model is not None
    np.testing.assert_array_equal(probs, result.model.predict_proba(frame))
    assert probs.sum(1) == pytest.approx(1.0)
    assert accuracy_score(frame["y"], model.predict(frame)) > 0.8
    # Each row of the verdict is predicted by models that have not seen it.
    role = "challenger" if result.verdict.decision == "better" else "cross-entropy"
    assert log_loss(frame["y"], probs) < result.summary.test_metrics[role]["log_loss"]


def test_an_interrupted_study_goes_on_to_the_same_end(
    result: autoloss.SearchResult,
    frame: pd.DataFrame,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("autoloss.experiment.conclusion.judge_by_nesting", stop)
        with pytest.raises(KeyboardInterrupt):
            search(frame, place, "cut")
    assert not (place / "cut" / "summary.json").exists()
    resumed = autoloss.resume("cut", data=frame, out=place)
    assert plain(resumed.summary) == plain(result.summary)


def test_labels_that_mean_nothing_decide_nothing(frame: pd.DataFrame, place: Path) -> None:
    shuffled = frame.assign(y=np.random.default_rng(1).permutation(frame["y"]))
    summary = search(shuffled, place, "nothing").summary
    assert summary.verdict.decision == "undecided"
    assert "not better than the class shares" in summary.verdict.reason
    assert summary.recommended == summary.verdict.baseline
    prior = np.mean(frame["y"] == "yes")
    chance = -prior * np.log(prior) - (1 - prior) * np.log(1 - prior)
    # Nothing can be learnt, and probabilities say so: nearly as good as the prior alone.
    assert summary.test_metrics["cross-entropy"]["log_loss"] == pytest.approx(chance, abs=0.1)
