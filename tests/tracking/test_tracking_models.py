from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from autoloss.core.settings import NetworkConfig
from autoloss.data import DataOptions, prepare
from autoloss.inference.classifier import Classifier
from autoloss.inference.member import Member
from autoloss.losses import LossSpec
from autoloss.models import TableNetwork
from autoloss.readout import Readout
from autoloss.tracking import Pending, SavedModels

DESCRIPTION = {"data": "churn.csv"}
CONFIG = NetworkConfig(width=4, bins=2)


@pytest.fixture(scope="module")
def table():
    chance = np.random.default_rng(0)
    columns = {"months": chance.integers(1, 72, 300), "plan": chance.choice(["a", "b"], 300)}
    return pd.DataFrame({**columns, "churned": chance.choice(["no", "yes"], 300)})


@pytest.fixture(scope="module")
def saved(table, tmp_path_factory):
    """Folders of the models of trials 0 and 1."""
    data = prepare(table, DataOptions("churned"))
    network = TableNetwork(data.encoding.schema, 2, CONFIG)
    folders = {}
    for number in (0, 1):
        draw = torch.Generator().manual_seed(number)
        weights = torch.randn(network.layout.size, generator=draw)
        readout = Readout("softmax", 1.0, 0.0, LossSpec("cross_entropy"))
        member = Member(data.encoding, weights, readout, data.folds[0].class_counts)
        place = tmp_path_factory.mktemp("models") / str(number)
        folders[number] = Classifier(data.task, CONFIG, (member,)).save(place)
    return folders


@pytest.fixture
def show(store, track):
    """Write a study with models; return the tracker."""

    def run(summary, models, register=""):
        tracker = track(store)
        tracker.start(DESCRIPTION)
        tracker.sync(summary.trials)
        tracker.finish(summary, [], SavedModels(models, register))
        assert tracker.close() == Pending()
        return tracker

    return run


@pytest.fixture
def client(store):
    from autoloss.tracking.experiment import connect

    return connect(store)


def shown(client):
    """Return the logged models of the experiment by trial."""
    experiment = client.get_experiment_by_name("losses").experiment_id
    found = client.search_logged_models([experiment])
    assert all(str(model.status) == "READY" for model in found)
    numbers = [int(model.tags["autoloss.trial"]) for model in found]
    assert len(set(numbers)) == len(numbers)
    return dict(zip(numbers, found, strict=True))


def loaded(uri, store):
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store)
    try:
        return mlflow.pyfunc.load_model(uri)
    finally:
        mlflow.set_tracking_uri(before)


def test_the_models_are_the_front_and_the_winner_alone(
    show, client, written, store, record, summary, saved
):
    study = summary([record(i) for i in range(6)], pareto=(0, 3), recommended=1)
    show(study, saved)
    models = shown(client)
    assert sorted(models) == [0, 1, 3]
    runs = {int(run.data.tags["autoloss.trial"]): run for run in written(store).children}
    for number, model in models.items():
        assert model.source_run_id == runs[number].info.run_id
        measured = {metric.key: metric.value for metric in model.metrics}
        assert measured["val/error"] == pytest.approx(0.1 + number / 100)
        assert model.params["lr"] == "0.003"
        assert model.tags["autoloss.weights"] == ("attached" if number in saved else "not kept")
        assert not set("/:.%\"'") & set(model.name)
    # The same figures on the run, and once only.
    history = client.get_metric_history(runs[3].info.run_id, "val/error")
    assert len(history) == 1
    assert models[1].name.startswith("#001 focal")


def test_a_logged_model_predicts_like_the_saved_model_and_an_entry_refuses(
    show, client, store, record, summary, saved, table
):
    from mlflow.exceptions import MlflowException

    import autoloss

    show(summary([record(i) for i in range(4)], pareto=(0, 3), recommended=1), saved)
    models = shown(client)
    for number, folder in saved.items():
        served = loaded(f"models:/{models[number].model_id}", store)
        rows = table.drop(columns="churned").astype({"months": float})
        answers = served.predict(rows)
        probs = autoloss.load(folder).predict_proba(rows)
        np.testing.assert_allclose(answers.iloc[:, 1:].to_numpy(float), probs, atol=1e-12)
        assert served.metadata.signature.inputs.input_names() == ["months", "plan"]
        example = served.input_example
        assert list(example.columns) == ["months", "plan"]
    with pytest.raises(MlflowException, match="external"):
        loaded(f"models:/{models[3].model_id}", store)


def test_the_requirements_are_pinned(show, client, store, record, summary, saved):
    import importlib.metadata

    import mlflow.artifacts

    show(summary([record(i) for i in range(2)]), saved)
    model = shown(client)[0]
    text = mlflow.artifacts.load_text(f"{model.artifact_location}/requirements.txt")
    lines = text.split()
    assert f"autoloss=={importlib.metadata.version('autoloss')}" in lines
    assert all("==" in line for line in lines)


def test_a_second_conclusion_keeps_the_front_and_deletes_former_models(
    show, client, record, summary, saved
):
    records = [record(i) for i in range(6)]
    show(summary(records, pareto=(0, 3), recommended=1), {1: saved[1]})
    first = shown(client)
    show(summary(records, pareto=(0, 3), recommended=1), {1: saved[1]})
    again = shown(client)
    assert {n: m.model_id for n, m in again.items()} == {n: m.model_id for n, m in first.items()}
    # Trial 3 leaves the front, 4 joins it, and 0 has weights now.
    show(summary(records, pareto=(0, 4), recommended=1), saved)
    last = shown(client)
    assert sorted(last) == [0, 1, 4]
    assert last[1].model_id == first[1].model_id
    assert last[0].model_id != first[0].model_id
    assert last[0].tags["autoloss.weights"] == "attached"


def test_nothing_is_registered_unless_a_name_is_given(show, client, record, summary, saved):
    show(summary([record(i) for i in range(2)]), saved)
    assert list(client.search_registered_models()) == []


def test_the_winner_is_registered_once_as_champion(
    show, client, store, written, record, summary, saved, table
):
    import autoloss

    study = summary([record(i) for i in range(3)], recommended=1)
    show(study, saved, "churn model")
    show(study, saved, "churn model")
    (version,) = client.search_model_versions("name = 'churn model'")
    champion = client.get_model_version_by_alias("churn model", "champion")
    assert champion.version == version.version
    assert champion.tags["autoloss.loss"] == "focal gamma=2.1"
    assert champion.tags["autoloss.model_id"] == shown(client)[1].model_id
    assert written(store).parent.data.tags["autoloss.registered"] == "churn model version 1"
    rows = table.drop(columns="churned").astype({"months": float})
    answers = loaded("models:/churn model@champion", store).predict(rows)
    probs = autoloss.load(saved[1]).predict_proba(rows)
    np.testing.assert_allclose(answers.iloc[:, 1:].to_numpy(float), probs, atol=1e-12)


def test_another_winner_takes_the_alias_without_a_repeated_name(
    show, client, record, summary, saved
):
    records = [record(i) for i in range(3)]
    show(summary(records, recommended=1), saved, "it's churn")
    show(summary(records, recommended=0), saved)
    champion = client.get_model_version_by_alias("it's churn", "champion")
    assert champion.tags["autoloss.champion_before"] == "1"
    assert champion.tags["autoloss.model_id"] == shown(client)[0].model_id
    # And back: the registered version is reused.
    show(summary(records, recommended=1), saved)
    assert client.get_model_version_by_alias("it's churn", "champion").version in (1, "1")
    assert len(client.search_model_versions('name = "it\'s churn"')) == 2


def test_a_former_champion_off_the_front_can_still_be_loaded(
    show, client, store, record, summary, saved
):
    records = [record(i) for i in range(4)]
    show(summary(records, pareto=(0, 3), recommended=1), saved, "churn")
    show(summary(records, pareto=(0, 3), recommended=0), saved)
    assert sorted(shown(client)) == [0, 1, 3]
    assert loaded("models:/churn/1", store).metadata.model_id == shown(client)[1].model_id


def test_a_winner_without_weights_is_not_registered_with_a_note(show, client, record, summary):
    tracker = show(summary([record(i) for i in range(3)]), {}, "churn")
    assert list(client.search_registered_models()) == []
    assert any("Nothing is registered as 'churn'" in note for note in tracker.notes)


def test_a_store_without_logged_models_gets_plain_runs_and_one_note(
    show, client, written, store, record, summary, saved, monkeypatch
):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def missing(self, *args, **kwargs):
        raise MlflowException("API request to endpoint /x failed with error code 404 != 200.")

    monkeypatch.setattr(MlflowClient, "search_logged_models", missing)
    tracker = show(summary([record(i) for i in range(3)]), saved, "churn")
    assert written(store).numbers == [0, 1, 2]
    assert written(store).parent.info.status == "FINISHED"
    assert sum("are plain runs" in note for note in tracker.notes) == 1
    assert list(client.search_registered_models()) == []


def test_a_failed_upload_leaves_no_incomplete_model(
    show, client, written, store, record, summary, saved, monkeypatch
):
    from mlflow import MlflowClient

    def full(self, *args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(MlflowClient, "log_model_artifacts", full)
    tracker = show(summary([record(i) for i in range(3)], recommended=1), saved)
    assert any("shortlist of models is missing" in note for note in tracker.notes)
    assert written(store).parent.data.tags["autoloss.verdict"] == "better"
    assert shown(client) == {}
