from __future__ import annotations

import pytest

from autoloss.core.errors import AutolossError, InputError
from autoloss.tracking import Pending, Wish, read_wish


@pytest.fixture
def study(store, track, written, record, summary):
    """A finished study in MLflow; tags are put on the runs of its trials."""
    tracker = track(store)
    tracker.start({"data": "churn.csv"})
    tracker.finish(summary([record(i) for i in range(4)]), [])
    assert tracker.close() == Pending()
    found = written(store)

    def tag(number, value):
        run = found.children[number].info.run_id
        found.client.set_tag(run, "autoloss.choose", value)

    tag.folder = tracker._folder
    return tag


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("fewer false alarms", "fewer false alarms"),
        ("true", "Chosen in the dashboard."),
        ("Yes", "Chosen in the dashboard."),
    ],
)
def test_a_tagged_run_is_the_wish_and_its_value_the_reason(study, value, reason):
    study(2, value)
    assert read_wish(study.folder) == Wish(2, reason)


def test_a_tag_that_says_no_is_none(study):
    study(1, "false")
    with pytest.raises(InputError, match="One run must have the tag") as caught:
        read_wish(study.folder)
    assert "under Tags" in str(caught.value)


def test_two_wishes_are_named_and_none_is_followed(study):
    study(1, "this")
    study(3, "that")
    with pytest.raises(InputError, match="trials=1, 3"):
        read_wish(study.folder)


def test_the_wish_of_another_study_is_not_this_ones(study, store, track, record, summary, here):
    study(1, "this")
    other = track(store, folder=here / "other")
    other.start({"data": "other.csv"})
    other.finish(summary([record(i) for i in range(2)]), [])
    assert other.close() == Pending()
    with pytest.raises(InputError, match="but got none"):
        read_wish(here / "other")


def test_a_followed_wish_is_taken_away_and_another_one_stays(
    study, store, track, written, record, summary
):
    from tests.tracking.test_tracking_front import chosen, finish

    study(2, "this")
    plain = summary([record(i) for i in range(4)])
    finish(track, store, plain)
    assert read_wish(study.folder).number == 2
    finish(track, store, chosen(plain, 2))
    tags = written(store).children[2].data.tags
    assert "autoloss.choose" not in tags
    study(3, "later")
    finish(track, store, chosen(plain, 2))
    assert read_wish(study.folder) == Wish(3, "later")


def test_a_study_that_was_never_tracked_is_one_line(here):
    with pytest.raises(InputError, match="never tracked"):
        read_wish(here)


def test_a_server_that_is_away_is_one_line(study):
    with pytest.raises(AutolossError, match="does not answer"):
        read_wish(study.folder, uri="http://127.0.0.1:9")
