from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autoloss.tracking import Pending
from autoloss.tracking.content import family_colour

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTION = {"data": "churn.csv", "seed": "0"}


def test_a_study_is_a_parent_and_a_child_per_trial(store, track, written, record):
    states = ("complete", "stopped", "diverged", "failed")
    records = [record(i, state=state) for i, state in enumerate(states)]
    tracker = track(store)
    tracker.start(DESCRIPTION)
    for one in records:
        tracker.log_trial(one)
    tracker.log_trial(record(4, state="running"))
    assert tracker.close() == Pending()
    found = written(store)
    assert found.numbers == [0, 1, 2, 3]
    assert found.statuses == ["FINISHED", "KILLED", "FAILED", "FAILED"]
    assert found.parent.info.run_name == "churn"
    assert found.parent.data.params == DESCRIPTION
    assert found.parent.info.status == "KILLED"  # it was never finished
    child = found.children[1]
    assert child.info.run_name == "#001 focal gamma=2.1"
    assert child.info.start_time == 1_700_000_001_000
    assert child.info.end_time == 1_700_000_011_000
    assert child.data.params["focal.gamma"] == "2.1"
    assert child.data.metrics["val/error"] == pytest.approx(0.11)
    assert child.data.tags["mlflow.runColor"] == family_colour("focal")
    curve = found.client.get_metric_history(child.info.run_id, "epoch/val_refined_log_loss")
    assert [point.step for point in curve] == list(range(1, 9))
    assert [point.value for point in curve] == [1 / epoch for epoch in range(1, 9)]


def test_the_conclusion_has_verdict_winner_front_and_report(
    store, track, written, record, summary, here
):
    (here / "report.html").write_text("<p>report</p>")
    (here / "model").mkdir()
    (here / "model" / "config.json").write_text("{}")
    tracker = track(store)
    tracker.start(DESCRIPTION)
    finished = summary([record(i) for i in range(3)], pareto=(2, 0))
    tracker.finish(finished, [Path("report.html"), Path("model"), Path("absent.csv")])
    assert tracker.close() == Pending()
    found = written(store)
    parent = found.parent
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["autoloss.verdict"] == "better"
    assert parent.data.tags["mlflow.note.content"].startswith("### Better than")
    assert parent.data.metrics["val/error"] == pytest.approx(0.11)
    assert parent.data.metrics["test/error"] == 0.1
    assert parent.data.metrics["test cross-entropy/error"] == 0.12
    tags = [run.data.tags for run in found.children]
    assert [tag.get("autoloss.pareto_rank") for tag in tags] == ["001", None, "002"]
    assert [tag.get("autoloss.baseline") for tag in tags] == ["true", None, None]
    assert [tag.get("autoloss.winner") for tag in tags] == [None, "true", None]
    assert [run.data.metrics.get("test/error") for run in found.children] == [0.12, 0.1, None]
    files = found.client.list_artifacts(parent.info.run_id, "report")
    assert [file.path for file in files] == ["report/model", "report/report.html"]
    assert f"/experiments/{parent.info.experiment_id}/runs" in tracker.dashboard().url


def test_a_second_conclusion_leaves_only_its_own_front(store, track, written, record, summary):
    records = [record(i) for i in range(4)]
    for pareto, recommended in (((0, 1), 1), ((1, 3), 0)):
        tracker = track(store)
        tracker.start(DESCRIPTION)
        tracker.finish(summary(records, pareto=pareto, recommended=recommended), [])
        assert tracker.close() == Pending()
    found = written(store)
    tags = [run.data.tags for run in found.children]
    assert [tag.get("autoloss.pareto_rank") for tag in tags] == [None, "001", None, "002"]
    assert [tag.get("autoloss.winner") for tag in tags] == ["true", None, None, None]
    assert found.parent.data.metrics["test/error"] == 0.12
    assert found.parent.info.status == "FINISHED"


def test_a_resumed_study_writes_only_what_is_missing(store, track, written, record):
    records = [record(i) for i in range(5)]
    first = track(store)
    first.start(DESCRIPTION)
    first.sync(records[:3])
    assert first.close() == Pending()
    before = [run.info.run_id for run in written(store).children]
    second = track(None, folder=first._folder)
    second.start(DESCRIPTION | {"seed": "1", "trials": "64"})
    second.sync(records)
    second.sync(records)
    assert second.close() == Pending()
    found = written(store)
    assert found.numbers == [0, 1, 2, 3, 4]
    assert [run.info.run_id for run in found.children[:3]] == before
    assert found.parent.data.params == DESCRIPTION | {"trials": "64"}


def test_studies_of_one_name_in_two_folders_are_two(store, track, written, record, here):
    for folder in ("one", "two"):
        tracker = track(store, folder=here / folder)
        tracker.start(DESCRIPTION)
        assert tracker.close() == Pending()
    assert len(written(store).parents) == 2


def test_an_incomplete_run_is_completed(store, track, written, record):
    from mlflow.entities import Metric

    tracker = track(store)
    tracker.start(DESCRIPTION)
    tracker.log_trial(record(0))
    assert tracker.close() == Pending()
    found = written(store)
    half = found.client.create_run(
        found.parent.info.experiment_id,
        tags={
            "mlflow.parentRunId": found.parent.info.run_id,
            "autoloss.role": "trial",
            "autoloss.trial": "00001",
        },
    )
    ended = 1_700_000_011_000
    some = [Metric("val/ece", 0.02, ended, 0), Metric("val/error", 0.11, ended, 0)]
    found.client.log_batch(half.info.run_id, metrics=some)
    again = track(store)
    again.start(DESCRIPTION)
    again.sync([record(0), record(1)])
    assert again.close() == Pending()
    found = written(store)
    assert found.numbers == [0, 1]
    assert found.statuses == ["FINISHED", "FINISHED"]
    assert found.children[1].info.run_id == half.info.run_id
    assert found.children[1].data.params["focal.gamma"] == "2.1"
    history = found.client.get_metric_history(half.info.run_id, "val/error")
    assert [point.value for point in history] == [pytest.approx(0.11)]


DIES = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import make_record
import autoloss.tracking
assert "mlflow" not in sys.modules
from autoloss.tracking import Tracker
from autoloss.tracking.experiment import MlflowExperiment
log, calls = MlflowExperiment.log, []
def dying_log(self, *args, **kwargs):
    calls.append(args)
    if len(calls) == int(sys.argv[2]):
        os._exit(9)
    return log(self, *args, **kwargs)
MlflowExperiment.log = dying_log
tracker = Tracker(experiment="losses", study_name="churn", folder="churn")
tracker.start({"data": "churn.csv"})
tracker.sync([make_record(i) for i in range(5)])
tracker.close()
"""


def test_a_killed_process_is_completed_later_without_output(here, track, written, record):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
    died = subprocess.run(
        [sys.executable, "-c", DIES, str(Path(__file__).parent), "5"],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert died.returncode == 9
    assert died.stdout == ""
    assert died.stderr == ""
    tracker = track(None)
    found = written(tracker.uri)
    # Two calls are for the parent; two trials are complete, the third has an empty run.
    assert found.statuses == ["FINISHED", "FINISHED", "RUNNING"]
    tracker.start(DESCRIPTION)
    tracker.sync([record(i) for i in range(5)])
    assert tracker.close() == Pending()
    assert written(tracker.uri).numbers == [0, 1, 2, 3, 4]
    assert set(written(tracker.uri).statuses) == {"FINISHED"}


def test_an_experiment_that_was_deleted_is_named_and_nothing_is_written(
    store, track, written, record
):
    client = written(store).client
    number = client.create_experiment("losses")
    client.delete_experiment(number)
    tracker = track(store)
    tracker.start(DESCRIPTION)
    tracker.log_trial(record(0))
    pending = tracker.close()
    assert pending.count == 2
    assert "was deleted" in pending.reason
    assert f"restore --experiment-id {number}" in pending.reason
    client.restore_experiment(number)
    again = track(store)
    again.start(DESCRIPTION)
    again.sync([record(0)])
    assert again.close() == Pending()
    assert written(store).numbers == [0]


def test_a_parent_deleted_during_the_search_is_created_again(
    store, track, written, record, summary
):
    tracker = track(store)
    tracker.start(DESCRIPTION)
    deadline = time.monotonic() + 30
    while not written(store).runs and time.monotonic() < deadline:
        time.sleep(0.05)
    client = written(store).client
    client.delete_run(written(store).parent.info.run_id)
    tracker.finish(summary([record(i) for i in range(2)]), [])
    assert tracker.close() == Pending()
    found = written(store)
    assert found.parent.info.status == "FINISHED"


def test_a_trial_costs_the_loop_less_than_two_milliseconds(store, track, record):
    tracker = track(store)
    tracker.start(DESCRIPTION)
    records = [record(i) for i in range(40)]
    costs = []
    for one in records:
        start = time.perf_counter()
        tracker.log_trial(one)
        costs.append(time.perf_counter() - start)
    # The median: on a busy machine a single call may be interrupted.
    assert sorted(costs)[len(costs) // 2] < 0.002
    assert tracker.close() == Pending()


def test_a_trial_that_was_lost_with_its_process_has_no_run_and_an_older_one_is_closed(
    store, track, written, record, summary
):
    lost = [record(i, state="failed", metrics={}, curve=(), ended=0.0) for i in range(2)]
    tracker = track(store)
    tracker.start(DESCRIPTION)
    tracker.sync(lost)
    # As an earlier version wrote it, which recorded it as failed.
    tracker.log_trial(lost[1])
    assert tracker.close() == Pending()
    assert written(store).numbers == [1]
    client = written(store).client
    half = client.create_run(
        written(store).parent.info.experiment_id,
        tags={
            "mlflow.parentRunId": written(store).parent.info.run_id,
            "autoloss.role": "trial",
            "autoloss.trial": "00000",
        },
    )
    again = track(store)
    again.start(DESCRIPTION)
    finished = summary([record(i) for i in (2, 3, 4)], pareto=(2, 3), recommended=3)
    verdict = replace(finished.verdict, baseline=2, challenger=3)
    again.finish(replace(finished, verdict=verdict), [])
    assert again.close() == Pending()
    found = written(store)
    assert found.numbers == [0, 1, 2, 3, 4]
    assert found.statuses == ["KILLED", "KILLED", "FINISHED", "FINISHED", "FINISHED"]
    states = [run.data.tags["autoloss.state"] for run in found.children]
    assert states == ["lost", "lost", "complete", "complete", "complete"]
    assert half.info.run_id == found.children[0].info.run_id
    assert found.parent.info.status == "FINISHED"


def test_duplicate_runs_are_ended_by_the_conclusion(store, track, written, record, summary):
    tracker = track(store)
    tracker.start(DESCRIPTION)
    tracker.sync([record(0)])
    assert tracker.close() == Pending()
    found = written(store)
    experiment = found.parent.info.experiment_id
    # A server answered too late: it created the run, and the request was repeated.
    keys = ("autoloss.study_id", "autoloss.role", "mlflow.parentRunId", "autoloss.trial")
    for run in (found.children[0], found.parent):
        tags = {key: run.data.tags[key] for key in keys if key in run.data.tags}
        found.client.create_run(experiment, tags=tags, start_time=1)
    again = track(store)
    again.start(DESCRIPTION)
    again.finish(summary([record(i) for i in range(2)]), [])
    assert again.close() == Pending()
    runs = written(store).runs
    assert len(runs) == 5
    assert "RUNNING" not in {run.info.status for run in runs}
    assert sorted(run.info.status for run in written(store).parents) == ["FINISHED", "KILLED"]
