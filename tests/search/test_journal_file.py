from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from autoloss.core import devices
from autoloss.experiment.standing import TrialTally
from autoloss.search import Study
from autoloss.search.journal import Ledger
from autoloss.search.naming import JOURNAL

LABELS = torch.arange(40) % 2


def ask_and_tell(study, n):
    trials = study.ask(n)
    logits = torch.randn(len(trials), 40, 2, generator=torch.Generator().manual_seed(n))
    return study.tell_many(trials, logits, LABELS)


def counted(monkeypatch, owner, name):
    """Return a list that grows by one for every call of a function."""
    calls, real = [], getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *a, **k: calls.append(1) or real(*a, **k))
    return calls


def test_a_population_is_brought_to_the_disk_twice_however_large(tmp_path, monkeypatch):
    with Study("s", [50, 50], trials=24, out=tmp_path) as study:
        ask_and_tell(study, 4)
        synced = counted(monkeypatch, os, "fsync")
        ask_and_tell(study, 16)
        # Asked, told; nothing is left to the system when `ask` and `tell_many` return.
        assert len(synced) == 2


def test_entries_written_together_are_read_together(tmp_path):
    one = Ledger.create("s", folder=tmp_path, url=None, directions=["minimize"])
    other = Ledger.open("s", folder=tmp_path, url=None)
    with one.together():
        number = one.add({}, {}, {"slot": 0})
        assert [trial.number for trial in other.trials()] == [number]
        one.end(number, TrialState.COMPLETE, [0.5])
    assert other.trials()[0].values == [0.5]
    plain = list(JournalFileBackend(str(tmp_path / JOURNAL)).read_logs(0))
    assert len(plain) == 3


def test_an_incomplete_line_is_repaired_by_the_next_entry_of_any_process(tmp_path):
    one = Ledger.create("s", folder=tmp_path, url=None, directions=["minimize"])
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"op_code": 4, "worker')
    assert one.trials() == []
    number = one.add({}, {}, {"slot": 0})
    for ledger in (one, Ledger.open("s", folder=tmp_path, url=None)):
        assert [trial.number for trial in ledger.trials()] == [number]


def test_telling_looks_at_no_other_trials(tmp_path, monkeypatch):
    with Study("s", [50, 50], trials=40, out=tmp_path) as study:
        ask_and_tell(study, 16)
        trials = study.ask(8)
        read = counted(monkeypatch, Ledger, "trials")
        study.tell_many(trials, torch.randn(8, 40, 2), LABELS)
        assert not read


def test_trials_share_what_all_of_them_have(tmp_path):
    with Study("s", [50, 50], trials=16, space="quick", out=tmp_path) as study:
        ask_and_tell(study, 16)
        trials = study._session.trials()
        assert len({id(trial.user_attrs["lease"]) for trial in trials}) == 1
        sets = {tuple(trial.distributions.items()) for trial in trials}
        assert len({id(trial.distributions) for trial in trials}) == len(sets)


def test_of_the_trials_that_ended_the_best_is_kept(tmp_path):
    with Study("s", [50, 50], trials=12, out=tmp_path) as study:
        records = ask_and_tell(study, 12)
    ended = TrialTally()
    for record in records:
        ended.add([record])
    assert ended.count == 12
    assert ended.has_learnt
    values = [record.metrics["refined_log_loss"] for record in records]
    assert ended.best is records[int(np.argmin(values))]


def test_rows_of_trials_are_read_when_they_are_used(tmp_path, monkeypatch):
    with Study("s", [50, 50], trials=12, out=tmp_path) as study:
        records = ask_and_tell(study, 12)
        read = counted(monkeypatch, type(study.examples), "_load")
        kept = study.examples.load([record.number for record in records] + [99])
        assert (len(kept), 99 in kept, len(read)) == (12, False, 0)
        assert len(kept[3].log_loss) == 40
        assert len(read) == 1


def test_told_in_parts_equals_told_at_once(tmp_path, monkeypatch):
    with Study("s", [50, 50], trials=12, out=tmp_path) as study:
        whole = ask_and_tell(study, 12)
        rows = study.examples.load(range(12))
    monkeypatch.setattr(devices, "SCORED_NUMBERS", 5 * 40 * 2)
    with Study("t", [50, 50], trials=12, out=tmp_path) as study:
        parts = ask_and_tell(study, 12)
        of_parts = study.examples.load(range(12))
    for one, other in zip(whole, parts, strict=True):
        assert one.metrics == pytest.approx(other.metrics)
        assert np.allclose(rows[one.number].log_loss, of_parts[other.number].log_loss)
