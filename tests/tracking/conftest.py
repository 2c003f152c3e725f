from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing

import pytest

from autoloss.records import Comparison, CurvePoint, DataSummary, Summary, TrialRecord, Verdict
from autoloss.tracking import Tracker


def make_record(number: int, **changes) -> TrialRecord:
    families = ("cross_entropy", "focal", "brier")
    base = families[number % len(families)]
    loss = {"base": base} | ({"focal.gamma": 2.1} if base == "focal" else {})
    values = {
        "number": number,
        "state": "complete",
        "loss": loss,
        "nuisance": {"lr": 0.003, "weight_decay": 0.01},
        "metrics": {"error": 0.1 + number / 100, "refined_log_loss": 0.3, "ece": 0.02},
        "readout": "softmax+temperature",
        "curve": tuple(CurvePoint(epoch, 1 / epoch, 0.5 / epoch) for epoch in range(1, 9)),
        "seconds": 1.5,
        "started": 1_700_000_000.0 + number,
        "ended": 1_700_000_010.0 + number,
        "origin": "default",
    }
    return TrialRecord(**(values | changes))


def make_summary(trials, *, pareto=(0, 1), decision="better", recommended=1) -> Summary:
    return Summary(
        schema_version=1,
        name="churn",
        created="2026-03-01T12:00:00+00:00",
        version="0.1.0",
        command="autoloss search churn.csv --target churned",
        metric="error",
        lower_is_better=True,
        data=DataSummary("churn.csv", "churned", "binary", ("no", "yes"), (60, 40), 60, 20, 20),
        settings={"seed": 0},
        trials=tuple(trials),
        pareto=tuple(pareto),
        verdict=Verdict(
            decision=decision,
            text="focal gamma=2.1 has fewer errors on rows that the search never saw.",
            comparisons=(Comparison("error", 0.12, 0.1, -0.04, -0.001),),
            n_test=20,
            challenger=1,
            baseline=0,
            detectable=0.05,
        ),
        recommended=recommended,
        rule="The lowest log loss within one standard error of the lowest error.",
        test_metrics={"challenger": {"error": 0.1}, "cross-entropy": {"error": 0.12}},
    )


@pytest.fixture
def record():
    return make_record


@pytest.fixture
def summary():
    return make_summary


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory without tracking settings in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def store(here, empty_store):
    """The URI of a new MLflow database in the current directory."""
    shutil.copy(empty_store, here / "mlflow.db")
    return f"sqlite:///{(here / 'mlflow.db').as_posix()}"


def break_database(path):
    """Break a database the way MLflow's migrations do if three programs run them at once."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("update alembic_version set version_num = '451aebb31d03'")
        database.execute("drop table jobs")
        database.execute("create table _alembic_tmp_experiments (experiment_id integer)")
        database.commit()
    grow_old(path)


def grow_old(path):
    """Set the time of a file to a minute ago."""
    stamp = time.time() - 60
    os.utime(path, (stamp, stamp))


@pytest.fixture
def track(here):
    """Make trackers of the study ``churn``, which are closed at the end."""
    opened = []

    def make(uri, **changes):
        values = {"experiment": "losses", "study_name": "churn", "folder": here / "churn"}
        opened.append(Tracker(uri, **(values | changes)))
        return opened[-1]

    yield make
    for tracker in opened:
        tracker.close(0)


class Written:
    """Read an MLflow store: its parent runs and the children of the study ``churn``."""

    def __init__(self, uri):
        from autoloss.tracking.experiment import connect

        self.client = connect(uri)
        experiment = self.client.get_experiment_by_name("losses")
        self.runs = list(self.client.search_runs([experiment.experiment_id])) if experiment else []

    @property
    def parents(self):
        return [run for run in self.runs if run.data.tags.get("autoloss.role") == "study"]

    @property
    def parent(self):
        (parent,) = self.parents
        return parent

    @property
    def children(self):
        children = [run for run in self.runs if run.data.tags.get("autoloss.role") == "trial"]
        assert all(
            run.data.tags["mlflow.parentRunId"] == self.parent.info.run_id for run in children
        )
        return sorted(children, key=lambda run: run.data.tags["autoloss.trial"])

    @property
    def numbers(self):
        return [int(run.data.tags["autoloss.trial"]) for run in self.children]

    @property
    def statuses(self):
        return [run.info.status for run in self.children]


@pytest.fixture
def written():
    return Written
