"""A process that joins writes to the MLflow of the study, if its user has named it here."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoloss.experiment.progress import Silent
from autoloss.experiment.request import Request
from autoloss.experiment.tracked import join_tracker
from autoloss.search import Study
from autoloss.search.tracked import TrackingPlace
from autoloss.tracking import GuestTracker, NullTracker


def test_a_process_that_joins_says_that_it_does_not_write_to_an_unknown_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    told, place = Told(), TrackingPlace("a1", "http://me:***@db.example.org:5000")
    with Study("s", [50, 50], trials=4, out=tmp_path) as study:
        assert isinstance(join_tracker(study, Request(data="rows.csv"), told), NullTracker)
        assert told.lines == []
        study.tracked.note(place)
        assert isinstance(join_tracker(study, Request(data="rows.csv"), told), NullTracker)
        [line] = told.lines
        assert "http://me:***@db.example.org:5000" in line
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@db.example.org:5000")
        found = join_tracker(study, Request(data="rows.csv"), told)
        assert isinstance(found, GuestTracker)
        assert found.shown_uri == place.uri
        off = join_tracker(study, Request(data="rows.csv", track="off"), told)
        assert isinstance(off, NullTracker)
    assert len(told.lines) == 1


class Told(Silent):
    """Progress that keeps its notes."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def noted(self, text: str) -> None:
        """Keep a note."""
        self.lines.append(text)
