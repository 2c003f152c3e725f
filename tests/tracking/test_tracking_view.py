from __future__ import annotations

import json
from dataclasses import replace

import pytest

from autoloss.tracking import Pending, dashboard_link, dashboard_of
from autoloss.tracking.capabilities import find_capabilities
from autoloss.tracking.experiment import MlflowExperiment
from autoloss.tracking.view import (
    MAX_TAG,
    STUDIES,
    TAG,
    ViewContent,
    params_of,
    view_query,
    view_tag,
)
from tests.report.summaries import FAMILIES, make_summary

SUMMARY = make_summary(n_trials=40)


def state_of(value):
    return json.loads(json.loads(value)["state"])


def charts(state, kind):
    return [chart for chart in state["compareRunCharts"] if chart["type"] == kind]


def view(metric="error", *, lower=True, trials=SUMMARY.trials):
    found = params_of(trials, metric, lower=lower)
    return state_of(view_tag(ViewContent("churn", "p1", metric, lower, **found), now_ms=7))


def test_the_view_shows_one_study_sorted_by_its_metric():
    state = view("auroc", lower=False)
    assert state["searchFilter"] == "tags.`mlflow.parentRunId` = 'p1'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`val/auroc`", False)
    assert view()["orderByAsc"] is True


def test_the_view_has_scatter_parallel_coordinates_and_learning_curves():
    state = view()
    axes = [(c["xaxis"]["key"], c["yaxis"]["key"]) for c in charts(state, "SCATTER")]
    assert ("val/error", "val/debiased_calibration_error") in axes
    assert [c["metricKey"] for c in charts(state, "LINE")] == [
        "epoch/val_error",
        "epoch/val_refined_log_loss",
    ]
    parallel = charts(state, "PARALLEL")
    assert parallel[0]["selectedParams"][0] == "base"
    assert all("val/error" in chart["selectedMetrics"] for chart in parallel)
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == sections
    names = [chart["uuid"] for chart in state["compareRunCharts"]]
    assert len(set(names)) == len(names)


def test_all_runs_of_a_parallel_chart_have_all_of_its_parameters():
    found = params_of(SUMMARY.trials, "error", lower=True)
    whole = [trial for trial in SUMMARY.trials if trial.metrics]
    for name in found["params"]:
        values = {{**trial.loss, **trial.nuisance}[name] for trial in whole}
        assert len(values) > 1
    assert 1 <= len(found["families"]) <= 3
    for family, names in found["families"]:
        own = [trial for trial in whole if trial.family == family]
        assert len(own) >= 3
        assert all(name in trial.loss for name in names for trial in own)


def test_the_first_family_is_that_of_the_best_trial_with_parameters():
    trials = [trial for trial in SUMMARY.trials if trial.metrics and FAMILIES[trial.family]]
    for lower, extreme in ((True, min), (False, max)):
        best = extreme(trials, key=lambda trial: trial.metrics["error"])
        found = params_of(SUMMARY.trials, "error", lower=lower)
        assert found["families"][0][0] == best.family


def test_the_view_fits_into_a_tag_whatever_the_study():
    wide = [
        replace(trial, loss={**trial.loss, **{f"{trial.family}.{i}": i for i in range(8)}})
        for trial in SUMMARY.trials
    ]
    found = params_of(wide, "error", lower=True)
    assert len(view_tag(ViewContent("x" * 100, "p" * 32, **found), now_ms=1)) < MAX_TAG / 2


def test_a_study_without_ended_trials_has_a_view():
    assert params_of((), "error", lower=True) == {"params": (), "families": ()}


def test_a_link_names_the_view_and_the_kind_of_page():
    assert view_query("") == "?workflowType=machine_learning"
    url = dashboard_link("http://host:5000", "7", view="autoloss-1").url
    assert url == (
        "http://host:5000/#/experiments/7/runs?viewStateShareKey=autoloss-1"
        "&compareRunsMode=CHART&workflowType=machine_learning"
    )


def tags_of(written, store):
    client = written(store).client
    return client.get_experiment_by_name("losses").tags


def test_a_search_writes_the_view_and_links_to_it(store, track, written, record, summary):
    tracker = track(store)
    tracker.start({"data": "churn.csv", "metric": "error"})
    records = [record(i) for i in range(6)]
    tracker.finish(summary(records), [])
    assert tracker.close() == Pending()
    found = written(store)
    views = {k: v for k, v in tags_of(written, store).items() if k.startswith(TAG)}
    views.pop(TAG + STUDIES)
    ((key, value),) = views.items()
    state = state_of(value)
    assert found.parent.info.run_id in state["searchFilter"]
    assert f"viewStateShareKey={key.removeprefix(TAG)}&" in tracker.dashboard().url
    # A later process finds the same in the study's folder.
    later = dashboard_of(tracker._folder, study="churn")
    assert later.url == tracker.dashboard().url
    assert later.command == "autoloss ui churn"
    # Every column and chart names a metric, parameter or tag that the runs have.
    child = found.children[1].data
    known = {
        *(f"metrics.`{name}`" for name in child.metrics),
        *(f"params.`{name}`" for name in child.params),
        *(f"tags.`{name}`" for name in child.tags),
    }
    unknown = {"metrics.`val/debiased_calibration_error`"}  # these made-up trials have none
    assert set(state["selectedColumns"]) - unknown <= known
    assert tracker.notes == ()


def test_a_view_that_is_refused_is_named_and_the_rest_is_written(
    store, track, written, record, summary, monkeypatch
):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def refuse(self, *args):
        raise MlflowException("no such tag here", error_code=3)

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refuse)
    tracker = track(store)
    tracker.start({"data": "churn.csv"})
    tracker.finish(summary([record(i) for i in range(2)]), [])
    assert tracker.close() == Pending()
    assert len(tracker.notes) == 2
    assert "'Choose a winner' is missing" in tracker.notes[0]
    assert "The view of all studies is missing" in tracker.notes[1]
    assert all("no such tag here" in note for note in tracker.notes)
    assert "viewStateShareKey" not in tracker.dashboard().url
    assert written(store).parent.info.status == "FINISHED"


@pytest.mark.parametrize(
    ("version", "models", "views", "says"),
    [
        ("2.22.0", False, False, ("no logged models", "plain list of runs")),
        ("3.4.1", True, False, ("plain list of runs",)),
        ("3.15.0", True, True, ()),
        ("3.17.2", True, True, ()),
        ("3.99.0", True, True, ("newer than 3.17",)),
        ("4.0.0", True, False, ("plain list of runs",)),
        ("", True, True, ()),
    ],
)
def test_a_missing_feature_of_a_version_is_noted_and_not_requested(
    store, monkeypatch, version, models, views, says
):
    monkeypatch.setattr("autoloss.tracking.capabilities._version", lambda uri: version)
    session = MlflowExperiment(store, name="losses")
    found = find_capabilities(session.client, store, session.open())
    assert (found.has_models, found.has_views) == (models, views)
    assert len(found.notes) == len(says)
    assert all(text in note for text, note in zip(says, found.notes, strict=True))
    assert all("\n" not in note for note in found.notes)
