"""Coordinators of a study in PostgreSQL die, and its server restarts: the counts are right."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from optuna.trial import TrialState

import autoloss
from autoloss.search import Study
from autoloss.search.naming import SUMMARY
from autoloss.search.trial_facts import is_lost
from tests.faults.coordinator import TRIALS, kill, start, start_telling
from tests.faults.counts import count, times
from tests.search.fake_training import COUNTS, LABELS, logits_of, run, settings
from tests.search.postgresql import Server, programs, running
from tests.spaces import TWO_BASES
from tests.tracking.test_tracking_interrupted import runs_in

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(programs() is None, reason="needs a PostgreSQL server"),
]


@pytest.fixture
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg")
    with running() as found:
        yield found


def test_three_coordinators_without_a_shared_folder_and_two_kills(
    tmp_path: Path, server: Server
) -> None:
    """The first dies while it trains, the next while it concludes; the last concludes."""
    space = tmp_path / "small.toml"
    space.write_text(TWO_BASES, encoding="utf-8")
    training, concluding = tmp_path / "training", tmp_path / "concluding"
    homes = {name: tmp_path / name for name in ("a", "b", "c")}
    first = start("search", homes["a"], server.url, space, "training", training)
    kill(training)
    first.join()
    others = {
        name: start("resume", homes[name], server.url, space, "concluding", concluding)
        for name in ("b", "c")
    }
    dead = kill(concluding)
    for one in others.values():
        one.join(120)
    codes = {name: one.exitcode for name, one in others.items()}
    (last,) = [name for name, one in others.items() if one.pid != dead]
    assert codes[last] == 0
    assert sorted(codes.values(), key=str) == [-9, 0]
    with Study.open("s", out=tmp_path / "d", storage=server.url) as study:
        assert Counter(one.state for one in study.trials) == {"complete": TRIALS}
        every = study._session.trials()
        ended = [one.user_attrs["slot"] for one in every if not is_lost(one)]
        assert sorted(ended) == list(range(TRIALS))
        assert not [one for one in every if one.state == TrialState.RUNNING]
        reached = study.conclusion.reached
        assert reached is not None
        assert Path(reached.folder) == homes[last] / "s"
    written = [name for name in ("a", "b", "c") if (homes[name] / "s" / SUMMARY).exists()]
    assert written == [last]
    # The machine of the first one reads the verdict of the last one.
    found = autoloss.resume("s", out=homes["a"], storage=server.url)
    assert len(found.summary.trials) == TRIALS
    texts = {(homes[name] / "s" / SUMMARY).read_bytes() for name in ("a", last)}
    assert len(texts) == 1


@pytest.mark.slow
def test_mlflow_has_each_trial_once_though_its_first_process_died(
    tmp_path: Path, server: Server, empty_store: Path
) -> None:
    """The first process dies while it trains; two that joined train the rest, one concludes."""
    space, flag = tmp_path / "small.toml", tmp_path / "flag"
    space.write_text(TWO_BASES, encoding="utf-8")
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    uri = f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}"
    first = start("search", tmp_path / "a", server.url, space, "training", flag, uri)
    kill(flag)
    first.join()
    others = [start("join", tmp_path / k, server.url, space, "", flag) for k in ("b", "c")]
    for one in others:
        one.join(120)
    assert [one.exitcode for one in others] == [0, 0]
    found = runs_in(uri)
    [study] = [run for run in found if run.data.tags["autoloss.role"] == "study"]
    assert study.info.status == "FINISHED"
    assert "autoloss.verdict" in study.data.tags
    trials = [run for run in found if run.data.tags["autoloss.role"] == "trial"]
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {study.info.run_id}
    with Study.open("s", out=tmp_path / "d", storage=server.url) as opened:
        numbers = [one.number for one in opened.trials]
        assert len(numbers) == TRIALS
    standing = [run for run in trials if run.data.tags["autoloss.state"] != "lost"]
    assert sorted(int(run.data.tags["autoloss.trial"]) for run in standing) == numbers
    assert "RUNNING" not in {run.info.status for run in found}
    count("runs in MLflow of a study whose first process died", tried=len(standing))


def test_coordinators_that_are_killed_at_random_lose_no_trial(
    tmp_path: Path, server: Server
) -> None:
    kills = times(100, few=3)
    trials, told, chance = 10 * kills, tmp_path / "told", random.Random(0)
    Study("k", COUNTS, trials=trials, space="quick", out=tmp_path, storage=server.url).close()

    def begin(k: int) -> BaseProcess:
        return start_telling(tmp_path / str(k), server.url, told)

    running = [begin(k) for k in range(3)]
    for k in range(kills):
        time.sleep(chance.uniform(0.0, 2.0))
        running.pop(0).kill()
        running.append(begin(3 + k))
    for one in running:
        one.join()
    with Study.open("k", out=tmp_path, storage=server.url) as study:
        run(study)
        every = study._session.trials()
        ended = [one for one in every if not is_lost(one)]
        assert sorted(one.user_attrs["slot"] for one in ended) == list(range(trials))
        assert {one.state for one in ended} == {TrialState.COMPLETE}
        # No completed trial was lost, and each counts with its own result.
        known = {int(line) for line in told.read_text(encoding="ascii").split()}
        assert known <= {one.number for one in ended}
        study.check_examples()
        lost = len(every) - len(ended)
    count("killed coordinators", tried=kills, remark=f"{lost} of {trials} trials asked again")


def test_a_server_that_restarts_ends_no_study(tmp_path: Path, server: Server) -> None:
    told: list[str] = []
    study = Study("s", COUNTS, trials=24, space="quick", out=tmp_path / "a", storage=server.url)
    study.hear(told.append)
    run(study, at_most=1)
    trials = study.ask(8)
    server.stop()
    again = threading.Thread(target=lambda: (time.sleep(1.0), server.start()))
    again.start()
    for trial in trials:
        study.tell(trial, logits_of(trial), LABELS, seconds=1.0)
    again.join()
    server.stop()
    server.start()
    run(study)
    assert [text.split(" (")[0].split(" after")[0] for text in told] == [
        "The database does not answer",
        "The database answers again",
    ] * (len(told) // 2)
    assert told
    assert not any("secret" in text or "\n" in text for text in told)
    with Study("s", COUNTS, trials=24, space="quick", out=tmp_path / "b") as whole:
        run(whole)
        assert settings(study) == settings(whole)
        assert [one.metrics for one in study.trials] == [one.metrics for one in whole.trials]
    study.close()
