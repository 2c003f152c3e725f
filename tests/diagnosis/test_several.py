"""The diagnosis of several labels a row: each known label counts as a row of yes and no."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from autoloss.cli import app
from autoloss.core.errors import InputError
from autoloss.diagnosis.run import diagnose
from autoloss.report.diagnosis import render_diagnosis
from tests.export.models import make_classifier, make_frame

N, NAMES = 300, ("calm", "sad", "loud")


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and labels that were drawn from them, a sixth of them missing."""
    chance = np.random.default_rng(seed)
    logits = chance.normal([0.5, -1.0, -2.0], 1.5, size=(N, 3))
    labels = (chance.random((N, 3)) < 1 / (1 + np.exp(-logits))).astype(float)
    labels[chance.random((N, 3)) < 1 / 6] = np.nan
    return logits, labels


def test_labels_are_diagnosed_as_the_rows_of_a_binary_model() -> None:
    logits, labels = drawn()
    known = ~np.isnan(labels)
    found = diagnose(logits, labels, classes=NAMES)
    alone = diagnose(logits[known], labels[known].astype(int))
    assert (found.rows, found.labels) == (known.sum(), NAMES)
    for name in ("error", "log_loss", "bits", "saturation"):
        assert getattr(found, name) == getattr(alone, name)
    for name in ("ece", "smooth", "debiased"):
        own, other = (getattr(one.calibration, name) for one in (found, alone))
        assert own.value == other.value
        # Labels that are independent have the chance level of rows.
        assert own.null == pytest.approx(other.null, rel=0.25, abs=2e-4)
    for place, row in enumerate(found.class_rows):
        own = known[:, place]
        assert row.name == NAMES[place]
        assert row.rows == np.nansum(labels[:, place])
        assert row.share == pytest.approx(labels[own, place].mean())
        probs = 1 / (1 + np.exp(-logits[own, place]))
        assert row.predicted == pytest.approx(probs.mean())
        assert row.error == pytest.approx((probs < 0.5)[labels[own, place] == 1].mean())
    assert sum(row.gradient[0] for row in found.class_rows) == pytest.approx(1.0)
    for one in found.suspects.worst:
        name, _, given = one.given.partition(": ")
        assert labels[one.row, NAMES.index(name)] == (given == "yes")


def test_equal_labels_of_a_row_tell_no_more_than_one() -> None:
    chance = np.random.default_rng(2)
    logits = chance.normal(-0.5, 1.5, size=(2000, 1))
    labels = (chance.random((2000, 1)) < 1 / (1 + np.exp(-logits))).astype(int)
    labels[:300] = 1 - labels[:300]
    alone = diagnose(logits[:, 0], labels[:, 0])
    found = diagnose(np.repeat(logits, 9, 1), np.repeat(labels, 9, 1))
    for name in ("ece", "smooth"):
        own, other = (getattr(one.calibration, name) for one in (found, alone))
        assert own.value == pytest.approx(other.value, rel=0.05)
        assert own.null == pytest.approx(other.null, rel=0.25)
    own, other = found.readouts[1], alone.readouts[1]
    assert own.has_temperature
    assert own.gain == pytest.approx(other.gain, abs=3e-3)
    assert own.high - own.low == pytest.approx(other.high - other.low, rel=0.25)


def test_probabilities_are_those_of_yes() -> None:
    logits, labels = drawn()
    probs = 1 / (1 + np.exp(-logits))
    found, same = diagnose(probs, labels, kind="probabilities"), diagnose(logits, labels)
    assert found.log_loss == pytest.approx(same.log_loss)
    weights = np.arange(1.0, N + 1)
    one = diagnose(logits, labels, weights=weights)
    alone = diagnose(logits[:, 0], np.nan_to_num(labels[:, 0]), weights=weights)
    assert one.effective_rows < one.rows
    assert alone.labels == ()


def test_one_hot_labels_are_no_several_labels() -> None:
    logits, _ = drawn()
    with pytest.raises(InputError, match=r"labels.argmax\(1\)"):
        diagnose(logits, np.eye(3)[np.arange(N) % 3])


def test_wrong_labels_and_losses_are_refused() -> None:
    logits, labels = drawn()
    with pytest.raises(InputError, match=r"labels\[0, 1\]=2"):
        diagnose(logits, np.where(np.arange(3) == 1, 2.0, labels))
    loss = {"base": "cross_entropy", "prior": "class_weight", "class_weight.power": 1.0}
    with pytest.raises(InputError, match="without a prior for several labels"):
        diagnose(logits, labels, loss=loss)


def test_saved_logits_and_a_model_are_diagnosed_by_the_command(tmp_path: Path) -> None:
    logits, labels = drawn()
    labels = np.where(np.isnan(labels), -1, labels).astype(int)
    np.savez(tmp_path / "val.npz", logits=logits, labels=labels, classes=np.array(NAMES))
    told = CliRunner().invoke(app, ["diagnose", "--logits", str(tmp_path / "val.npz")])
    assert told.exit_code == 0, told.output
    assert "known labels, 3 a row" in told.output
    page = render_diagnosis(diagnose(logits, labels, classes=NAMES))
    assert "<h2>Frequencies</h2>" in page
    frame = make_frame()[["size", "colour"]]
    make_classifier(frame, labels=(*NAMES[:2], "never")).save(tmp_path / "model")
    chance = np.random.default_rng(1)
    for name in (*NAMES[:2], "never"):
        frame[name] = chance.integers(0, 2, len(frame))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    told = CliRunner().invoke(
        app, ["diagnose", str(tmp_path / "model"), str(tmp_path / "rows.csv")]
    )
    assert told.exit_code == 0, told.output
    assert "720 known labels, 3 a row" in told.output
