"""A search for several labels a row, from the table to the report and to predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss
from typer.testing import CliRunner

import autoloss
from autoloss.cli import app
from autoloss.core.errors import InputError
from autoloss.search import load_space
from tests.spaces import PROTOCOL, SETTINGS

LABELS = ("calm", "sad", "loud", "never")
TRIALS = 6
SPACE = f'bases = ["cross_entropy", "asymmetric"]{SETTINGS}'


def make_frame(n_rows: int = 240, seed: int = 0) -> pd.DataFrame:
    """Return rows of four numbers and four labels, one of which no row has."""
    chance = np.random.default_rng(seed)
    numbers = chance.normal(size=(n_rows, 4))
    way = np.random.default_rng(9).normal(size=(4, 3))
    answers = numbers @ way + 0.5 * chance.normal(size=(n_rows, 3)) > [0.0, 0.6, 1.5]
    frame = pd.DataFrame(numbers, columns=["a", "b", "c", "d"])
    for place, name in enumerate(LABELS[:3]):
        frame[name] = np.where(answers[:, place], "yes", "no")
    frame["never"] = "no"
    frame.loc[chance.random(n_rows) < 0.1, "sad"] = None
    return frame


def search(frame: Any, folder: Path, name: str, space: str = SPACE, **more: Any):
    path = folder / "labels.toml"
    path.write_text(space, encoding="utf-8")
    options: dict[str, Any] = {"space": path, "trials": TRIALS, "track": "off", "workers": 1}
    return autoloss.search(frame, LABELS, name=name, out=folder, **{**options, **more})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


@pytest.fixture(scope="module")
def result(place: Path) -> autoloss.SearchResult:
    return search(make_frame(), place, "held")


def test_held_out_labels_decide_and_rows_stay_whole(result: autoloss.SearchResult) -> None:
    summary, frame = result.summary, make_frame()
    known = frame[list(LABELS[:3])].notna().sum().sum()
    assert summary.verdict.n_test == 240
    assert f"{known:,} labels of 240 rows" in summary.verdict.text
    assert {one.name: one.positives for one in summary.data.labels} == {
        name: int((frame[name] == "yes").sum()) for name in LABELS
    }
    assert sum(summary.data.class_counts) == frame[list(LABELS)].notna().sum().sum()


def test_disagreements_name_the_row_and_the_label(result: autoloss.SearchResult) -> None:
    found, frame = result.summary.disagreements, make_frame()
    assert found is not None
    assert found.examples
    for one in found.examples:
        assert frame[one.label][one.row] == ("yes" if one.truth else "no")


def test_the_model_predicts_each_label(result: autoloss.SearchResult) -> None:
    fresh, model = make_frame(400, seed=5), result.model
    assert model is not None
    probs = model.predict_proba(fresh)
    assert probs.shape == (400, 4)
    assert model.classes.tolist() == list(LABELS)
    truth = fresh[list(LABELS)] == "yes"
    for place, name in enumerate(LABELS[:3]):
        known = fresh[name].notna()
        prior = np.full(known.sum(), truth[name][known].mean())
        own = log_loss(truth[name][known], probs[known, place], labels=[False, True])
        assert own < 0.8 * log_loss(truth[name][known], prior, labels=[False, True])
    # The label that no row has keeps its share: a half of one row of all.
    assert np.ptp(probs[:, 3]) == pytest.approx(0.0, abs=1e-12)
    assert probs[0, 3] == pytest.approx(0.5 / (0.8 * 240 + 1), rel=1e-6)
    assert (model.predict(fresh) == (probs > 0.5)).all()


def test_a_saved_model_writes_labels_joined_or_wide(
    result: autoloss.SearchResult, place: Path
) -> None:
    fresh = make_frame(30, seed=6)
    fresh.to_csv(place / "new.csv", index=False)
    folder = str(place / "held" / "model")
    words = ["predict", folder, str(place / "new.csv"), "-o"]
    assert CliRunner().invoke(app, [*words, str(place / "p.csv")]).exit_code == 0
    found = pd.read_csv(place / "p.csv", keep_default_na=False)
    assert result.model is not None
    probs, decided = result.model.predict_proba(fresh), result.model.predict(fresh)
    np.testing.assert_allclose(found[[f"probability_{n}" for n in LABELS]], probs, atol=1e-12)
    joined = ["|".join(np.array(LABELS)[row == 1]) for row in decided]
    assert found["prediction"].tolist() == joined
    assert CliRunner().invoke(app, [*words, str(place / "l.parquet")]).exit_code == 0
    lists = pd.read_parquet(place / "l.parquet")["prediction"]
    assert ["|".join(one) for one in lists] == joined
    words += [str(place / "w.parquet"), "--wide"]
    assert CliRunner().invoke(app, words).exit_code == 0
    table = pd.read_parquet(place / "w.parquet")
    assert (table[list(LABELS)].to_numpy() == decided).all()
    assert "prediction" not in table


def test_a_finished_study_is_read_again_and_reported(
    result: autoloss.SearchResult, place: Path
) -> None:
    again = autoloss.resume("held", out=place)
    # Written out, because a number may be NaN.
    assert repr(again.summary.gains) == repr(result.summary.gains)
    assert again.summary.trials == result.summary.trials
    assert again.model is not None
    written = json.loads((place / "held" / "summary.json").read_text(encoding="utf-8"))
    assert written["data"]["labels"][0]["name"] == "calm"
    page = (place / "held" / "report.html").read_text(encoding="utf-8")
    assert "4 labels" in page
    assert "'never': never yes in the training rows" in page.replace("&#39;", "'")


def test_the_labels_of_locked_rows_decide_nothing_but_the_verdict(place: Path) -> None:
    rest, test = make_frame(200), make_frame(120, seed=1)
    order = np.random.default_rng(5).permutation(len(test))
    permuted = test.assign(**{name: test[name].to_numpy()[order] for name in LABELS})
    space = SPACE + PROTOCOL
    one, other = (
        search(rest, place, name, space, test=labels).summary
        for name, labels in (("one", test), ("other", permuted))
    )
    for first, second in zip(one.trials, other.trials, strict=True):
        assert (first.loss, first.nuisance) == (second.loss, second.nuisance)
        assert (first.metrics, first.readout) == (second.metrics, second.readout)
    assert repr(one.finalists) == repr(other.finalists)
    assert one.verdict.challenger == other.verdict.challenger
    losses = [s.test_metrics["cross-entropy"]["log_loss"] for s in (one, other)]
    assert losses[0] < losses[1] - 0.1
    assert one.verdict.n_test == 120


def test_what_has_no_form_for_several_labels_is_refused(place: Path) -> None:
    frame = make_frame(60)
    similar = pd.DataFrame(np.eye(2), ["no", "yes"], ["no", "yes"])
    with pytest.raises(InputError, match="class_similarity must be left out for several labels"):
        search(frame, place, "refused", class_similarity=similar)
    with pytest.raises(InputError, match="negatives must be 0 for several labels"):
        search(frame, place, "refused", SPACE + "[protocol]\nnegatives = 5\n")
    assert not (place / "refused").exists()


def test_the_space_of_several_labels_reads_the_data_as_the_default_space_does() -> None:
    default, own = load_space("default"), load_space("multilabel")
    # Its trials do not race.
    protocol = replace(default.protocol, racing=False)
    assert (own.network.bins, own.protocol) == (default.network.bins, protocol)
    plan = autoloss.plan(make_frame(60), LABELS, trials=8)
    assert set(plan.families) <= set(own.bases)
    assert "asymmetric" in own.bases[:3]
