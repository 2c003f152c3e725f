"""Several processes write the trials of one study to MLflow: each trial has one run."""

from __future__ import annotations

import time

import pytest

from autoloss.core.admitted import note_named
from autoloss.tracking import GuestTracker, Identity, Pending, guest_uri
from autoloss.tracking.content import trial_content
from autoloss.tracking.identity import read_identity

DESCRIPTION = {"data": "churn.csv", "seed": "0"}


@pytest.fixture
def guest(here):
    """Make trackers of processes that join the study ``churn`` from their own folders."""
    opened = []

    def make(uri, identity):
        folder = here / f"guest{len(opened)}" / "churn"
        names = {"experiment": "losses", "study_name": "churn", "folder": folder}
        opened.append(GuestTracker(uri, identity, **names))
        return opened[-1]

    yield make
    for tracker in opened:
        tracker.close(0)


def await_parent(tracker):
    """Wait until a tracker has created the run of the study."""
    ends = time.monotonic() + 60
    while not tracker._runs.is_open:
        assert time.monotonic() < ends
        time.sleep(0.02)


def standing(found):
    """Return the numbers of the runs that were not closed as lost."""
    tags = [run.data.tags for run in found.children]
    return [int(one["autoloss.trial"]) for one in tags if one["autoloss.state"] != "lost"]


def test_each_process_writes_its_trials_and_the_one_that_concludes_the_rest(
    store, track, guest, written, record, summary
):
    records = [record(number) for number in range(5)]
    first = track(store)
    first.start(DESCRIPTION)
    first.log_trial(records[0])
    assert first.close() == Pending()
    assert written(store).parent.info.status == "KILLED"
    # The first process has died; of trial 4 nothing was written, and trial 3 was cut.
    one, other = (guest(store, first.identity) for _ in range(2))
    for tracker in (one, other):
        tracker.start(DESCRIPTION)
        tracker.sync(records)
    one.log_trial(records[1])
    assert one.close() == Pending()
    found = written(store)
    assert found.parent.info.status == "RUNNING"
    assert found.numbers == [0, 1]
    content = trial_content(records[3], parent=found.parent.info.run_id)
    cut = one._experiment.create(content)
    other.log_trial(records[2])
    other.finish(summary(records), [])
    assert other.close() == Pending()
    assert other.written == 3
    found = written(store)
    assert found.numbers == [0, 1, 2, 3, 4]
    assert set(found.statuses) == {"FINISHED"}
    assert cut in {run.info.run_id for run in found.children}
    assert found.parent.info.status == "FINISHED"
    assert found.parent.data.tags["autoloss.verdict"] == "better"
    assert read_identity(other._folder).study_id == first.identity.study_id
    # A process that waited for the verdict adds nothing.
    again = track(store)
    again.start({})
    again.sync(records)
    again.finish(summary(records), [])
    assert again.close() == Pending()
    assert again.written == 0
    assert written(store).numbers == [0, 1, 2, 3, 4]


def join(first, guest, store, trial) -> None:
    """Let another process join a study that has begun, and write a trial."""
    await_parent(first)
    other = guest(store, first.identity)
    other.start(DESCRIPTION)
    other.log_trial(trial)
    assert other.close() == Pending()


def test_a_process_that_has_its_runs_in_mind_sees_those_of_others(
    store, track, guest, written, record, summary
):
    first = track(store)
    first.start(DESCRIPTION)
    first.log_trial(record(0))
    join(first, guest, store, record(1))
    first.sync([record(0), record(1)])
    first.finish(summary([record(0), record(1)]), [])
    assert first.close() == Pending()
    assert first.written == 1
    assert written(store).numbers == [0, 1]


def test_a_process_that_trained_nothing_sees_the_runs_of_others(
    store, track, guest, written, record, summary
):
    first = track(store)
    first.start(DESCRIPTION)
    first.sync([])
    join(first, guest, store, record(0))
    first.sync([record(0), record(1)])
    assert first.close() == Pending()
    assert first.written == 1
    assert written(store).numbers == [0, 1]


def test_a_second_run_of_a_trial_is_closed(store, track, written, record, summary):
    tracker = track(store)
    tracker.start(DESCRIPTION)
    tracker.log_trial(record(0))
    assert tracker.close() == Pending()
    parent = written(store).parent.info.run_id
    content = trial_content(record(0), parent=parent)
    double = tracker._experiment.create(content)
    tracker._experiment.client.set_terminated(double, status="FINISHED")
    again = track(store)
    again.start({})
    again.finish(summary([record(0), record(1)]), [])
    assert again.close() == Pending()
    found = written(store)
    assert found.numbers == [0, 0, 1]
    assert standing(found) == [0, 1]
    # And stays closed.
    third = track(store)
    third.start({})
    third.finish(summary([record(0), record(1)]), [])
    assert third.close() == Pending()
    assert standing(written(store)) == [0, 1]


def test_a_process_that_joins_creates_the_study_only_with_its_verdict(
    store, track, guest, written, record, summary
):
    first = track(store)
    early = guest(store, first.identity)
    early.start(DESCRIPTION)
    early.log_trial(record(1))
    left = early.close()
    assert left.count == 2
    assert left.reason == f"MLflow at {store} has no run of the study yet."
    assert written(store).runs == []
    assert not early._folder.exists()
    # The first process died before its first write, and this one reaches the verdict.
    last = guest(store, Identity(first.identity.study_id, first.identity.uri))
    last.start(DESCRIPTION)
    last.finish(summary([record(0), record(1)]), [])
    assert last.close() == Pending()
    found = written(store)
    assert found.numbers == [0, 1]
    assert found.parent.data.params == DESCRIPTION
    assert found.parent.info.status == "FINISHED"


def test_a_folder_of_another_machine_finds_the_runs(store, track, written, record, here):
    first = track(store)
    first.start(DESCRIPTION)
    first.log_trial(record(0))
    assert first.close() == Pending()
    shared = Identity(first.identity.study_id, first.identity.uri)
    other = track(store, folder=here / "elsewhere", shared=shared)
    other.start(DESCRIPTION)
    other.sync([record(0), record(1)])
    assert other.close() == Pending()
    assert written(store).numbers == [0, 1]


def test_a_process_that_joins_writes_where_its_user_has_written(store, here, monkeypatch):
    server = "http://127.0.0.1:5000"
    assert guest_uri(server) is None
    assert guest_uri(store) is None
    note_named("tracking", store)
    assert guest_uri(store) == store
    (here / "mlflow.db").unlink()
    # The same path on another machine.
    assert guest_uri(store) is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert guest_uri(server) == server
    assert guest_uri("http://127.0.0.1:5001") is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:5000")
    assert guest_uri("http://me:***@127.0.0.1:5000") == "http://me:secret@127.0.0.1:5000"
