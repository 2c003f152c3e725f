from __future__ import annotations

import pytest

from autoloss.tracking import Pending

DESCRIPTION = {"data": "churn.csv"}


@pytest.fixture
def mlflow(store):
    """The library with the store as its global store, and no active run at the end."""
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store)
    mlflow.set_experiment("nightly")
    yield mlflow
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(before)


def searched(track, record, summary, uri=None, **changes):
    tracker = track(uri, **changes)
    tracker.start(DESCRIPTION)
    tracker.sync([record(0)])
    tracker.finish(summary([record(0), record(1)]), [])
    assert tracker.close() == Pending()
    return tracker


def test_an_active_run_becomes_the_parent_and_its_owner_ends_it(
    mlflow, store, track, record, summary
):
    with mlflow.start_run(run_name="pipeline", description="What we do at night.") as run:
        mlflow.log_param("data", "theirs")
        tracker = searched(track, record, summary)
        client = mlflow.MlflowClient()
        during = client.get_run(run.info.run_id)
        assert during.info.status == "RUNNING"
        assert mlflow.active_run().info.run_id == run.info.run_id
    after = client.get_run(run.info.run_id)
    assert after.info.status == "FINISHED"
    assert after.info.run_name == "pipeline"
    assert after.data.params["data"] == "theirs"
    note = after.data.tags["mlflow.note.content"]
    assert note.startswith("What we do at night.")
    assert note.count("### Better than") == 1
    assert after.data.tags["autoloss.verdict"] == "better"
    assert after.data.metrics["val/error"] == pytest.approx(0.11)
    children = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'"
    )
    assert len(children) == 2
    assert f"/experiments/{run.info.experiment_id}/runs" in tracker.dashboard().url
    assert client.get_experiment_by_name("losses") is None


def test_a_later_session_finds_the_adopted_run_and_does_not_reopen_it(
    mlflow, store, track, record, summary
):
    with mlflow.start_run() as run:
        first = track(None)
        first.start(DESCRIPTION)
        first.log_trial(record(0))
        assert first.close() == Pending()
    tracker = searched(track, record, summary)
    client = mlflow.MlflowClient()
    assert client.get_run(run.info.run_id).data.tags["autoloss.verdict"] == "better"
    assert client.get_run(run.info.run_id).info.status == "FINISHED"
    children = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'"
    )
    assert len(children) == 2
    assert tracker.uri == store


def test_a_second_search_in_one_run_has_a_parent_of_its_own_below_it(
    mlflow, track, record, summary, here
):
    with mlflow.start_run() as run:
        searched(track, record, summary, folder=here / "one")
        searched(track, record, summary, folder=here / "two", study_name="second")
    client = mlflow.MlflowClient()
    below = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'"
    )
    (second,) = [one for one in below if one.data.tags.get("autoloss.role") == "study"]
    assert second.info.run_name == "second"
    assert second.info.status == "FINISHED"
    trials = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{second.info.run_id}'"
    )
    assert len(trials) == 2


def test_a_run_that_the_environment_names_becomes_the_parent(
    mlflow, store, track, record, summary, monkeypatch
):
    run = mlflow.MlflowClient().create_run(mlflow.get_experiment_by_name("nightly").experiment_id)
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    searched(track, record, summary)
    found = mlflow.MlflowClient().get_run(run.info.run_id)
    assert found.data.tags["autoloss.verdict"] == "better"
    assert found.info.status == "RUNNING"


def test_a_study_in_another_store_leaves_the_active_run_alone(
    mlflow, track, record, summary, here, empty_store, written
):
    import shutil

    shutil.copy(empty_store, here / "other.db")
    other = f"sqlite:///{(here / 'other.db').as_posix()}"
    with mlflow.start_run() as run:
        searched(track, record, summary, other)
    assert "autoloss.study" not in mlflow.MlflowClient().get_run(run.info.run_id).data.tags
    assert written(other).parent.info.status == "FINISHED"
