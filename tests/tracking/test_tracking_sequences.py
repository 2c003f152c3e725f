"""MLflow shows a search of sequences by the study's own metric."""

from __future__ import annotations

import json

import numpy as np

import autoloss
from autoloss.tracking.experiment import connect
from autoloss.tracking.view import STUDIES, TAG
from tests.experiment.test_sequences import SPACE, sequences


def test_runs_view_and_note_of_sequences_go_by_entity_f1(here, store):
    space = here / "small.toml"
    space.write_text(SPACE, encoding="utf-8")
    result = autoloss.search(
        sequences(),
        "tags",
        tokens="words",
        metric="entity_f1",
        trials=4,
        space=space,
        name="s",
        out=here / "reports",
        tracking_uri=store,
        workers=1,
        lock=True,
    )
    client = connect(store)
    (experiment,) = (one for one in client.search_experiments() if one.name != "Default")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = (run for run in runs if run.data.tags.get("autoloss.role") == "study")
    trials = {
        int(run.data.tags["autoloss.trial"]): run.data.metrics
        for run in runs
        if run.data.tags.get("autoloss.role") == "trial"
    }
    assert sorted(trials) == list(result.trials.index)
    for number, metrics in trials.items():
        found = [metrics[f"val/{name}"] for name in ("entity_f1", "error")]
        np.testing.assert_allclose(
            found, result.trials.loc[number, ["entity_f1", "error"]].to_list()
        )
        assert metrics["epoch/val_error"] > 0
    keys = [key for key in experiment.tags if key.startswith(f"{TAG}autoloss-")]
    (key,) = (key for key in keys if key != TAG + STUDIES)
    state = json.loads(json.loads(experiment.tags[key])["state"])
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`val/entity_f1`", False)
    assert parent.info.run_id in state["searchFilter"]
    axes = {one["xaxis"]["key"] for one in state["compareRunCharts"] if one["type"] == "SCATTER"}
    assert axes == {"val/entity_f1"}
    names = [section["name"] for section in state["compareRunSections"]]
    assert names[0] == "Entity F1 against calibration"
    assert "entity F1" in parent.data.tags["mlflow.note.content"]
