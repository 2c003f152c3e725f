from __future__ import annotations

import pytest

from autoloss.core.errors import AutolossError, InputError
from autoloss.tracking import ChosenTrial, Pending, read_chosen_trial


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
def test_a_tagged_run_is_chosen_and_the_value_is_the_reason(study, value, reason):
    study(2, value)
    assert read_chosen_trial(study.folder) == ChosenTrial(2, reason)


def test_a_tag_that_says_no_chooses_nothing(study):
    study(1, "false")
    with pytest.raises(InputError, match="One run must have the tag") as caught:
        read_chosen_trial(study.folder)
    assert "under Tags" in str(caught.value)


def test_two_tagged_runs_are_refused_by_number(study):
    study(1, "this")
    study(3, "that")
    with pytest.raises(InputError, match="trials=1, 3"):
        read_chosen_trial(study.folder)


def test_a_tag_in_another_study_chooses_nothing_here(study, store, track, record, summary, here):
    study(1, "this")
    other = track(store, folder=here / "other")
    other.start({"data": "other.csv"})
    other.finish(summary([record(i) for i in range(2)]), [])
    assert other.close() == Pending()
    with pytest.raises(InputError, match="but got none"):
        read_chosen_trial(here / "other")


def test_the_tag_of_a_chosen_winner_is_deleted_and_another_stays(
    study, store, track, written, record, summary
):
    from tests.tracking.test_tracking_front import chosen, finish

    study(2, "this")
    plain = summary([record(i) for i in range(4)])
    finish(track, store, plain)
    assert read_chosen_trial(study.folder).number == 2
    finish(track, store, chosen(plain, 2))
    tags = written(store).children[2].data.tags
    assert "autoloss.choose" not in tags
    study(3, "later")
    finish(track, store, chosen(plain, 2))
    assert read_chosen_trial(study.folder) == ChosenTrial(3, "later")


def test_a_study_that_was_never_tracked_is_one_line(here):
    with pytest.raises(InputError, match="not tracked from here"):
        read_chosen_trial(here)


def test_an_unreachable_server_is_one_line(study):
    with pytest.raises(AutolossError, match="does not answer"):
        read_chosen_trial(study.folder, uri="http://127.0.0.1:9")
