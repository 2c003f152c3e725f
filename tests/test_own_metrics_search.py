"""Metrics of one's own in a search: metric, objective, rule, report, MLflow, resume."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import autoloss
from autoloss.cli import app
from autoloss.core.errors import InputError
from autoloss.search import SearchResult, Study
from tests.few_rows import make_few_rows, plain
from tests.spaces import TWO_BASES

FILE = """
import numpy as np
import pandas as pd

def gain(probs, classes):
    return float(np.mean(np.where(probs[:, 1] > 0.3, np.where(classes == 1, 5.0, -1.0), 0.0)))
gain.lower_is_better = False

def longest_run(logits, classes):
    longest = run = 0
    for wrong in logits.argmax(1) != classes:
        run = run + 1 if wrong else 0
        longest = max(longest, run)
    return longest
longest_run.lower_is_better = True
longest_run.of = "logits"
longest_run.independent = False

def reward(model):
    rows = pd.DataFrame(np.random.default_rng(7).normal(size=(200, 4)), columns=list("abcd"))
    return float(np.mean((model.predict(rows) == "yes") * (rows["a"] - rows["b"])))
reward.lower_is_better = False
reward.of = "model"

def broken(probs, classes):
    return float("nan")
broken.lower_is_better = True
"""


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    make_few_rows().to_csv(folder / "t.csv", index=False)
    (folder / "m.py").write_text(FILE, encoding="utf-8")
    objectives = 'objectives = ["refined_log_loss", "gain"]\n'
    (folder / "s.toml").write_text(objectives + TWO_BASES, encoding="utf-8")
    (folder / "plain.toml").write_text(TWO_BASES, encoding="utf-8")
    return folder


def searched(folder: Path, name: str, **options: Any) -> SearchResult:
    """Search the table."""
    given = {"space": folder / "s.toml", "trials": 6, "workers": 1, "track": "off", **options}
    return autoloss.search(
        folder / "t.csv", target="y", name=name, out=folder / "reports", refit=False, **given
    )


@pytest.fixture(scope="module")
def result(folder: Path) -> SearchResult:
    names = [f"{folder / 'm.py'}:{name}" for name in ("longest_run", "reward")]
    metric = f"{folder / 'm.py'}:gain"
    return searched(folder, "s", metric=metric, metrics=names, track="all")


def test_every_trial_and_the_report_have_all_metrics(result: SearchResult, folder: Path) -> None:
    summary = result.summary
    ended = [one for one in summary.trials if one.metrics]
    assert len(ended) == 6
    own = ("gain", "longest_run", "reward")
    for trial in ended:
        assert all(math.isfinite(trial.metrics[name]) for name in own)
    assert summary.settings["objectives"] == ["refined_log_loss", "gain"]
    assert (summary.metric, summary.lower_is_better) == ("gain", False)
    compared = {one.metric: one for one in summary.verdict.comparisons}
    assert summary.verdict.primary == "gain"
    for name in ("gain", "longest_run", "reward"):
        assert compared[name].lower_is_better == (name == "longest_run")
        assert compared[name].low <= compared[name].difference <= compared[name].high
        assert all(name in values for values in summary.test_metrics.values())
    page = (folder / "reports" / "s" / "report.md").read_text(encoding="utf-8")
    assert "| Longest run |" in page
    assert "| `reward` |" in page
    html = (folder / "reports" / "s" / "report.html").read_text(encoding="utf-8")
    assert "A custom metric, of the model itself; higher is better." in html


def test_a_metric_of_the_model_is_its_value_for_the_model(
    result: SearchResult, folder: Path
) -> None:
    """Verdicts compare the mean of the training runs, policies the value of the model itself."""
    names: dict[str, Any] = {}
    exec(FILE, names)
    rows = pd.DataFrame(np.random.default_rng(7).normal(size=(200, 4)), columns=list("abcd"))
    decided = result.model.predict(rows) == "yes"
    assert names["reward"](result.model) == pytest.approx(
        float(np.mean(decided * (rows["a"] - rows["b"])))
    )
    shown = searched(folder, "model", metric=names["reward"], metrics={"gain": names["gain"]})
    policy = next(one for one in shown.summary.policies if one.ships)
    assert policy.metric == pytest.approx(names["reward"](shown.model))
    one = next(one for one in shown.summary.verdict.comparisons if one.metric == "reward")
    tuned = next(
        one for one in shown.summary.finalists if one.number == shown.summary.verdict.baseline
    )
    assert one.baseline == pytest.approx(np.mean(tuned.metric))
    assert "by paired training runs" in shown.verdict.text
    with pytest.raises(InputError, match="metric must be given to continue"):
        Study.open(folder / "reports" / "model")


def test_metrics_change_no_trial(result: SearchResult, folder: Path) -> None:
    alone = searched(folder, "alone", space=folder / "plain.toml")
    beside = searched(
        folder, "beside", space=folder / "plain.toml", metrics=f"{folder / 'm.py'}:longest_run"
    )
    own = [
        {**trial.metrics, "longest_run": None} == {**other.metrics, "longest_run": None}
        for trial, other in zip(alone.summary.trials, beside.summary.trials, strict=True)
    ]
    assert all(own)
    assert alone.verdict.text == beside.verdict.text


def test_a_rule_names_the_best_trial_by_a_metric(result: SearchResult, folder: Path) -> None:
    values = {one.number: one.metrics["reward"] for one in result.summary.trials if one.metrics}
    best = max(values, key=lambda number: values[number])
    shown = run("select", folder / "reports" / "s", "--by", "reward", "--dry-run", "--json")
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["trial"]["metrics"]["reward"] == values[best]
    assert found["sentence"] == "The highest reward on the validation rows."
    refused = run("select", folder / "reports" / "s", "--by", "rewrad", "--dry-run")
    assert refused.exit_code == 2
    assert "reward" in refused.stderr


def test_mlflow_shows_them(result: SearchResult) -> None:
    client = mlflow.MlflowClient(mlflow.get_tracking_uri())
    experiment = client.get_experiment_by_name("autoloss")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=500)
    found = [one for one in runs if {"val/gain", "val/longest_run"} <= one.data.metrics.keys()]
    assert len(found) >= 6
    views = [value for value in experiment.tags.values() if "val/longest_run" in value]
    assert any("val/reward" in value for value in views)


def test_a_study_goes_on_with_the_file(result: SearchResult, folder: Path) -> None:
    again = autoloss.resume(folder / "reports" / "s")
    assert plain(again.summary) == plain(result.summary)
    with Study.open(folder / "reports" / "s") as study:
        assert {one.name for one in study.own_metrics} == {"longest_run", "reward", "gain"}
        assert study.metric.name == "gain"
    assert "--metric" in result.summary.command
    assert f"{folder / 'm.py'}:gain" in result.summary.command


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--metric", "{m}:broken"], "must be finite on the held-out rows, but got broken=nan"),
        (["--metrics", "{m}:nothing"], "must name a function of m.py, but it has no 'nothing'"),
        (["--metric", "{m}"], "A metric must be known"),
        (["--metric", "gain"], "A metric must be known, but got metric='gain'"),
        (["--space", "{s}"], "objectives: must be known names, but got 'gain'"),
    ],
)
def test_a_wrong_metric_ends_the_search_before_it_begins(
    folder: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    given = [word.format(m=folder / "m.py", s=folder / "s.toml") for word in words]
    space = [] if "--space" in words else ["--space", folder / "plain.toml"]
    found = run("search", folder / "t.csv", "-t", "y", "--out", tmp_path, *space, *given)
    assert found.exit_code == 2, found.output
    assert message in found.stderr
    assert not any(tmp_path.iterdir())


def test_a_loop_of_ones_own_tells_metrics_of_models(tmp_path: Path) -> None:
    def reward(model: Any) -> float:
        raise AssertionError

    reward.lower_is_better, reward.of = False, "model"  # type: ignore[attr-defined]
    labels = np.arange(60) % 2
    draw = np.random.default_rng(0)
    with Study("loop", [30, 30], trials=4, metric=reward, space="quick", out=tmp_path) as study:
        first = study.ask()
        with pytest.raises(InputError, match="must have 'reward', a metric of the model: tell it"):
            study.tell(first, draw.normal(size=(60, 2)), labels)
        study.tell(first, draw.normal(size=(60, 2)), labels, figures={"reward": 3.0})
        trials = study.ask(3)
        logits = draw.normal(size=(3, 60, 2))
        told = [{"reward": float(k)} for k in range(3)]
        records = study.tell_many(trials, logits, labels, figures=told)
        assert [one.metrics["reward"] for one in records] == [0.0, 1.0, 2.0]
        test = {one.number: draw.normal(size=(50, 2)) for one in study.trials}
        found = study.finish(test, np.arange(50) % 2)
    # Only training runs of autoloss itself are paired, so the usual scores decide.
    assert found.verdict.primary == "log_loss"
    assert found.summary.metric == "reward"
