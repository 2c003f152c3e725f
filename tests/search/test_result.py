from __future__ import annotations

import math
from dataclasses import fields, replace
from types import SimpleNamespace

import pandas as pd
import pytest

from autoloss.core.errors import InputError
from autoloss.losses import LossSpec
from autoloss.readout import Readout
from autoloss.records import DataSummary, Finalist, Gain, Summary, TrialRecord, Verdict
from autoloss.search.result import SearchResult, leaderboard, trials_table


def trial(number, loss, error, log_loss, calibration, state="complete"):
    metrics = {
        "error": error,
        "refined_log_loss": log_loss,
        "debiased_calibration_error": calibration,
    }
    return TrialRecord(
        number=number,
        state=state,
        loss=loss,
        nuisance={"lr": 0.01, "dropout": 0.1 * number},
        metrics=metrics,
        readout="softmax+temperature",
        seconds=2.5,
        origin="default",
    )


TRIALS = (
    trial(0, {"base": "cross_entropy"}, 0.20, 0.50, 0.004),
    trial(1, {"base": "focal", "focal.gamma": 2.0}, 0.18, 0.48, 0.003),
    trial(2, {"base": "brier"}, 0.17, 0.49, 0.002),
    trial(3, {"base": "brier"}, 0.69, 1.10, -0.001),
    trial(4, {"base": "poly1", "poly1.epsilon": 1.0}, 0.01, 0.01, 0.0, state="diverged"),
    TrialRecord(number=5, state="failed", loss={"base": "cross_entropy"}, nuisance={}),
)
TEXT = "focal gamma=2 has less error: it beats tuned cross-entropy."


def summary(**changes):
    data = DataSummary("toy.csv", "y", "binary", ("no", "yes"), (60, 40), 60, 20, 20)
    verdict = Verdict("better", TEXT, (), n_test=20, challenger=1, baseline=0, detectable=0.3)
    made = Summary(
        schema_version=1,
        name="toy",
        created="2025-01-01T00:00:00Z",
        version="0.1.0",
        command="autoloss search toy.csv --target y",
        metric="error",
        lower_is_better=True,
        data=data,
        settings={},
        trials=TRIALS,
        pareto=(2, 1),
        verdict=verdict,
        recommended=1,
        rule="the rule",
        test_metrics={},
    )
    return replace(made, **changes)


def test_recommended_challenger_and_winner_are_specs():
    result = SearchResult(summary())
    focal = LossSpec.from_dict({"base": "focal", "focal.gamma": 2.0})
    assert result.recommended == result.winner == result.challenger == focal
    assert result.verdict.decision == "better"
    held = SearchResult(summary(recommended=0))
    assert held.recommended == LossSpec("cross_entropy")
    assert held.challenger == focal


def test_gains_are_a_row_a_step() -> None:
    steps = (
        Gain("default cross-entropy", "as the literature sets it", 0.3, 0.6),
        Gain("tuned", "learning rate", 0.2, 0.5, -0.1, -0.15, -0.05, -0.1, -0.2, 0.0),
    )
    table = SearchResult(summary(gains=steps)).gains
    assert list(table.columns) == [field.name for field in fields(Gain)]
    assert table["step"].tolist() == ["default cross-entropy", "tuned"]
    assert table["metric_change"].tolist()[1] == -0.1
    assert math.isnan(table["metric_change"].tolist()[0])


def test_finalists_are_a_row_each_with_the_means_of_their_training_runs() -> None:
    finalists = (
        Finalist(1, ("best of focal", "lowest error"), (0.1, 0.3), (0.4, 0.5), -0.1, -0.3, 0.1),
        Finalist(0, ("tuned cross-entropy",), (0.2, 0.4), (0.5, 0.7)),
    )
    table = SearchResult(summary(finalists=finalists)).finalists
    assert table["loss"].tolist() == ["focal gamma=2", "cross_entropy"]
    assert table["reasons"].tolist() == ["best of focal, lowest error", "tuned cross-entropy"]
    assert table["metric"].tolist() == pytest.approx([0.2, 0.3])
    assert table["log_loss"].tolist() == pytest.approx([0.45, 0.6])
    assert table["low"].tolist()[0] == -0.3
    assert {field.name for field in fields(Finalist)} <= set(table.columns)


def test_without_finalists_and_gains_the_tables_are_empty_and_have_their_columns() -> None:
    result = SearchResult(summary())
    assert result.gains.empty
    assert result.finalists.empty
    assert "chance_best" in result.finalists
    assert "metric_change" in result.gains


def test_the_code_of_the_shipped_loss_has_the_median_read_out_of_its_training_runs() -> None:
    spec = LossSpec.from_dict(TRIALS[1].loss)
    readouts = [
        Readout(source, beta, 0.001, spec)
        for source, beta in [("softmax", 0.9), ("link", 0.1), ("softmax", 0.5), ("softmax", 0.7)]
    ]
    model = SimpleNamespace(members=[SimpleNamespace(readout=one) for one in readouts])
    result = SearchResult(summary(), model=model)
    ships = result.recommended.tuned
    assert (ships.readout, ships.inverse_temperature, ships.mix) == ("softmax", 0.7, 0.001)
    # No other trial has the read-outs of the shipped model.
    assert result.select(by=0).tuned.inverse_temperature == 1.0


@pytest.mark.parametrize(
    ("by", "number"), [("error", 2), ("log_loss", 1), ("calibration", 2), (0, 0), (4, 4)]
)
def test_each_rule_names_its_trial(by, number):
    expected = LossSpec.from_dict(TRIALS[number].loss)
    assert SearchResult(summary()).select(by=by) == expected


def test_the_studys_metric_is_a_rule_with_its_direction():
    ranked = [replace(t, metrics=t.metrics | {"auroc": 0.1 * t.number}) for t in TRIALS[:4]]
    result = SearchResult(summary(metric="auroc", lower_is_better=False, trials=tuple(ranked)))
    assert result.select(by="auroc").base == "brier"
    falling = SearchResult(summary(metric="auroc", lower_is_better=True, trials=tuple(ranked)))
    assert falling.select(by="auroc").base == "cross_entropy"


def test_an_unknown_rule_names_the_closest():
    with pytest.raises(InputError, match="by='log_los', did you mean 'log_loss'"):
        SearchResult(summary()).select(by="log_los")


def test_an_unknown_trial_is_named():
    with pytest.raises(InputError, match="number=99"):
        SearchResult(summary()).select(by=99)


def test_a_rule_without_its_metric_is_said():
    bare = tuple(replace(t, metrics={}) for t in TRIALS)
    with pytest.raises(InputError, match="no debiased_calibration_error"):
        SearchResult(summary(trials=bare)).select(by="calibration")


def test_trials_are_one_row_each_with_the_dotted_keys():
    table = SearchResult(summary()).trials
    assert table["number"].tolist() == [0, 1, 2, 3, 4, 5]
    assert table["state"].tolist()[-2:] == ["diverged", "failed"]
    assert list(table.columns) == [
        "number",
        "state",
        "loss.base",
        "loss.focal.gamma",
        "loss.poly1.epsilon",
        "nuisance.lr",
        "nuisance.dropout",
        "error",
        "refined_log_loss",
        "debiased_calibration_error",
        "readout",
        "seconds",
        "origin",
    ]
    for number, row in table.iterrows():
        loss = {
            key.removeprefix("loss."): value
            for key, value in row.items()
            if key.startswith("loss.") and pd.notna(value)
        }
        assert loss == TRIALS[number].loss
    assert pd.isna(table.loc[5, "error"])


def test_a_study_without_trials_has_an_empty_table():
    assert trials_table([]).empty


def test_pareto_is_the_front_with_the_best_metric_first():
    assert SearchResult(summary()).pareto["number"].tolist() == [2, 1]
    assert SearchResult(summary(pareto=(1, 2))).pareto["number"].tolist() == [2, 1]


def test_the_leaderboard_ranks_by_log_loss_and_names_the_roles():
    table = leaderboard(summary())
    assert table.index.name == "rank"
    assert table["number"].tolist() == [1, 2, 0, 3]
    assert table["loss"].tolist()[0] == "focal gamma=2"
    assert table["role"].tolist() == [
        "recommended, challenger, front",
        "front",
        "tuned cross-entropy",
        "",
    ]


def test_leaderboard_always_has_the_two_of_the_verdict():
    table = leaderboard(summary(), n=1)
    assert table["number"].tolist() == [1, 0]
    assert table.index.tolist() == [1, 3]


def test_the_representation_has_the_verdict_and_the_winner():
    shown = repr(SearchResult(summary()))
    assert TEXT in shown
    assert "focal gamma=2 (trial 1)" in shown
    assert "trained elsewhere" in shown


def test_a_study_trained_elsewhere_has_no_model():
    assert SearchResult(summary()).model is None


def test_report_writes_its_files(tmp_path):
    paths = SearchResult(summary()).report(tmp_path / "toy")
    names = {path.name for path in paths}
    assert names == {"report.html", "report.md", "summary.json", "trials.csv"}
    assert TEXT in (tmp_path / "toy" / "report.md").read_text(encoding="utf-8")
