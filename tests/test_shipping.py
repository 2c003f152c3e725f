"""Promoting another trial changes the shipped model, and records the choice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import autoloss
from autoloss.core.admitted import note_named
from autoloss.core.errors import InputError
from autoloss.report import summary_from_json
from autoloss.tracking import read_chosen_trial
from tests.spaces import SMALL


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A folder with a finished study, its database of MLflow and the table."""
    place = tmp_path_factory.mktemp("shipping")
    chance = np.random.default_rng(0)
    columns = {name: chance.normal(size=1400) for name in "abc"}
    label = np.where(columns["a"] + chance.normal(size=1400) > 0, "yes", "no")
    pd.DataFrame({**columns, "y": label}).to_csv(place / "rows.csv", index=False)
    (place / "small.toml").write_text(SMALL, encoding="utf-8")
    autoloss.search(
        place / "rows.csv",
        "y",
        space=place / "small.toml",
        trials=12,
        name="mine",
        out=place / "reports",
        tracking_uri=f"sqlite:///{(place / 'mlflow.db').as_posix()}",
        register="rows",
    )
    return place


@pytest.fixture
def study(finished, tmp_path, monkeypatch) -> Path:
    """The folder of a copy of the study, which is tracked in a copy of the database."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    tracked = tmp_path / "reports" / "mine" / "tracking.json"
    tracked.write_text(tracked.read_text().replace(str(finished), str(tmp_path)))
    note_named("tracking", json.loads(tracked.read_text())["uri"])
    monkeypatch.chdir(tmp_path)
    return tmp_path / "reports" / "mine"


def read(folder: Path):
    return summary_from_json((folder / "summary.json").read_text(encoding="utf-8"))


def client_of(folder: Path):
    from autoloss.tracking.experiment import connect

    return connect(f"sqlite:///{(folder.parents[1] / 'mlflow.db').as_posix()}")


def probabilities(folder: Path):
    return autoloss.load(folder).predict_proba(folder.parents[1] / "rows.csv")


def test_a_finalist_ships_as_it_was_trained_for_the_verdict(study) -> None:
    before = read(study)
    number = next(one.number for one in before.finalists if one.number != before.recommended)
    result = autoloss.ship(study, number, reason="it is simpler")
    after = read(study)
    assert after.recommended == number == result.summary.recommended
    kept = study / "finalists" / f"{number:05d}"
    np.testing.assert_array_equal(probabilities(study), probabilities_of(kept, study))
    choice = after.choices[-1]
    assert (choice.number, choice.before) == (number, before.recommended)
    assert choice.reason == "it is simpler"
    # The measurements stay as they were.
    assert (after.verdict, after.trials, after.test_metrics) == (
        before.verdict,
        before.trials,
        before.test_metrics,
    )
    assert before.trial(number).family in (study / "loss.py").read_text(encoding="utf-8")


def probabilities_of(model: Path, study: Path):
    return autoloss.load(model).predict_proba(study.parents[1] / "rows.csv")


def test_a_finalist_trained_again_equals_the_stored_finalist(study) -> None:
    before = read(study)
    number = next(one.number for one in before.finalists if one.number != before.recommended)
    kept = study / "finalists" / f"{number:05d}"
    expected = probabilities_of(kept, study)
    shutil.rmtree(kept)
    autoloss.ship(study, number)
    np.testing.assert_allclose(probabilities(study), expected, atol=1e-5)


def test_a_trial_that_was_no_finalist_is_trained_again_and_champion_moves(study) -> None:
    before = read(study)
    finalists = {one.number for one in before.finalists}
    trial = next(t for t in before.trials if t.metrics and t.number not in finalists)
    autoloss.ship(study, trial.number, reason="a customer asked for it")
    model = autoloss.load(study)
    assert model.members[0].readout.spec.base == trial.family
    assert len(model.members) == 2
    client = client_of(study)
    champion = client.get_model_version_by_alias("rows", "champion")
    assert champion.tags["autoloss.loss"] == trial.label
    assert champion.tags["autoloss.champion_before"] == "1"
    ((parent,),) = [client.search_runs(["1"], "tags.`autoloss.role` = 'study'")]
    assert parent.data.tags["autoloss.recommended"] == f"#{trial.number:03d} {trial.label}"
    assert parent.data.tags["autoloss.choice_reason"] == "a customer asked for it"
    assert parent.data.metrics["val/error"] == pytest.approx(trial.metrics["error"])


def test_shipping_the_winner_again_changes_and_records_nothing(study) -> None:
    before = read(study)
    names = ("model/weights.safetensors", "loss.py", "report.html", "summary.json")
    times = [(study / name).stat().st_mtime_ns for name in names]
    autoloss.ship(study, before.recommended)
    assert read(study) == before
    assert [(study / name).stat().st_mtime_ns for name in names] == times


def test_a_model_that_an_interruption_left_is_put_right(study) -> None:
    before = read(study)
    weights = study / "model" / "weights.safetensors"
    expected = weights.read_bytes()
    number = next(one.number for one in before.finalists if one.number != before.recommended)
    shutil.rmtree(study / "model")
    shutil.copytree(study / "finalists" / f"{number:05d}", study / "model")
    autoloss.ship(study, before.recommended)
    assert weights.read_bytes() == expected


def test_a_trial_that_never_learnt_cannot_ship(study) -> None:
    text = (study / "summary.json").read_text(encoding="utf-8")
    summary = read(study)
    number = next(t.number for t in summary.trials if t.number not in {summary.recommended, 0, 1})
    from dataclasses import replace

    from autoloss.report.document import summary_json

    broken = tuple(
        replace(t, state="diverged", metrics={}) if t.number == number else t
        for t in summary.trials
    )
    (study / "summary.json").write_text(summary_json(replace(summary, trials=broken)))
    with pytest.raises(InputError, match="trained to its end"):
        autoloss.ship(study, number)
    (study / "summary.json").write_text(text, encoding="utf-8")
    assert autoloss.load(study).members


def test_data_that_are_gone_leave_everything_as_it_was(study) -> None:
    before = read(study)
    finalists = {one.number for one in before.finalists}
    trial = next(t for t in before.trials if t.metrics and t.number not in finalists)
    table = study.parents[1] / "rows.csv"
    table.write_text(table.read_text() + "0,0,0,no\n")
    # The options name the file of the first study, so the copy is given.
    with pytest.raises(InputError, match="they have changed"):
        autoloss.ship(study, trial.number, data=table)
    assert read(study) == before


def test_the_wish_of_the_dashboard_is_followed_from_the_command_line(study) -> None:
    from typer.testing import CliRunner

    from autoloss.cli import app

    before = read(study)
    number = next(one.number for one in before.finalists if one.number != before.recommended)
    client = client_of(study)
    runs = client.search_runs(["1"], f"tags.`autoloss.trial` = '{number:05d}'")
    client.set_tag(runs[0].info.run_id, "autoloss.choose", "fewer false alarms")
    assert read_chosen_trial(study).number == number
    result = CliRunner().invoke(app, ["select", "mine", "--from-dashboard"])
    assert result.exit_code == 0, result.stderr
    assert f"trial {number} " in result.stderr
    assert "ships now, in place of" in result.stderr
    after = read(study)
    assert after.recommended == number
    assert after.choices[-1].reason == "fewer false alarms"
    tags = client.get_run(runs[0].info.run_id).data.tags
    assert tags["autoloss.winner"] == "true"
    assert "autoloss.choose" not in tags
    champion = client.get_model_version_by_alias("rows", "champion")
    assert champion.tags["autoloss.loss"] == before.trial(number).label


def test_weights_of_every_finalist_are_kept(finished) -> None:
    folder = finished / "reports" / "mine"
    kept = {int(path.name) for path in (folder / "finalists").iterdir()}
    assert kept == {one.number for one in read(folder).finalists}
    ships = folder / "finalists" / f"{read(folder).recommended:05d}"
    for own, shipped in zip(
        autoloss.load(ships).members, autoloss.load(folder).members, strict=True
    ):
        torch.testing.assert_close(own.weights, shipped.weights, rtol=0, atol=0)
