from __future__ import annotations

import json
from pathlib import Path

from optuna.trial import TrialState

from autoloss.records import StudyListing
from autoloss.report import summary_json
from autoloss.search import folders
from autoloss.search.journal import Ledger
from tests.report.summaries import make_summary


def test_finished_and_unfinished_studies(monkeypatch, run) -> None:
    asked: list[Path] = []
    studies = (
        StudyListing("new", "there/new", 1_800_000_000.0, 12, 64),
        StudyListing("old", "there/old", 1_700_000_000.0, 64, 64, "better", "focal gamma=2"),
    )
    monkeypatch.setattr(folders, "list_studies", lambda out: asked.append(out) or studies)
    result = run("list", "--out", "there", env={"COLUMNS": "100"})
    assert asked == [Path("there")]
    first, second = result.stdout.splitlines()[2:4]
    assert first.split()[0] == "new"
    assert "12/64" in first
    assert "not finished" in first
    assert "64/64" in second
    assert "Better" in second
    assert "focal gamma=2" in second


def test_no_studies_yet(monkeypatch, run) -> None:
    monkeypatch.setattr(folders, "list_studies", lambda out: ())
    result = run("list")
    assert result.exit_code == 0
    assert "autoloss search" in result.stdout


def test_ended_trials_are_counted_as_optuna_counts_them(tmp_path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    ledger = Ledger.create("mine", folder=folder, url=None, directions=["minimize"])
    numbers = [ledger.add({}, {}, {}) for _ in range(6)]
    for number, state in zip(numbers, ("COMPLETE", "PRUNED", "FAIL", "COMPLETE"), strict=False):
        ledger.end(number, TrialState[state], [0.5] if state == "COMPLETE" else None)
    counted = sum(one.state in (TrialState.COMPLETE, TrialState.PRUNED) for one in ledger.trials())
    ledger.close()
    config = {"name": "mine", "created": 1.0, "trials": 8, "storage": None}
    (folder / "study.json").write_text(json.dumps(config), encoding="utf-8")
    with (folder / "study.journal").open("a", encoding="utf-8") as file:
        file.write('{"op_code":6,"trial_id":4,"st')
    (found,) = folders.list_studies(tmp_path)
    assert (found.done, found.trials, found.decision) == (counted, 8, None) == (3, 8, None)


def test_a_finished_study_is_read_from_its_summary(tmp_path, run) -> None:
    folder, summary = tmp_path / "mine", make_summary()
    folder.mkdir()
    config = {"name": "mine", "created": 1.0, "trials": 64, "storage": None}
    (folder / "study.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "summary.json").write_text(summary_json(summary), encoding="utf-8")
    (found,) = folders.list_studies(tmp_path)
    assert (found.done, found.decision) == (len(summary.trials), summary.verdict.decision)
    assert found.recommended == summary.trial(summary.recommended).label
    result = run("list", "--out", tmp_path)
    assert result.exit_code == 0
    assert found.recommended in result.stdout
