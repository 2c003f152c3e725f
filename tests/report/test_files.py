from __future__ import annotations

import csv
import io
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloss.core.errors import InputError
from autoloss.records import Comparison, Summary
from autoloss.report import summary_from_json, summary_json, trials_csv, write_report
from autoloss.report.about import AGAIN
from tests.report.summaries import make_hostile_summary, make_summary
from tests.report.test_html import EDGES

NAMES = ["report.html", "report.md", "trials.csv", "summary.json"]


@pytest.mark.parametrize(
    "summary",
    [make_summary(diverged=0), make_hostile_summary(), EDGES["honest"], EDGES["one trial"]],
    ids=["plain", "hostile", "honest", "one trial"],
)
def test_a_summary_without_nan_comes_back_equal(summary: Summary) -> None:
    without = replace(
        summary,
        trials=tuple(replace(trial, curve=trial.curve[:2]) for trial in summary.trials),
        gains=summary.gains[1:],
        finalists=summary.finalists[:-1],
    )
    assert summary_from_json(summary_json(without)) == without


@pytest.mark.parametrize("summary", EDGES.values(), ids=EDGES)
def test_a_summary_that_came_back_is_written_the_same(summary: Summary) -> None:
    text = summary_json(summary)
    assert summary_json(summary_from_json(text)) == text
    assert json.loads(text)["schema_version"] == 1


@given(st.floats(), st.floats(), st.text())
def test_numbers_come_back_exactly_and_others_as_nan(low: float, high: float, name: str) -> None:
    summary = make_summary(n_trials=2, diverged=0, families=("cross_entropy",))
    one = Comparison(name, 0.5, 0.25, low, high)
    summary = replace(summary, verdict=replace(summary.verdict, comparisons=(one,)))
    back = summary_from_json(summary_json(summary)).verdict.comparisons[0]
    assert back.metric == name
    for sent, came in ((low, back.low), (high, back.high)):
        assert came == sent if math.isfinite(sent) else math.isnan(came)


def test_a_key_that_is_not_known_is_left_out() -> None:
    plain = json.loads(summary_json(EDGES["one trial"]))
    plain["later"] = plain["data"]["later"] = 1
    assert summary_from_json(json.dumps(plain)) == EDGES["one trial"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema_version 1, but got schema_version=2"),
        ({"trials": None}, r"summary\.trials must be list, but got value=None"),
        ({"trials": [{"number": 0}]}, r"summary\.trials\[0\] must have every field"),
        ({"recommended": "x"}, r"summary\.recommended must be int, but got value='x'"),
        ({"verdict": 3}, r"summary\.verdict must be object, but got value=3"),
    ],
)
def test_a_broken_summary_is_named(change: dict[str, object], message: str) -> None:
    plain = json.loads(summary_json(EDGES["one trial"])) | change
    with pytest.raises(InputError, match=message):
        summary_from_json(json.dumps(plain))


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_what_is_no_summary_is_said(text: str) -> None:
    with pytest.raises(InputError, match="The summary must be"):
        summary_from_json(text)


def test_csv_has_every_value_in_full() -> None:
    summary = make_summary()
    rows = list(csv.DictReader(io.StringIO(trials_csv(summary))))
    assert [int(row["number"]) for row in rows] == [trial.number for trial in summary.trials]
    for row, trial in zip(rows, summary.trials, strict=True):
        wanted = {f"loss.{key}": value for key, value in trial.loss.items()}
        wanted |= {f"nuisance.{key}": value for key, value in trial.nuisance.items()}
        wanted |= trial.metrics | {"state": trial.state, "seconds": trial.seconds}
        for key, value in wanted.items():
            assert type(value)(row[key]) == value
        assert all(row[key] == "" for key in row.keys() - wanted.keys() - {
            "number", "readout", "origin"})  # fmt: skip


def test_csv_survives_bars_quotes_and_line_breaks() -> None:
    summary = make_hostile_summary()
    rows = list(csv.reader(io.StringIO(trials_csv(summary), newline="")))
    assert len(rows) == 1 + len(summary.trials)
    assert {len(row) for row in rows} == {len(rows[0])}


def test_files_are_utf8_with_bare_line_feeds(tmp_path: Path) -> None:
    paths = write_report(make_hostile_summary(), tmp_path / "new" / "folder")
    assert [path.name for path in paths] == NAMES
    for path in paths:
        raw = path.read_bytes()
        assert b"\r" not in raw
        assert raw.decode("utf-8").endswith("\n") or path.suffix == ".html"


def test_text_without_utf8_is_written_all_the_same(tmp_path: Path) -> None:
    broken = replace(make_summary(n_trials=2), name="a\udc80b", command="search a\udc80b.csv")
    for path in write_report(broken, tmp_path):
        assert "a" in path.read_text(encoding="utf-8")


def test_a_failure_keeps_the_old_files_and_leaves_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(make_summary(n_trials=2), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match=r"must be writable.*No space left on device\.$"):
        write_report(make_summary(n_trials=3), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_is_a_file_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match=r"folder=.*taken"):
        write_report(make_summary(n_trials=2), tmp_path / "taken")


def test_the_code_in_the_report_makes_the_same_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_report(make_summary(n_trials=12, diverged=0), tmp_path)
    before = [path.read_bytes() for path in paths]
    for path in paths:
        if path.name != "summary.json":
            path.unlink()
    monkeypatch.chdir(tmp_path)
    exec(AGAIN, {})
    assert [path.read_bytes() for path in paths] == before


def test_a_report_that_was_cut_short_does_not_look_finished(tmp_path, monkeypatch) -> None:
    written: list[str] = []

    def cut(path: Path, text: str) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path.name)

    monkeypatch.setattr("autoloss.report.write.write_whole", cut)
    with pytest.raises(KeyboardInterrupt):
        write_report(make_summary(n_trials=2), tmp_path)
    assert "summary.json" not in written
