"""A search over some more rows with a locked part: folds, fresh training runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import log_loss

import autoloss
from autoloss.search import Study
from autoloss.training.divisions import Divisions
from tests.spaces import PROTOCOL, SETTINGS, SMALL

N_ROWS = 1200


def make_frame(n_rows: int, *, offset: float, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return rows of a logistic model, and the true probability of its positive class."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(n_rows, 3))
    chance = 1 / (1 + np.exp(-(1.5 * values[:, 0] - values[:, 1] + offset)))
    table = pd.DataFrame(values, columns=list("abc"))
    return table.assign(y=np.where(draw.random(n_rows) < chance, "yes", "no")), chance


def search(
    data: pd.DataFrame, out: Path, space: str, *, name: str = "s", **given: Any
) -> autoloss.SearchResult:
    path = out / "space.toml"
    path.write_text(space, encoding="utf-8")
    return autoloss.search(data, "y", space=path, name=name, out=out, track="off", **given)


def test_every_row_that_is_not_locked_is_held_out_once(tmp_path: Path) -> None:
    frame, _ = make_frame(N_ROWS, offset=0.0)
    space = f'bases = ["cross_entropy", "focal"]{SETTINGS}'
    result = search(frame, tmp_path, space, trials=12, lock=True)
    summary = result.summary
    assert summary.resampling is not None
    assert (summary.resampling.kind, summary.resampling.folds) == ("cross_validation", 5)
    assert (summary.resampling.verdict, summary.resampling.outer) == ("locked", 0)
    n_test = summary.data.n_test
    assert 0.1 * N_ROWS < n_test < 0.3 * N_ROWS
    assert summary.verdict.n_test == n_test
    assert len(summary.settings["test_sha256"]) == 64
    with Study.open("s", out=tmp_path) as study:
        rows = study.examples.load_clusters()
        targets = study.examples.load_targets()
        held = study.examples.load(trial.number for trial in summary.trials)
    # The rows of the folds and no other: each once, with its own class.
    assert rows is None or len(set(rows.tolist())) == len(rows)
    assert targets is not None
    assert len(targets) == N_ROWS - n_test
    assert {len(one.log_loss) for one in held.values()} == {N_ROWS - n_test}
    counts = np.array(summary.data.class_counts)
    locked = counts - np.bincount(targets)
    assert locked.sum() == n_test
    np.testing.assert_allclose(locked / counts, 0.2, atol=0.01)
    # Finalists were trained again; the shipped model is the mean of these.
    assert {len(one.metric) for one in summary.finalists} == {5}
    assert {"default cross-entropy", "tuned cross-entropy"} <= {
        reason for one in summary.finalists for reason in one.reasons
    }
    assert result.model is not None
    assert summary.refit is not None
    [ships] = [one for one in summary.policies if one.ships]
    # A last training run may have fewer members where it would take long, but three at least in
    # all.
    each, rest = divmod(len(result.model.members), len(ships.numbers))
    assert rest == 0
    assert each <= 5 if summary.refit.is_done else each == 5
    assert len(result.model.members) >= 3


def test_the_labels_of_the_locked_rows_decide_nothing_but_the_verdict(tmp_path: Path) -> None:
    frame, _ = make_frame(500, offset=0.0)
    rest, test = frame.iloc[:350], frame.iloc[350:]
    permuted = test.assign(y=np.random.default_rng(5).permutation(test["y"]))
    space = SMALL.replace("folds = 1", "folds = 5")
    one = search(rest, tmp_path, space, trials=18, name="one", test=test).summary
    other = search(rest, tmp_path, space, trials=18, name="other", test=permuted).summary
    for first, second in zip(one.trials, other.trials, strict=True):
        assert (first.loss, first.nuisance) == (second.loss, second.nuisance)
        assert first.metrics == second.metrics
        assert first.readout == second.readout
    # Written out, because a number may be NaN.
    assert repr(one.finalists) == repr(other.finalists)
    assert repr(one.optimism) == repr(other.optimism)
    assert one.edges == other.edges
    assert one.pareto == other.pareto
    assert one.rule == other.rule
    assert one.verdict.challenger == other.verdict.challenger
    assert one.verdict.baseline == other.verdict.baseline
    # They do decide the verdict: labels that mean nothing are predicted worse.
    losses = [s.test_metrics["cross-entropy"]["log_loss"] for s in (one, other)]
    assert losses[0] < losses[1] - 0.1


def test_fewer_negatives_train_the_search_and_the_prior_is_true_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, _ = make_frame(3000, offset=-3.5)
    fresh, fresh_chance = make_frame(20_000, offset=-3.5, seed=1)
    prior = np.mean(frame["y"] == "yes")
    assert 0.03 < prior < 0.12
    made: list[Divisions] = []
    of = Divisions.of

    def kept(*given: Any, **more: Any) -> Divisions:
        made.append(of(*given, **more))
        return made[-1]

    monkeypatch.setattr(Divisions, "of", kept)
    settings = SETTINGS.replace("max_epochs = 4", "max_epochs = 12")
    space = f'bases = ["cross_entropy"]{settings}{PROTOCOL}negatives = 3\n'
    result = search(frame, tmp_path, space, trials=6)
    searched, again = (divisions.jobs[0] for divisions in made)
    counts = torch.bincount(searched.train.targets)
    assert counts[0] == 3 * counts[1]
    n_train = result.summary.data.n_train
    assert len(searched.train) < 0.5 * n_train
    assert len(again.train) == pytest.approx(n_train, abs=2)
    # Trials are compared by probabilities of the true prior, while they train and at the end.
    for trial in result.summary.trials:
        refined = [point.refined_log_loss for point in trial.curve]
        assert refined[-1] == pytest.approx(min(refined), abs=0.015)
        assert trial.metrics["refined_log_loss"] == pytest.approx(min(refined), abs=0.015)
    # The shipped model says how many positives there are, and is nearly as good as the truth.
    assert result.model is not None
    column = result.model.classes.tolist().index("yes")
    probs = result.model.predict_proba(fresh)[:, column]
    assert probs.mean() == pytest.approx(fresh_chance.mean(), abs=0.02)
    best = log_loss(fresh["y"] == "yes", fresh_chance)
    base = np.mean(fresh["y"] == "yes")
    blind = log_loss(fresh["y"] == "yes", np.full(len(fresh), base))
    assert best <= log_loss(fresh["y"] == "yes", probs) < 0.5 * (best + blind)
