"""Studies are compared in one view, and MLflow's own pages lead to it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from autoloss.records import Comparison, PersonalChoice
from autoloss.tracking import Pending
from autoloss.tracking.studies import studies_page, studies_tag, study_points
from autoloss.tracking.view import STUDIES, TAG
from tests.tracking.conftest import make_record, make_summary

KIND, NOTE = "mlflow.experimentKind", "mlflow.note.content"
SECONDS = {"total": 41.23456, "training": 30.0, "outside": 11.0}


def finished(**verdict):
    summary = make_summary([make_record(i) for i in range(3)])
    changed = replace(summary.verdict, **verdict) if verdict else summary.verdict
    measured = {"error": 0.1, "log_loss": 0.345678}
    test = summary.test_metrics | {"challenger": measured}
    return replace(summary, verdict=changed, seconds=SECONDS, test_metrics=test)


def figures(summary):
    return {point.key: point.value for point in study_points(summary, 7)}


def state() -> dict:
    return json.loads(json.loads(studies_tag(now_ms=7))["state"])


def experiment_tags(written, store) -> dict[str, str]:
    return written(store).client.get_experiment_by_name("losses").tags


def search(track, store, **changes) -> Pending:
    tracker = track(store, **changes)
    tracker.start({"data": "churn.csv", "metric": "error"})
    tracker.finish(finished(), [])
    return tracker.close()


@pytest.mark.parametrize(
    ("primary", "gain"), [("error", 0.02), ("log_loss", -0.0312), ("auroc", 0.05), ("", 0.02)]
)
def test_the_gain_is_by_the_primary_metric_and_positive_is_better(primary, gain):
    comparisons = (
        Comparison("error", 0.12, 0.10, -0.04, -0.001),
        Comparison("log_loss", 0.3, 0.331196, 0.0, 0.1),
        Comparison("auroc", 0.8, 0.85, 0.01, 0.09, lower_is_better=False),
    )
    found = figures(finished(comparisons=comparisons, primary=primary))
    assert found == {
        "study/gain": pytest.approx(gain, abs=1e-12),
        "study/error": 0.1,
        "study/log_loss": 0.3457,
        "study/rows": 100.0,
        "study/seconds": 41.23,
    }


def test_a_trial_that_was_chosen_and_never_tested_has_no_figures_of_the_former_winner():
    choice = PersonalChoice(2, 1, "calmer", "Ada", "2026-03-02T12:00:00+00:00")
    found = figures(replace(finished(), recommended=2, choices=(choice,)))
    assert math.isnan(found["study/error"])
    assert math.isnan(found["study/log_loss"])
    assert found["study/gain"] == pytest.approx(0.02)


def test_a_study_that_compared_nothing_has_no_gain():
    assert set(figures(finished(comparisons=(), decision="undecided", primary="log_loss"))) == {
        "study/error",
        "study/log_loss",
        "study/rows",
        "study/seconds",
    }


def test_every_column_of_the_view_is_written_for_a_finished_study(store, track, written):
    assert search(track, store) == Pending()
    parent = written(store).parent.data
    known = {
        *(f"metrics.`{name}`" for name in parent.metrics),
        *(f"tags.`{name}`" for name in parent.tags),
    }
    assert set(state()["selectedColumns"]) <= known
    assert state()["columnOrder"] == state()["selectedColumns"] == [*state()["columnWidths"]]
    assert parent.tags["autoloss.verdict"] == "better"
    assert parent.tags["autoloss.primary"] == "error"
    assert parent.metrics["study/gain"] == pytest.approx(0.02)


def test_the_view_has_all_studies_and_no_trial(store, track, written):
    for name in ("one", "two"):
        assert search(track, store, study_name=name, folder=name) == Pending()
    found = written(store)
    experiment = found.parents[0].info.experiment_id
    shown = found.client.search_runs([experiment], state()["searchFilter"])
    assert sorted(run.info.run_name for run in shown) == ["one", "two"]
    assert len(found.runs) == 8


def test_the_pages_of_the_experiment_and_of_a_study_lead_to_the_view(store, track, written):
    assert search(track, store) == Pending()
    tags = experiment_tags(written, store)
    assert json.loads(tags[TAG + STUDIES])["name"] == "Studies"
    assert tags[KIND] == "custom_model_development"
    parent = written(store).parent
    page = f"#/experiments/{parent.info.experiment_id}/runs?"
    link = f"({page}viewStateShareKey={STUDIES}&workflowType=machine_learning)"
    assert link in tags[NOTE]
    assert link in parent.data.tags[NOTE]
    assert f"[Choose a winner]({page}viewStateShareKey=autoloss-" in parent.data.tags[NOTE]


def test_a_users_text_on_the_experiment_stays(store, track, written):
    client = written(store).client
    number = client.create_experiment("losses")
    mine = {KIND: "classification", NOTE: "Ask Ada first.", TAG + STUDIES: "{}"}
    for key, value in mine.items():
        client.set_experiment_tag(number, key, value)
    assert search(track, store) == Pending()
    tags = experiment_tags(written, store)
    assert {key: tags[key] for key in mine} == mine


def test_the_experiment_of_an_adopted_run_gets_only_the_view(store, track, written):
    client = written(store).client
    number = client.create_experiment("theirs")
    run = client.create_run(number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_RUN_ID", run.info.run_id)
        patch.setenv("MLFLOW_TRACKING_URI", store)
        assert search(track, None) == Pending()
    tags = client.get_experiment(number).tags
    assert TAG + STUDIES in tags
    assert not {KIND, NOTE} & tags.keys()


def test_a_server_without_saved_views_has_the_list_of_studies():
    page, _, query = studies_page("7", has_views=False).partition("?")
    assert page == "#/experiments/7/runs"
    assert parse_qs(query) == {
        "searchFilter": [state()["searchFilter"]],
        "workflowType": ["machine_learning"],
    }


def test_a_store_without_saved_views_still_leads_to_its_studies(
    store, track, written, monkeypatch
):
    monkeypatch.setattr("autoloss.tracking.capabilities._version", lambda uri: "3.4.1")
    assert search(track, store) == Pending()
    tags = experiment_tags(written, store)
    assert not [key for key in tags if key.startswith(TAG)]
    assert "searchFilter=" in tags[NOTE]
    assert "Choose a winner" not in written(store).parent.data.tags[NOTE]


def test_the_reason_of_an_undecided_verdict_is_a_tag(store, track, written):
    tracker = track(store)
    tracker.start({"data": "churn.csv"})
    tracker.finish(finished(decision="undecided", reason="2 of 20 epochs", comparisons=()), [])
    assert tracker.close() == Pending()
    tags = written(store).parent.data.tags
    assert tags["autoloss.verdict"] == "undecided"
    assert tags["autoloss.reason"] == "2 of 20 epochs"
