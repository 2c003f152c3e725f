"""Scores that rank the classes in reverse, and scores without information."""

from __future__ import annotations

import numpy as np
import pytest

from autoloss import diagnose
from autoloss.report.diagnosis_words import findings, headline, readout_rows
from tests.diagnosis.cases import drawn, probabilities

WRONG_WAY = "The scores rank the classes in reverse"


def words(found) -> str:
    """Return all that is said of a diagnosis."""
    rows = [cell for row in readout_rows(found) for cell in row]
    return " ".join([headline(found), *(one.text for one in findings(found)), *rows])


def anticorrelated():
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 3, 200)
    return -(np.eye(3)[labels] * 3 + chance.normal(size=(200, 3))), labels


def rare_and_inverted():
    """Return log odds of a rare class, by which it is never decided for."""
    chance = np.random.default_rng(1)
    labels = (chance.random(2000) < 0.05).astype(int)
    odds = -4.0 - 1.0 * labels + 0.5 * chance.normal(size=2000)
    return np.stack([np.zeros(2000), odds], 1), labels


def in_another_order():
    logits, labels = drawn(1000)
    return logits[:, [1, 2, 3, 0]], labels


@pytest.mark.parametrize("made", [anticorrelated, rare_and_inverted, in_another_order])
def test_inverted_scores_are_called_inverted(made) -> None:
    found = diagnose(*made())
    assert found.is_inverted
    assert headline(found).startswith(WRONG_WAY)
    (readout,) = (one for one in findings(found) if one.subject == "Read-out")
    assert readout.is_problem
    assert "inverted" in readout.text
    assert "sign of the scores and the order of the classes" in readout.text
    assert not any(row.temperature > 1000 and not row.is_flat for row in found.readouts)
    # No figure of a million is a temperature.
    assert ",000" not in words(found).replace("2,000", "").replace("1,000", "")


def far_off_on_a_few():
    """Return scores that are right on most rows and out by far on one in twenty."""
    labels = np.arange(400) % 3
    logits = 3.0 * np.eye(3)[labels]
    logits[::20] *= -100.0
    return logits, labels


def of_one_class():
    return np.tile([2.0, 0.0, 0.0], (600, 1)), np.arange(600) % 3


@pytest.mark.parametrize("made", [drawn, far_off_on_a_few, of_one_class])
def test_scores_that_are_right_or_empty_are_not_inverted(made) -> None:
    found = diagnose(*made())
    assert not found.is_inverted
    assert WRONG_WAY not in words(found)


def test_noise_is_seldom_called_inverted() -> None:
    chance = np.random.default_rng(3)
    found = [diagnose(chance.normal(size=(300, 3)), chance.integers(0, 3, 300)) for _ in range(10)]
    assert not any(one.is_inverted for one in found)


def test_empty_scores_get_a_sentence_and_no_temperature() -> None:
    chance = np.random.default_rng(4)
    labels = chance.integers(0, 3, 3000)
    found = diagnose(4.0 * chance.normal(size=(3000, 3)), labels)
    flat = [row for row in found.readouts if row.has_temperature]
    text = words(found)
    assert all(row.is_flat or row.temperature < 1000 for row in flat)
    assert "million" not in text
    assert all(len(cell) < 12 for row in readout_rows(found) for cell in row[1:4])
    if found.readouts[found.best].is_flat:
        assert "carry no information on the class" in headline(found)


def test_a_large_temperature_of_large_scores_is_reported() -> None:
    logits, labels = drawn(3000)
    found = diagnose(1e6 * logits, labels)
    row = found.readouts[1]
    assert not row.is_flat
    assert row.temperature == pytest.approx(1e6, rel=0.1)


def test_weights_count() -> None:
    logits, labels = drawn(600)
    both = np.concatenate([logits, -3.0 * logits])
    twice = np.concatenate([labels, labels])
    weights = np.repeat([1.0, 0.0], 600)
    assert not diagnose(both, twice, weights=weights).is_inverted
    assert diagnose(both, twice, weights=1.0 - weights).is_inverted
    given = probabilities(logits)
    assert not diagnose(given, labels, kind="probabilities").is_inverted
