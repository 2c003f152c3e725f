"""The mean of calibrated models, and its temperature as a whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.inference.loading import load
from autoloss.readout import MeanTemperature, fit_mean_temperature, fit_temperature, mean_log_probs
from autoloss.readout.whole import TYPICAL_GAIN
from tests.export.models import make_classifier, make_frame

SEVERAL = {
    "losses": ({"base": "cross_entropy"}, {"base": "focal"}, {"base": "brier"}),
    "sources": ("softmax",) * 3,
}


def certain_and_spread(
    n: int, *, members: int, spread: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return log probabilities of members that are each calibrated, and the classes, (R, N, 2).

    The true log odds are normal, and each member sees them with noise of its own: its best
    prediction is the expectation of the true probability, found by quadrature.
    """
    draw = np.random.default_rng(seed)
    truth = draw.normal(0.0, 2.0, n)
    targets = (draw.random(n) < 1.0 / (1.0 + np.exp(-truth))).astype(np.int64)
    noise = draw.normal(0.0, spread, (members, n))
    shrink = 4.0 / (4.0 + spread**2)
    points, weights = np.polynomial.hermite_e.hermegauss(30)
    deviation = np.sqrt(4.0 * (1.0 - shrink))
    odds = shrink * (truth + noise)[..., None] + deviation * points
    probs = (weights / weights.sum() / (1.0 + np.exp(-odds))).sum(-1)
    return np.log(np.stack([1.0 - probs, probs], -1)), targets


def mean_of(log_probs: np.ndarray) -> np.ndarray:
    return mean_log_probs(torch.from_numpy(log_probs)).numpy()


def test_equal_weights_are_the_plain_mean() -> None:
    frame = make_frame(40)
    plain = make_classifier(**SEVERAL).predict_proba(frame)
    assert np.array_equal(
        make_classifier(**SEVERAL, weights=(2, 2, 2)).predict_proba(frame), plain
    )


def test_weights_are_shares_of_the_mean() -> None:
    model, frame = make_classifier(**SEVERAL, weights=(1.0, 2.0, 5.0)), make_frame(40)
    alone = [replace(model, members=(one,)).predict_proba(frame) for one in model.members]
    wanted = np.average(alone, axis=0, weights=(1.0, 2.0, 5.0))
    np.testing.assert_allclose(model.predict_proba(frame), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("log_shares", [None, torch.tensor([0.2, 0.5, 0.3]).double().log()])
def test_members_one_after_the_other_have_the_mean_of_members_together(
    log_shares: torch.Tensor | None,
) -> None:
    log_probs = (30.0 * torch.randn(3, 40, 4, dtype=torch.float64)).log_softmax(-1)
    log_probs[0, :5] = torch.tensor([-torch.inf, 0.0, -torch.inf, -torch.inf])
    log_probs[:, 7] = torch.tensor([-torch.inf, 0.0, -torch.inf, -torch.inf])
    wanted = mean_log_probs(log_probs, log_shares=log_shares)
    found = mean_log_probs(iter(log_probs), log_shares=log_shares)
    torch.testing.assert_close(found, wanted, rtol=1e-14, atol=1e-14)


def test_the_temperature_divides_the_log_probabilities_of_the_mean() -> None:
    model, frame = make_classifier(**SEVERAL), make_frame(40)
    plain = model.predict_proba(frame)
    sharp = replace(model, temperature=0.5).predict_proba(frame)
    squared = plain**2
    np.testing.assert_allclose(sharp, squared / squared.sum(1, keepdims=True), atol=1e-12)


def test_a_saved_model_keeps_weights_and_temperature(tmp_path: Path) -> None:
    model, frame = make_classifier(**SEVERAL, weights=(1, 2, 5), temperature=0.8), make_frame(40)
    again = load(model.save(tmp_path))
    assert np.array_equal(again.predict_proba(frame), model.predict_proba(frame))


@pytest.mark.parametrize(
    ("change", "version"), [({}, 2), ({"temperature": 0.8}, 4), ({"weights": (1, 2, 5)}, 4)]
)
def test_an_older_version_is_told_that_it_cannot_read_the_mean(
    tmp_path: Path, change: dict[str, Any], version: int
) -> None:
    folder = make_classifier(**SEVERAL, **change).save(tmp_path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["format_version"] == version


def test_a_model_of_an_older_version_has_equal_weights_and_no_temperature(tmp_path: Path) -> None:
    model, frame = make_classifier(**SEVERAL), make_frame(40)
    config = json.loads((model.save(tmp_path) / "config.json").read_text(encoding="utf-8"))
    del config["temperature"]
    for member in config["members"]:
        del member["weight"]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert np.array_equal(load(tmp_path).predict_proba(frame), model.predict_proba(frame))


@pytest.mark.parametrize(("key", "value"), [("temperature", 0.0), ("weight", -1.0)])
def test_a_temperature_and_a_weight_must_be_positive(tmp_path: Path, key: str, value) -> None:
    config = json.loads((make_classifier().save(tmp_path) / "config.json").read_text("utf-8"))
    (config if key == "temperature" else config["members"][0])[key] = value
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match=key):
        load(tmp_path)


def fit(log_probs: np.ndarray, targets: np.ndarray, **options: Any) -> MeanTemperature:
    """Fit the temperature to training runs ``(R, N, C)`` that held out all rows."""
    place = np.tile(np.arange(len(targets)), len(log_probs))
    return fit_mean_temperature(
        np.concatenate(log_probs), mean_of(log_probs), targets, place, **options
    )


def level(log_probs: np.ndarray, targets: np.ndarray) -> float:
    """Return the temperature with the lowest log loss."""
    found = fit_temperature(torch.from_numpy(log_probs)[None], torch.from_numpy(targets))
    return 1.0 / found.exp().item()


def test_pairs_tell_the_temperature_of_a_mean_of_many() -> None:
    # Calibrated members with noise of their own: more of them are more certain.
    log_probs, targets = certain_and_spread(60_000, members=10, spread=1.0)
    found = fit(log_probs[:2], targets).of(10)
    wanted = level(mean_of(log_probs), targets)
    assert wanted < 0.8
    assert found == pytest.approx(wanted, rel=0.03)


def test_the_temperature_of_pairs_is_that_of_their_mean_relative_to_one() -> None:
    log_probs, targets = certain_and_spread(20_000, members=2, spread=1.5)
    found = fit(log_probs, targets).of(2)
    alone = level(np.concatenate(log_probs), np.tile(targets, 2))
    assert found == pytest.approx(level(mean_of(log_probs), targets) / alone, rel=0.005)


@pytest.mark.parametrize("luck", [0.8, 1.25])
def test_rows_that_are_harder_than_all_predictions_say_do_not_move_the_temperature(
    luck: float,
) -> None:
    log_probs, _ = certain_and_spread(40_000, members=2, spread=1.0)
    mean, draw = mean_of(log_probs), np.random.default_rng(1).random(40_000)

    def drawn(temperature: float) -> np.ndarray:
        odds = (mean[:, 1] - mean[:, 0]) / temperature
        return (draw < 1.0 / (1.0 + np.exp(-odds))).astype(np.int64)

    assert level(mean, drawn(luck)) == pytest.approx(luck, rel=0.02)
    wanted = fit(log_probs, drawn(1.0)).of(10)
    assert fit(log_probs, drawn(luck)).of(10) == pytest.approx(wanted, rel=0.05)


def test_rows_that_one_training_held_out_decide_nothing() -> None:
    log_probs, targets = certain_and_spread(500, members=1, spread=1.0)
    found = fit(log_probs * 3.0, targets)
    assert found == MeanTemperature(TYPICAL_GAIN)
    assert found.of(1) == 1.0


@pytest.mark.parametrize("odds", [0.5, 3.0, 12.0])
def test_few_rows_hardly_move_the_temperature(odds: float) -> None:
    # All predictions are right, so that single training runs and their means could be ever more
    # sure.
    one = np.log(1.0 / (1.0 + np.exp([odds, -odds])))
    found = fit(np.tile(one, (2, 20, 1)), np.ones(20, dtype=np.int64))
    assert found.gain == pytest.approx(TYPICAL_GAIN, abs=0.1)
    assert found.gain >= -0.001


def test_each_row_gets_the_temperature_of_its_number_of_training_runs() -> None:
    rows = np.log(np.array([[0.7, 0.3], [0.7, 0.3]]))
    found = np.exp(MeanTemperature(gain=0.4).calibrated(rows, np.array([1, 2])))
    sharp = 0.7 ** (1.0 / 0.8), 0.3 ** (1.0 / 0.8)
    np.testing.assert_allclose(found, [[0.7, 0.3], np.array(sharp) / sum(sharp)], rtol=1e-12)


@pytest.mark.parametrize("counts", [(2, 2), (1, 4)])
def test_many_rows_of_no_and_yes_have_the_temperature_of_the_rows(
    counts: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    members, targets = certain_and_spread(4000, members=4, spread=1.2)
    first = np.arange(4000) < 2000
    # Some rows were held out by more training runs than others.
    held = [(first & (place < counts[0])) | (~first & (place < counts[1])) for place in range(4)]
    single = np.concatenate([one[own] for one, own in zip(members, held, strict=True)])
    place = np.concatenate([np.flatnonzero(own) for own in held])
    weights = np.stack(held)[..., None]
    mean = np.log((np.exp(members) * weights).sum(0) / weights.sum(0))
    every = fit_mean_temperature(single, mean, targets, place)
    monkeypatch.setattr("autoloss.readout.whole._EVERY", 100)
    summed = fit_mean_temperature(single, mean, targets, place)
    assert summed.gain == pytest.approx(every.gain, abs=1e-3)
    assert every.gain != TYPICAL_GAIN
    with_parts = fit_mean_temperature(
        single, mean, targets, place, parts=[single, single * 0.9], weights=[0.5, 0.5]
    )
    monkeypatch.undo()
    exact = fit_mean_temperature(
        single, mean, targets, place, parts=[single, single * 0.9], weights=[0.5, 0.5]
    )
    assert with_parts.start == pytest.approx(exact.start, abs=1e-3)
