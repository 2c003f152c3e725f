"""After an interruption and a resume, MLflow, the folder of the study and the report agree."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import autoloss
from autoloss.core.errors import InputError
from autoloss.experiment.session import SearchSession
from autoloss.report import summary_from_json
from autoloss.report.document import summary_json
from autoloss.tracking.experiment import connect
from autoloss.tracking.uri import sqlite_file
from tests.spaces import SMALL
from tests.tracking.conftest import break_database

ROOT = Path(__file__).resolve().parents[2]
TRIALS = 6
# Reports the end of its first population, and waits to be killed before or after telling it.
WAITS = """
import sys, time
import autoloss
from autoloss.experiment.session import SearchSession

unharmed = SearchSession.tell

def wait(self, ended):
    if sys.argv[1] == "told":
        unharmed(self, ended)
    print("now", flush=True)
    time.sleep(600)

SearchSession.tell = wait
autoloss.search("sklearn:iris", space="small.toml", trials=6, name="cut", out="reports")
"""


class Notes:
    """Progress that records its calls."""

    def __init__(self) -> None:
        self.noted_lines: list[str] = []

    def planned(self, plan) -> None: ...

    def updated(self, update) -> None: ...

    def noted(self, text: str) -> None:
        self.noted_lines.append(text)

    def detailed(self, text: str) -> None: ...


@pytest.fixture
def small(here) -> Path:
    path = here / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def runs_in(uri: str):
    client = connect(uri)
    experiment = client.get_experiment_by_name("autoloss")
    return list(client.search_runs([experiment.experiment_id]))


def check_consistent(uri: str, folder: Path) -> None:
    """Check that MLflow agrees with the report, and that no run is active."""
    runs = runs_in(uri)
    (parent,) = [run for run in runs if run.data.tags["autoloss.role"] == "study"]
    children = [run for run in runs if run.data.tags["autoloss.role"] == "trial"]
    summary = summary_from_json((folder / "summary.json").read_text(encoding="utf-8"))
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["autoloss.verdict"] == summary.verdict.decision
    standing = [run for run in children if run.data.tags["autoloss.state"] != "lost"]
    assert {
        int(run.data.tags["autoloss.trial"]): run.data.tags["autoloss.state"] for run in standing
    } == {trial.number: trial.state for trial in summary.trials}
    assert len(standing) == len(summary.trials) == TRIALS
    assert "RUNNING" not in {run.info.status for run in runs}


def search(small: Path, here: Path, **more) -> autoloss.SearchResult:
    return autoloss.search(
        "sklearn:iris", space=small, trials=TRIALS, name="cut", out=here / "reports", **more
    )


@pytest.fixture
def cut(store, small, here, monkeypatch) -> str:
    """A study that was interrupted before its first population had ended, in a store."""

    def stop(self, ended) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SearchSession, "tell", stop)
        with pytest.raises(KeyboardInterrupt):
            search(small, here)
    assert [run.info.status for run in runs_in(store)] == ["KILLED"]
    return store


def test_a_study_cut_before_its_first_population_ended_is_closed_by_resume(cut, here):
    notes = Notes()
    result = autoloss.resume("cut", out=here / "reports", progress=notes)
    assert result.unwritten == ""
    assert notes.noted_lines[-1] == (
        f"MLflow at {cut} has all runs of the study, {TRIALS} of them written now."
    )
    check_consistent(cut, here / "reports" / "cut")
    # A repeat writes nothing.
    autoloss.resume("cut", out=here / "reports", progress=notes)
    assert notes.noted_lines[-1] == f"MLflow at {cut} has all runs of the study."
    check_consistent(cut, here / "reports" / "cut")


def test_a_study_that_cannot_continue_has_a_killed_run(cut, here):
    (run,) = runs_in(cut)
    connect(cut).update_run(run.info.run_id, status="RUNNING")  # as after a kill
    space = here / "reports" / "cut" / "study.json"
    space.write_text(space.read_text("utf-8").replace('"fingerprint": "', '"fingerprint": "x'))
    with pytest.raises(InputError, match="have changed"):
        autoloss.resume("cut", out=here / "reports")
    assert [run.info.status for run in runs_in(cut)] == ["KILLED"]


def test_resume_reports_missing_runs_and_writes_them_later(store, small, here):
    path = sqlite_file(store)
    result = search(small, here)
    assert result.unwritten == ""
    break_database(path)
    notes = Notes()
    read = autoloss.resume("cut", out=here / "reports", progress=notes)
    assert summary_json(read.summary) == summary_json(result.summary)
    assert read.unwritten == notes.noted_lines[-1]
    assert read.unwritten.startswith(f"{TRIALS + 1} runs are not in MLflow yet: MLflow's database")
    assert "Rename it" in read.unwritten
    assert "`autoloss resume cut` writes them" in read.unwritten
    assert "\n" not in read.unwritten
    # The promised writes, after the remedy.
    path.rename(path.with_name("mlflow.db.broken"))
    again = autoloss.resume("cut", out=here / "reports", progress=notes)
    assert again.unwritten == ""
    assert notes.noted_lines[-1].endswith(f"{TRIALS} of them written now.")
    check_consistent(store, here / "reports" / "cut")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are Unix")
@pytest.mark.parametrize("moment", ["trained", "told"])
# By name: Windows has no SIGKILL, and collects the test to skip it.
@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_search_that_is_ended_by_a_signal_is_whole_after_a_resume(
    here, small, empty_store, ending, moment
):
    shutil.copy(empty_store, here / "mlflow.db")
    uri = f"sqlite:///{(here / 'mlflow.db').as_posix()}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", WAITS, moment],
        cwd=here,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as search:
        assert search.stdout is not None
        assert search.stdout.readline() == "now\n"
        search.send_signal(getattr(signal, ending))
    assert search.returncode != 0
    words = [sys.executable, "-m", "autoloss", "resume", "cut"]
    done = subprocess.run(
        words, cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"Note: MLflow at {uri} has all runs of the study" in done.stderr
    check_consistent(uri, here / "reports" / "cut")
