"""Kills of searches that have worker processes, or show their trials in MLflow."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from autoloss.search.naming import CONFIG
from autoloss.tracking.experiment import connect
from tests.faults.counts import count, times
from tests.faults.programs import SEARCH, TRIALS, Signal
from tests.faults.studies import Found, check_nothing_is_lost, check_same, found_in

pytestmark = [pytest.mark.faults, pytest.mark.slow]
MOMENTS = ("training", "telling", "final trainings", "report")
STORE = "sqlite:///mlflow.db"


def go_on(programs, folder: Path, *options: str, **harm):
    """Begin a search, or resume it if it has begun."""
    words = ("resume", "s")
    if not (folder / CONFIG).is_file():
        words = (*SEARCH, "--refit", *options, "--name", "s")
    return programs.run(*words, folder=folder.parents[1], **harm)


def test_a_killed_search_with_two_workers_leaves_no_process(programs, unharmed, place):
    """Each program is the leader of a session, whose processes are counted when it has ended."""
    folder, draw, killed, before = place / "reports" / "s", random.Random(0), 0, Found({})
    options = ("--workers", "2", "--track", "off")
    for number in range(times(20, few=1)):
        if number % len(MOMENTS) == 0 and folder.exists():
            shutil.rmtree(folder)
            before = Found({})
        signals = [Signal("SIGKILL", draw.uniform(0, 0.5), MOMENTS[number % len(MOMENTS)])]
        end = go_on(programs, folder, *options, signals=signals)
        assert end.was_killed or end.code == 0, end.text
        killed += end.was_killed
        after = found_in(folder)
        check_nothing_is_lost(before, after)
        before = after
        if number % len(MOMENTS) == len(MOMENTS) - 1:
            end = go_on(programs, folder, *options)
            assert end.code == 0, end.text
            check_same(found_in(folder), unharmed.found)
    assert killed
    end = go_on(programs, folder, *options)
    assert end.code == 0, end.text
    check_same(found_in(folder), unharmed.found)
    count("SIGKILL, two workers", tried=killed, remark="resumed; no worker is left")


def check_runs(place: Path) -> None:
    """Check that each trial of the study has a single finished run, and no run goes on."""
    client = connect(f"sqlite:///{place / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("autoloss")
    runs = client.search_runs([experiment.experiment_id])
    assert Counter(run.info.status for run in runs)["RUNNING"] == 0
    (study,) = [run for run in runs if run.data.tags.get("autoloss.role") == "study"]
    assert study.info.status == "FINISHED"
    of_trials = [run for run in runs if run is not study and run.info.status == "FINISHED"]
    numbers = Counter(run.data.tags["autoloss.trial"] for run in of_trials)
    assert len(numbers) == TRIALS
    assert set(numbers.values()) == {1}
    assert all(run.data.metrics and run.data.params for run in of_trials)


def test_a_killed_search_has_each_run_once(programs, unharmed, place, empty_store, monkeypatch):
    options = ("--workers", "1", "--tracking-uri", STORE)
    folder, draw, killed, studies = place / "reports" / "s", random.Random(0), 0, 0
    wanted = times(40, few=2)
    while killed < wanted:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copy(empty_store, place / "mlflow.db")
        studies += 1
        for _ in range(min(5, wanted - killed)):
            number, is_before = draw.randint(1, 12), draw.random() < 0.5
            harm = {"hooks": [("die_at_run_write", {"number": number, "before": is_before})]}
            end = go_on(programs, folder, *options, **harm)
            assert end.was_killed or end.code == 0, end.text
            killed += end.was_killed
            if not end.was_killed:
                break
        end = go_on(programs, folder, *options)
        assert end.code == 0, end.text
        check_same(found_in(folder), unharmed.found)
        with monkeypatch.context() as patch:
            patch.chdir(place)
            check_runs(place)
    remark = "one finished run for each trial"
    count("SIGKILL, writing an MLflow run", tried=killed, remark=remark)
