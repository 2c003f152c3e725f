from __future__ import annotations

import math
from dataclasses import replace

from autoloss.records import PersonalChoice
from autoloss.tracking import Pending

DESCRIPTION = {"data": "churn.csv"}


def finish(track, store, summary, **changes):
    tracker = track(store, **changes)
    tracker.start(DESCRIPTION)
    tracker.sync(summary.trials)
    tracker.finish(summary, [])
    assert tracker.close() == Pending()
    return tracker


def chosen(summary, number, *, reason="easier to explain"):
    time = "2026-03-02T08:00:00+00:00"
    choice = PersonalChoice(number, summary.recommended, reason, "ann", time)
    return replace(summary, recommended=number, choices=(*summary.choices, choice))


def test_only_front_writes_the_trials_of_front_verdict_and_winner(
    store, track, written, record, summary
):
    # Challenger 1 and baseline 0 come from the verdict; 4 and 5 are on the front.
    study = summary([record(i) for i in range(8)], pareto=(4, 5))
    tracker = track(store, only_front=True)
    tracker.start(DESCRIPTION)
    for one in study.trials:
        tracker.log_trial(one)
    assert tracker.close() == Pending()
    assert written(store).numbers == []
    finish(track, store, study, only_front=True)
    assert written(store).numbers == [0, 1, 4, 5]
    assert written(store).children[2].data.tags["autoloss.pareto"] == "true"
    # A user may choose any trial.
    finish(track, store, chosen(study, 7), only_front=True)
    assert written(store).numbers == [0, 1, 4, 5, 7]


def test_ranks_sort_as_text_in_the_order_of_the_metric(store, track, written, record, summary):
    errors = (0.5, 0.1, 0.3, 0.2, 0.4)
    records = [record(i, metrics={"error": error}) for i, error in enumerate(errors)]
    records.append(record(5, state="diverged", metrics={}))
    finish(track, store, summary(records))
    ranks = [run.data.tags.get("autoloss.rank") for run in written(store).children]
    assert ranks == ["005", "001", "003", "002", "004", None]


def test_a_choice_moves_the_winner_and_records_the_former_and_the_reason(
    store, track, written, record, summary
):
    study = summary([record(i) for i in range(4)])
    finish(track, store, study)
    finish(track, store, chosen(study, 3))
    found = written(store)
    winners = [run.data.tags.get("autoloss.winner") for run in found.children]
    assert winners == [None, None, None, "true"]
    assert found.children[3].data.tags["autoloss.chosen"] == "easier to explain"
    tags = found.parent.data.tags
    assert tags["autoloss.winner_before"] == "#001 focal gamma=2.1"
    assert tags["autoloss.recommended"].startswith("#003 ")
    assert tags["autoloss.choice_reason"] == "easier to explain"
    assert tags["autoloss.choice_by"] == "ann"
    assert "easier to explain" in tags["mlflow.note.content"]
    # The verdict depends on the test rows, not on the choice.
    assert tags["autoloss.verdict"] == "better"


def test_the_parent_has_the_figures_of_the_winner_even_if_worse_or_unknown(
    store, track, written, record, summary
):
    study = summary([record(i) for i in range(4)])
    shown = []
    # Tested, tested and worse, never tested, tested again: all within a second.
    for number in (None, 0, 3, 1):
        study = study if number is None else chosen(study, number)
        finish(track, store, study)
        metrics = written(store).parent.data.metrics
        shown.append((metrics["val/error"], metrics["test/error"]))
    assert shown[:2] == [(0.11, 0.1), (0.1, 0.12)]
    assert shown[2][0] == 0.13
    assert math.isnan(shown[2][1])
    assert shown[3] == (0.11, 0.1)


def test_the_run_of_the_winner_has_a_star_unless_the_user_renamed_it(
    store, track, written, record, summary
):
    def names():
        return [run.info.run_name for run in written(store).children]

    study = summary([record(i) for i in range(4)])
    finish(track, store, study)
    plain = ["#000 cross_entropy", "#001 focal gamma=2.1", "#002 brier", "#003 cross_entropy"]
    assert names() == [plain[0], f"★ {plain[1]}", *plain[2:]]
    found = written(store)
    found.client.update_run(found.children[3].info.run_id, name="my favourite")
    finish(track, store, chosen(study, 3))
    assert names() == [*plain[:3], "my favourite"]
    finish(track, store, chosen(study, 2))
    assert names() == [*plain[:2], f"★ {plain[2]}", "my favourite"]
