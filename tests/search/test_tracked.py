"""The processes of a study agree on its place in MLflow, and an untrusted place is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoloss.search import Study
from autoloss.search.tracked import TrackingPlace

FIRST = TrackingPlace("a1", "http://127.0.0.1:5000")


def test_the_tag_of_the_first_process_stands_and_the_last_store(tmp_path: Path) -> None:
    with (
        Study("s", [50, 50], trials=4, out=tmp_path) as one,
        Study.open("s", out=tmp_path) as other,
    ):
        assert other.tracked.place is None
        assert one.tracked.note(FIRST) == FIRST
        assert other.tracked.place == FIRST
        moved = TrackingPlace("b2", "sqlite:////home/me/mlflow.db", "run")
        agreed = TrackingPlace("a1", "sqlite:////home/me/mlflow.db", "run")
        assert other.tracked.note(moved) == agreed
        assert one.tracked.place == agreed


@pytest.mark.parametrize(
    "found",
    [
        ["a1"],
        {"study_id": "a1", "uri": "http://host"},
        {"study_id": "a1", "uri": "http://host", "adopted": 3},
        {"study_id": "a' or tags.x = 'b", "uri": "http://host", "adopted": ""},
        {"study_id": "a1", "uri": "http://host/\x1b[2J", "adopted": ""},
    ],
)
def test_what_is_no_place_counts_as_none(tmp_path: Path, found: object) -> None:
    with Study("s", [50, 50], trials=4, out=tmp_path) as study:
        study._session.note("tracked", found)
        assert study.tracked.place is None
        assert study.tracked.note(FIRST) == FIRST
        assert study.tracked.place == FIRST
