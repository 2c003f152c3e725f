"""The figures of the models that could ship, from the predictions of a study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import log_loss

from autoloss.readout import MeanTemperature
from benchmarks.ship import markdown, measured, read, refit_rows
from benchmarks.ship_studies import Predicted, known, path_of

F, R, N, C = 2, 4, 1_200, 3


def predicted(seed: int = 0) -> Predicted:
    """Return two finalists of four training runs, each of which holds out half of the rows."""
    draw = np.random.default_rng(seed)

    def said(targets: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        logits = draw.normal(0.0, 1.0, (*shape, len(targets), C))
        logits[..., np.arange(len(targets)), targets] += 1.0
        return log_softmax(logits, -1).astype(np.float32)

    targets, fresh = draw.integers(0, C, N), draw.integers(0, C, N)
    rows = np.concatenate([np.arange(N).reshape(2, -1)[place % 2] for place in range(R)])
    return Predicted(
        numbers=np.array([3, 8]),
        recommended=np.array(3),
        admissible=np.array([3, 8]),
        epochs=np.full((F, R), 5),
        rows=np.array(N),
        seconds=np.array(1.0),
        refit_seconds=np.array(1.0),
        held=said(targets[rows], (F,)),
        held_rows=rows,
        held_targets=targets[rows],
        held_clusters=rows,
        fresh=said(fresh, (F, R)),
        refit=said(fresh, (F, R)),
        targets=fresh,
    )


def test_the_log_loss_is_that_of_the_mean_at_its_temperature() -> None:
    found = predicted()
    own = measured("digits", 0, found)["verdict"]
    temperature = MeanTemperature(own["gain"]).of(R)
    for kind in ("kept", "refit"):
        each = found.fresh if kind == "kept" else found.refit
        mean = np.exp(each[0].astype(float)).mean(0) ** (1.0 / temperature)
        wanted = log_loss(found.targets, mean / mean.sum(-1, keepdims=True), labels=range(C))
        assert own[kind]["log_loss"] == pytest.approx(wanted, rel=1e-9)
        assert own[kind]["temperature"] == temperature


def test_the_temperature_left_is_one_at_the_temperature_of_the_fresh_rows() -> None:
    own = measured("digits", 0, predicted())["blend"]["kept"]
    assert own["left"] * own["temperature"] == pytest.approx(own["left_of_mean"], rel=1e-4)


def test_a_study_that_is_kept_is_measured_alike(tmp_path: Path) -> None:
    for seed in (0, 10):
        predicted(seed).save(path_of(tmp_path, "digits", seed))
    found = list(known(tmp_path, ["digits", "adult"]))
    assert [(name, seed) for name, seed, _ in found] == [("digits", 0), ("digits", 10)]
    assert measured("digits", 10, found[1][2]) == measured("digits", 10, predicted(10))
    assert read(tmp_path / "none.jsonl") == []


def test_the_page_shows_a_refit_that_helps() -> None:
    found = predicted()
    # The last training runs know the truth better.
    better = found.refit.copy()
    better[..., np.arange(N), found.targets] += 1.0
    lines = [measured("digits", 0, replace(found, refit=log_softmax(better, -1)))]
    [row] = refit_rows(lines)
    assert row["refit"] < row["kept"]
    assert row["lower"] == 1
    assert "lower in 1 of 1 searches" in markdown(lines)


def test_a_refit_that_diverged_has_no_figures() -> None:
    found = predicted()
    line = measured("digits", 0, replace(found, refit=np.full_like(found.refit, np.nan)))
    assert "refit" not in line["verdict"]
    assert refit_rows([line]) == []
