from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from optuna.trial import TrialState

from autoloss.core.errors import InputError, StudyExistsError, StudyNotFoundError
from autoloss.search import Study, journal_file, lease
from autoloss.search.asking import Asker
from autoloss.search.journal import Ledger
from autoloss.search.naming import JOURNAL
from autoloss.search.slots import Slots
from tests.search.fake_training import COUNTS, LABELS, logits_of, run, settings

ROOT = Path(__file__).parents[2]


def new(out, name="s", **options):
    return Study(name, COUNTS, **{"trials": 24, "space": "quick", "out": out, **options})


def kill_a_search(out: Path, *, storage: str = "", together: int = 8) -> None:
    """Run a search in another process and kill it in the middle of its second batch."""
    command = [
        sys.executable,
        "-m",
        "tests.search.killed_search",
        str(out),
        storage,
        str(together),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.kill()


@pytest.mark.parametrize("database", [False, True])
def test_a_killed_search_goes_on_as_if_it_had_not_been(tmp_path, database):
    url = f"sqlite:///{(tmp_path / 'optuna.db').as_posix()}" if database else ""
    kill_a_search(tmp_path, storage=url)
    resumed = Study.open("s", out=tmp_path)
    assert sum(record.state == "complete" for record in resumed.trials) == 11
    assert resumed.left == 13
    assert len(resumed.ask(8)) == 5
    run(resumed)
    # Trials that were asked again and not told are asked once more by the next.
    resumed.close()
    with Study.open("s", out=tmp_path) as last, new(tmp_path, "whole") as whole:
        run(last)
        run(whole)
        assert settings(last) == settings(whole)
        assert len(last.trials) == 24
        by_slot = [record.metrics["refined_log_loss"] for record in whole.trials]
        again = {json.dumps([r.loss, r.nuisance]): r for r in last.trials}
        for record, value in zip(whole.trials, by_slot, strict=True):
            same = again[json.dumps([record.loss, record.nuisance])]
            assert same.metrics["refined_log_loss"] == value
        chosen, expected = last.finalists(), whole.finalists()
        assert chosen.challenger.loss == expected.challenger.loss
        assert chosen.baseline.nuisance == expected.baseline.nuisance


def test_the_size_of_the_batches_survives_a_kill_too(tmp_path):
    kill_a_search(tmp_path, together=5)
    with Study.open("s", out=tmp_path) as resumed:
        assert [trial.slot for trial in resumed.ask(1)] == [8]
    with Study.open("s", out=tmp_path) as resumed, new(tmp_path, "whole") as whole:
        run(resumed, together=5)
        run(whole, together=5)
        assert settings(resumed) == settings(whole)


def test_a_batch_whose_writing_was_cut_off_is_completed(tmp_path, monkeypatch):
    study = new(tmp_path)
    run(study, at_most=1)
    add, written = Ledger.add, []

    def add_five(self, *arguments):
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(1)
        return add(self, *arguments)

    monkeypatch.setattr(Ledger, "add", add_five)
    with pytest.raises(KeyboardInterrupt):
        study.ask(8)
    monkeypatch.undo()
    study.close()
    with Study.open("s", out=tmp_path) as resumed:
        assert [trial.slot for trial in resumed.ask(8)] == list(range(8, 16))
    with Study.open("s", out=tmp_path) as resumed, new(tmp_path, "whole") as whole:
        run(resumed)
        run(whole)
        assert settings(resumed) == settings(whole)


def test_a_torn_line_at_the_end_of_the_journal_is_dropped(tmp_path):
    with new(tmp_path) as study:
        run(study, at_most=1)
        before = settings(study)
    with (tmp_path / "s" / JOURNAL).open("ab") as file:
        file.write(b'{"op_code": 4, "worker')
    with Study.open("s", out=tmp_path) as again:
        assert settings(again) == before
        run(again)
        assert len(again.trials) == 24


def test_a_lock_left_by_a_killed_process_does_not_last(tmp_path, monkeypatch):
    with new(tmp_path) as study:
        run(study, at_most=1)
    monkeypatch.setattr(journal_file, "LOCK_SECONDS", 3)
    (tmp_path / "s" / f"{JOURNAL}.lock").touch()
    started = time.monotonic()
    with Study.open("s", out=tmp_path) as again:
        again.ask(1)
        assert len(again.trials) == 9
    assert time.monotonic() - started > 3


def test_trials_that_somebody_works_on_are_left_to_them(tmp_path):
    with new(tmp_path) as study:
        asked = study.ask(4)
        with Study.open("s", out=tmp_path) as other:
            assert [trial.slot for trial in other.ask(2)] == [4, 5]
        for trial in asked:
            study.tell(trial, logits_of(trial), LABELS)
        assert study.left == 20


def test_an_expired_lease_is_reaped_and_a_renewed_lease_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "LEASE_SECONDS", 600.0)
    with new(tmp_path) as study:
        study.ask(4)
        later = time.time() + 700
        monkeypatch.setattr(time, "time", lambda: later)
        with Study.open("s", out=tmp_path) as other:
            assert [trial.slot for trial in other.ask(8)] == [0, 1, 2, 3]
        monkeypatch.undo()


def test_a_closed_study_gives_its_trials_back(tmp_path):
    with new(tmp_path) as study:
        first = [trial.spec for trial in study.ask(4)]
    with Study.open("s", out=tmp_path) as again:
        trials = again.ask(4)
        assert [trial.spec for trial in trials] == first
        assert [trial.number for trial in trials] == [4, 5, 6, 7]
        assert len(again.trials) == 4


def test_a_trial_whose_process_ended_while_it_was_told_is_asked_again(tmp_path, monkeypatch):
    """The facts are written before the end of a trial; in between, the trial is not over."""
    with new(tmp_path) as study:
        trials = study.ask(4)
        with monkeypatch.context() as patch:
            patch.setattr(study._session.opened.ledger, "end", None)
            with pytest.raises(TypeError):
                study.tell(trials[0], logits_of(trials[0]), LABELS)
    with Study.open("s", out=tmp_path) as resumed:
        assert [record.state for record in resumed.trials] == ["failed"] * 4
        assert [trial.slot for trial in resumed.ask(8)] == [0, 1, 2, 3]
    with Study.open("s", out=tmp_path) as resumed, new(tmp_path, "whole") as whole:
        run(resumed)
        run(whole)
        assert settings(resumed) == settings(whole)


def test_one_of_two_workers_that_ask_for_a_slot_gets_it(tmp_path, monkeypatch):
    with new(tmp_path) as one, Study.open("s", out=tmp_path) as other:
        new_trials = Asker._new
        theirs = []

        def slow(self, first, end, lease):
            if not theirs:
                theirs.append(None)
                theirs.extend(other.ask(2))
            return new_trials(self, first, end, lease)

        monkeypatch.setattr(Asker, "_new", slow)
        ours = one.ask(4)
        slots = [trial.slot for trial in [*ours, *theirs[1:]]]
        assert sorted(slots) == sorted(set(slots))
        states = [trial.state for trial in one._session.trials()]
        assert states.count(TrialState.RUNNING) == len(slots)


def test_a_database_keeps_a_study_without_its_folder(tmp_path):
    url = f"sqlite:///{(tmp_path / 'optuna.db').as_posix()}"
    with new(tmp_path / "here", storage=url) as study:
        run(study, at_most=1)
        before = study.trials
        assert not (study.folder / JOURNAL).exists()
    with pytest.raises(StudyExistsError, match="autoloss resume s"):
        new(tmp_path / "there", storage=url)
    with Study.open("s", out=tmp_path / "elsewhere", storage=url) as other:
        assert other.trials == before
        assert (other.folder / "study.json").is_file()
    with pytest.raises(StudyNotFoundError):
        Study.open("t", out=tmp_path, storage=url)


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    file = tmp_path / "nothing.db"
    with pytest.raises(StudyNotFoundError, match=r"there is no file '.*nothing\.db'\.$") as caught:
        Study.open("s", out=tmp_path / "out", storage=f"sqlite:///{file.as_posix()}")
    assert len(str(caught.value).splitlines()) == 1
    # Nor the one that a study has lost.
    with new(tmp_path, storage=f"sqlite:///{file.as_posix()}"):
        pass
    file.unlink()
    with pytest.raises(StudyNotFoundError, match=r"there is no file '.*nothing\.db'\.$"):
        Study.open("s", out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
    # A database in memory is new to every process.
    with pytest.raises(StudyNotFoundError, match=r"it has no studies\.$"):
        Study.open("s", out=tmp_path / "out", storage="sqlite:///:memory:")


def test_a_database_of_another_program_gets_no_table(tmp_path):
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("create table alembic_version (version_num)")
    before = file.read_bytes()
    with pytest.raises(StudyNotFoundError, match=r"it has no studies\.$"):
        Study.open("s", out=tmp_path / "out", storage=f"sqlite:///{file.as_posix()}")
    assert file.read_bytes() == before


def test_a_process_that_another_one_overtakes_asks_again(tmp_path, monkeypatch):
    with new(tmp_path) as study, Study.open("s", out=tmp_path) as faster:
        of, taken = Slots.of, []

        def overtaken(trials):
            found = of(trials)
            if not taken:
                taken.append(True)
                taken.extend(trial.slot for trial in faster.ask(4))
            return found

        monkeypatch.setattr(Slots, "of", overtaken)
        asked = [trial.slot for trial in study.ask(4)]
        assert taken[1:] == [0, 1, 2, 3]
        assert asked == [4, 5, 6, 7]
        assert study.elsewhere == faster.elsewhere == 4


def test_a_password_is_not_written(tmp_path, monkeypatch):
    with pytest.raises(InputError) as caught:
        new(tmp_path, storage="postgresql+nodriver://me:secret@host/db")
    assert "secret" not in str(caught.value)


def test_a_study_of_a_later_layout_is_refused(tmp_path):
    with new(tmp_path) as study:
        path = study.folder / "study.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    with pytest.raises(InputError, match="schema_version=99"):
        Study.open("s", out=tmp_path)


def test_asking_a_batch_costs_little(tmp_path):
    with new(tmp_path, trials=200, space="default") as study:
        run(study, together=32, at_most=2)
        # Of this process: other programs do not count.
        started = time.process_time()
        trials = study.ask(32)
        assert len(trials) == 32
        # 0.3 s on a usual machine.
        assert time.process_time() - started < 3


def test_what_was_killed_before_its_study_began_leaves_the_name_free(tmp_path):
    with new(tmp_path, "t") as other:
        begun = (other.folder / JOURNAL).read_bytes()
        run(other, at_most=1)
        with_trials = (other.folder / JOURNAL).read_bytes()
    folder = tmp_path / "s"
    folder.mkdir()
    for left in (b"", begun[:100], begun):
        (folder / JOURNAL).write_bytes(left)
        with new(tmp_path) as study:
            assert len(study.ask(4)) == 4
        (folder / "study.json").unlink()
    # Trials are never removed, whatever else was lost.
    (folder / JOURNAL).write_bytes(with_trials)
    with pytest.raises(StudyExistsError):
        new(tmp_path)
    assert (folder / JOURNAL).read_bytes() == with_trials


def test_a_study_that_begins_elsewhere_at_the_moment_has_its_name(tmp_path, monkeypatch):
    create, refused = Ledger.create, []

    def late(name, **options):
        with pytest.raises(StudyExistsError):
            new(tmp_path)
        refused.append(name)
        return create(name, **options)

    monkeypatch.setattr(Ledger, "create", late)
    with new(tmp_path) as study:
        assert refused == ["s"]
        assert [path.name for path in study.folder.iterdir() if "begins" in path.name] == []
