"""A study in PostgreSQL: several processes and machines work on it at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from optuna.trial import TrialState

from autoloss.search import Study
from tests.search.fake_training import COUNTS, run, settings
from tests.search.postgresql import programs, server

pytestmark = pytest.mark.skipif(programs() is None, reason="needs a PostgreSQL server")
TRIALS, WORKERS = 32, 3


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    pytest.importorskip("psycopg")
    with server() as found:
        yield found


def new(out: Path, name: str, storage: str | None) -> Study:
    return Study(name, COUNTS, trials=TRIALS, space="quick", out=out, storage=storage)


def test_the_trials_are_those_of_a_journal(tmp_path: Path, url: str) -> None:
    with new(tmp_path / "a", "same", url) as here, new(tmp_path / "b", "same", None) as journal:
        run(here)
        run(journal)
        assert settings(here) == settings(journal)
        assert "secret" not in (here.folder / "study.json").read_text(encoding="utf-8")


def test_several_machines_share_the_trials_of_a_study(tmp_path: Path, url: str) -> None:
    def work(number: int) -> int:
        # A machine without the folder of the study knows its name and its database.
        with Study.open("shared", out=tmp_path / str(number), storage=url) as study:
            before = told = 0
            while trials := study.ask(4):
                before += len(trials)
                for trial in trials:
                    study.fail(trial, "diverged")
                    told += 1
            assert before == told
            return told

    with new(tmp_path / "first", "shared", url) as first:
        with ThreadPoolExecutor(WORKERS) as pool:
            told = list(pool.map(work, range(WORKERS)))
        assert sum(told) == TRIALS
        assert first.done
        assert Counter(trial.state for trial in first.trials) == {"diverged": TRIALS}
        slots = [
            trial.user_attrs["slot"]
            for trial in first._session.trials()
            if trial.state != TrialState.FAIL or "facts" in trial.user_attrs
        ]
        assert sorted(slots) == list(range(TRIALS))
