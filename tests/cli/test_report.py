from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoloss.report import write_report
from autoloss.report.schema import make_schema
from tests.report.summaries import make_summary

SUMMARY = make_summary(n_trials=12, diverged=0)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The folder of the finished study churn below reports."""
    monkeypatch.chdir(tmp_path)
    write_report(SUMMARY, tmp_path / "reports" / "churn")
    return tmp_path / "reports" / "churn"


@pytest.mark.parametrize("study", ["churn", "reports/churn"])
def test_the_report_is_made_again_as_it_was(folder, run, study) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in before:
        if name != "summary.json":
            (folder / name).unlink()
    result = run("report", study)
    assert result.exit_code == 0, result.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert {Path(line).name for line in result.stdout.splitlines()} == set(before)


def test_it_goes_elsewhere_where_that_is_wanted(folder, run) -> None:
    (folder / "report.html").write_text("old", encoding="utf-8")
    result = run("report", "churn", "--to", "sent")
    assert result.exit_code == 0, result.stderr
    assert (folder / "report.html").read_text(encoding="utf-8") == "old"
    assert "churn" in (Path("sent") / "report.html").read_text(encoding="utf-8")


def test_a_summary_from_before_the_insights_still_makes_a_report(folder, run) -> None:
    plain = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    for key in ("signals", "confusion", "disagreements", "threshold"):
        del plain[key]
    (folder / "summary.json").write_text(json.dumps(plain), encoding="utf-8")
    assert run("report", "churn").exit_code == 0


def test_the_schema_is_one_document(run) -> None:
    assert json.loads(run("report", "--schema").stdout) == make_schema()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "must have STUDY or --schema"),
        (("nowhere",), "must be a study's name or its folder"),
        (("churn", "--to", "reports/churn/report.md"), "must be writable"),
    ],
)
def test_a_mistake_is_one_line(folder, run, words, said) -> None:
    result = run("report", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_summary_of_a_later_layout_is_refused(folder, run) -> None:
    plain = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    (folder / "summary.json").write_text(json.dumps(plain | {"schema_version": 9}))
    result = run("report", "churn")
    assert result.exit_code == 2
    assert "schema_version=9" in result.stderr
