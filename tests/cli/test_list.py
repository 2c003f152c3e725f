from __future__ import annotations

from pathlib import Path

from autoloss.records import StudyListing


def test_finished_and_unfinished_studies(api, run) -> None:
    asked: list[Path] = []
    studies = (
        StudyListing("new", "there/new", 1_800_000_000.0, 12, 64),
        StudyListing("old", "there/old", 1_700_000_000.0, 64, 64, "better", "focal gamma=2"),
    )
    api.list_studies = lambda out: asked.append(out) or studies
    result = run("list", "--out", "there", env={"COLUMNS": "100"})
    assert asked == [Path("there")]
    first, second = result.stdout.splitlines()[2:4]
    assert first.split()[0] == "new"
    assert "12/64" in first
    assert "not finished" in first
    assert "64/64" in second
    assert "Better" in second
    assert "focal gamma=2" in second


def test_no_studies_yet(api, run) -> None:
    api.list_studies = lambda out: ()
    result = run("list")
    assert result.exit_code == 0
    assert "autoloss search" in result.stdout
