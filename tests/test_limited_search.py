"""Searches with a time limit, and verdicts on the models trained so far."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import autoloss
from autoloss.core.clock import counting_from
from autoloss.core.errors import InputError
from autoloss.executors import LocalExecutor, Work
from autoloss.experiment import nesting
from autoloss.experiment.progress import Silent
from autoloss.experiment.session import SearchSession
from autoloss.records import Plan
from autoloss.report import summary_json
from autoloss.search import Study
from autoloss.training import Pool
from autoloss.verdict.baseline import is_plain_cross_entropy
from tests.spaces import SMALL

COVERED = SMALL.replace("outer_folds = 0", "outer_folds = 2\nouter_repeats = 2")
NESTED = f'{COVERED}judge = "nested"\n'


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, float | None, float]]:
    """Of every call: whether it is after the search, its seconds, and the reserved seconds."""
    found: list[tuple[bool, float | None, float]] = []
    sessions: list[SearchSession] = []
    begin, unharmed = SearchSession.__init__, LocalExecutor.submit

    def init(self: SearchSession, *args: Any, **how: Any) -> None:
        begin(self, *args, **how)
        sessions.append(self)

    def submit(self: LocalExecutor, work: Work, **how: Any) -> Any:
        session = sessions[-1]
        found.append((session.standing.phase == "final", work.seconds, session.clock.reserved))
        return unharmed(self, work, **how)

    monkeypatch.setattr(SearchSession, "__init__", init)
    monkeypatch.setattr(LocalExecutor, "submit", submit)
    return found


@pytest.mark.parametrize("text", [SMALL, COVERED, NESTED], ids=["locked", "held out", "nested"])
def test_the_search_has_a_deadline_and_final_training_runs_have_none(
    text: str, tmp_path: Path, trainings: list[tuple[bool, float | None, float]]
) -> None:
    space = tmp_path / "space.toml"
    space.write_text(text, encoding="utf-8")
    autoloss.search(
        "sklearn:iris",
        space=space,
        trials=12,
        time_limit=60.0,
        refit=False,
        out=tmp_path,
        track="off",
    )
    searched = [one for one in trainings if not one[0]]
    final = [one for one in trainings if one[0]]
    assert searched
    assert all(deadline is not None for _, deadline, _ in searched)
    assert all(reserved > 0.0 for _, _, reserved in searched)
    assert len(final) == (2 if text == NESTED else 1)
    assert all(deadline is None for _, deadline, _ in final)


def test_outer_folds_train_those_that_were_asked_first_within_their_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = tmp_path / "space.toml"
    space.write_text(NESTED + "outer_work = 2.0\n", encoding="utf-8")
    kept: list[list[int]] = []
    first_of = nesting.first_of

    def first(study: Study, records: Any, count: int) -> Any:
        found = first_of(study, records, count)
        kept.append(sorted(study.trial(record.number).slot for record in found))
        return found

    monkeypatch.setattr(nesting, "first_of", first)
    trials = 24
    autoloss.search("sklearn:iris", space=space, trials=trials, out=tmp_path, track="off")
    ((*slots,),) = kept
    # One division of 3/4 of the rows against four outer folds of 3/8 of them, or a little more.
    assert slots == list(range(len(slots)))
    assert 4 <= len(slots) * 4 * 0.5 <= 2.0 * trials
    assert len(slots) < trials


LONG = SMALL.replace("max_epochs = 4", "max_epochs = 20").replace("patience = 2", "patience = 20")


def test_trials_race_and_survivors_run_to_their_end(tmp_path: Path) -> None:
    space = tmp_path / "space.toml"
    space.write_text(LONG, encoding="utf-8")
    said: list[str] = []
    result = autoloss.search(
        "sklearn:iris",
        space=space,
        trials=100_000,
        time_limit=15.0,
        workers=1,
        out=tmp_path,
        track="off",
        progress=Heard(said),
    )
    trials = result.summary.trials
    assert {trial.state for trial in trials} == {"complete", "pruned"}
    epochs = {trial.curve[-1].epoch for trial in trials if trial.state == "complete"}
    assert len(epochs) == 1
    whole = [trial for trial in trials if trial.state == "complete"]
    (first,) = (t for t in whole if t.origin == "default" and is_plain_cross_entropy(t.loss))
    # The shipped model is at least as good on held-out rows as the first model of the search.
    assert first.number in {one.number for one in result.summary.finalists}
    assert not all(is_plain_cross_entropy(trial.loss) for trial in whole)
    assert 3 * len(whole) < 2 * len(trials)
    assert "of 100000 trials" in said[0]
    assert "best third continues" in said[0]
    assert any("Planned within the limit" in note for note in result.summary.data.notes)


def test_a_machine_that_becomes_slower_cuts_off_no_survivor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = tmp_path / "space.toml"
    space.write_text(LONG, encoding="utf-8")
    unharmed, begun = Pool.epoch, time.monotonic()

    def epoch(pool: Pool) -> list[int]:
        started = time.monotonic()
        found = unharmed(pool)
        if started - begun > 6.0:
            time.sleep(2.0 * (time.monotonic() - started))
        return found

    monkeypatch.setattr(Pool, "epoch", epoch)
    result = autoloss.search(
        "sklearn:iris",
        space=space,
        trials=100_000,
        time_limit=15.0,
        workers=1,
        out=tmp_path,
        track="off",
    )
    assert {trial.state for trial in result.summary.trials} == {"complete", "pruned"}
    assert not any("Cut off" in note for note in result.summary.data.notes)
    assert len(result.model.members) >= 2


def test_a_limit_that_is_refused_leaves_the_name_free(tmp_path: Path) -> None:
    space = tmp_path / "space.toml"
    space.write_text(SMALL, encoding="utf-8")

    def search(limit: float | None) -> None:
        autoloss.search(
            "sklearn:iris",
            space=space,
            trials=4,
            time_limit=limit,
            name="s",
            out=tmp_path,
            track="off",
        )

    with counting_from(time.monotonic() - 60.0), pytest.raises(InputError, match="A time limit"):
        search(1.0)
    assert not (tmp_path / "s").exists()
    search(None)
    assert (tmp_path / "s" / "summary.json").is_file()


def test_a_short_limit_shortens_the_schedule_of_all_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = tmp_path / "space.toml"
    space.write_text(SMALL.replace("max_epochs = 4", "max_epochs = 40"), encoding="utf-8")
    limit = Study.limit

    def limited(self: Study, **_: int) -> None:
        limit(self, trials=10, epochs=2)

    with monkeypatch.context() as patch:
        patch.setattr(Study, "limit", limited)
        patch.setattr(SearchSession, "begin_final", _stop)
        with pytest.raises(KeyboardInterrupt):
            autoloss.search(
                "sklearn:iris",
                space=space,
                trials=64,
                time_limit=60.0,
                name="s",
                out=tmp_path,
                track="off",
            )
    with Study.open("s", out=tmp_path) as study:
        # Whoever goes on trains the same schedule and fills the same quotas.
        assert study.limited == (10, 2)
        assert study.space.training.max_epochs == 2
        assert study.asked_epochs == 40
        assert (study.budget, study.quota) == (64, 4)
        assert study.families == ("cross_entropy", "focal")
    result = autoloss.resume("s", out=tmp_path, judge_now=True)
    assert {len(trial.curve) for trial in result.summary.trials} <= {1, 2}
    assert result.model is not None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a child's time")
def test_a_program_keeps_its_limit_from_its_start(tmp_path: Path) -> None:
    import resource

    limit = 12.0
    words = ["search", "sklearn:wine", "--space", "quick", "--trials", "100000"]
    words += ["--time-limit", f"{limit}s", "--track", "off", "--name", "s"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = subprocess.run(
        [sys.executable, "-m", "autoloss", *words],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert found.returncode == 0, found.stderr
    assert "12 s allow" in " ".join(found.stderr.split())
    # Time of the processor, which a busy machine gives it less of but never more.
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 1.1 * limit + 3.0
    assert (tmp_path / "reports" / "s" / "model").is_dir()


def test_a_verdict_now_is_about_the_trials_that_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = tmp_path / "space.toml"
    space.write_text(SMALL, encoding="utf-8")
    tell, told = SearchSession.tell, 0

    def ended(self: SearchSession, given: Any) -> None:
        nonlocal told
        if told >= 12:
            raise KeyboardInterrupt
        told += len(given)
        tell(self, given)

    given = {"space": space, "trials": 60, "name": "s", "out": tmp_path, "track": "off"}
    with monkeypatch.context() as patch:
        patch.setattr(SearchSession, "tell", ended)
        with pytest.raises(KeyboardInterrupt):
            autoloss.search("sklearn:iris", **given)  # type: ignore[arg-type]
    result = autoloss.resume("s", out=tmp_path, judge_now=True)
    trained = [trial for trial in result.summary.trials if trial.metrics]
    assert len(trained) == told < 60
    assert result.model is not None
    # It is finished then.
    again = autoloss.resume("s", out=tmp_path)
    assert summary_json(again.summary) == summary_json(result.summary)


def test_a_verdict_on_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = tmp_path / "space.toml"
    space.write_text(SMALL, encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(SearchSession, "search", _stop)
        with pytest.raises(KeyboardInterrupt):
            autoloss.search(
                "sklearn:iris", space=space, trials=6, name="s", out=tmp_path, track="off"
            )
    with pytest.raises(InputError, match="continue without --judge-now"):
        autoloss.resume("s", out=tmp_path, judge_now=True)


class Heard(Silent):
    """Keeps the plan of a search."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def planned(self, plan: Plan) -> None:
        self._said.append(plan.allowed)


def _stop(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
