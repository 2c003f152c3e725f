"""Out-of-distribution (OOD) rows in a diagnosis of saved predictions, and of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from autoloss.cli.app import app
from autoloss.core.errors import InputError
from autoloss.diagnosis.model import diagnose_model
from autoloss.diagnosis.run import diagnose
from autoloss.report import render_diagnosis
from autoloss.report.ood import summary_text
from tests.export.models import make_classifier, make_frame

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(4, size=600)
KNOWN = RANDOM.normal(size=(600, 4)) + 4 * np.eye(4)[LABELS]
STRANGE = RANDOM.normal(size=(200, 4))


def test_every_score_has_its_area_and_an_interval_around_it() -> None:
    found = diagnose(KNOWN, LABELS, ood=STRANGE).strangers
    assert found is not None
    assert (found.known, found.rows) == (600, 200)
    assert [one.name for one in found.scores] == [
        "max_probability", "entropy", "energy", "max_logit", "class_distance",
    ]  # fmt: skip
    every = np.r_[KNOWN, STRANGE]
    is_strange = np.r_[np.zeros(600), np.ones(200)]
    probs = torch.tensor(every).softmax(-1).amax(-1).numpy()
    assert found.scores[0].auroc.value == pytest.approx(roc_auc_score(is_strange, -probs))
    assert found.scores[3].auroc.value == pytest.approx(roc_auc_score(is_strange, -every.max(1)))
    for one in found.scores:
        for figure in (one.auroc, one.average_precision, one.false_acceptance):
            assert figure.low < figure.value < figure.high
            assert figure.high - figure.low < 0.3
    for curve in found.curves:
        at_one = curve.auroc[found.temperatures.index(1.0)]
        score = next(one for one in found.scores if one.name == curve.name)
        assert at_one == pytest.approx(score.auroc.value)
        assert curve.auroc[found.temperatures.index(curve.best)] == max(curve.auroc)


def test_ood_rows_like_the_rows_are_told_from_them_by_chance() -> None:
    found = diagnose(KNOWN[:400], LABELS[:400], ood=KNOWN[400:]).strangers
    assert found is not None
    assert all(one.auroc.low < 0.5 < one.auroc.high for one in found.scores)
    assert all(curve.gain.low <= 0 for curve in found.curves)
    assert "No score separates the 200 OOD rows from the 400 in-distribution rows" in summary_text(
        found
    )
    assert "no evidence" in summary_text(found)


def test_a_temperature_that_helps_is_said_to_help() -> None:
    # In-distribution rows are undecided between two classes that both stand out; OOD rows lead by
    # a little.
    random = np.random.default_rng(1)
    known = random.normal(0.0, 0.1, size=(400, 4)) + np.array([4.0, 3.9, -9.0, -9.0])
    strange = random.normal(0.0, 0.1, size=(300, 4)) + np.array([1.0, -0.5, -0.5, -0.5])
    labels = random.integers(2, size=400)
    found = diagnose(known, labels, ood=strange).strangers
    assert found is not None
    curve = found.curves[0]
    assert curve.name == "max_probability"
    assert curve.best > 1.0
    assert curve.helps
    assert "helps the maximum probability" in summary_text(found)
    page = render_diagnosis(diagnose(known, labels, ood=strange))
    assert 'id="strangers"' in page
    assert "AUROC of maximum probability and energy over the temperature" in page
    assert 'id="strangers"' not in render_diagnosis(diagnose(known, labels))


def test_probabilities_have_the_scores_that_need_no_logits() -> None:
    probs, strange = (torch.tensor(one).softmax(-1).numpy() for one in (KNOWN, STRANGE))
    found = diagnose(probs, LABELS, kind="probabilities", ood=strange).strangers
    logits = diagnose(KNOWN, LABELS, ood=STRANGE).strangers
    assert found is not None
    assert logits is not None
    assert [one.name for one in found.scores] == ["max_probability", "entropy"]
    assert found.scores[0].auroc.value == pytest.approx(logits.scores[0].auroc.value)
    assert not found.curves


def test_a_model_scores_ood_rows_by_its_own_training_runs() -> None:
    frame = make_frame()
    labels = np.where(np.random.default_rng(0).random(len(frame)) < 0.4, "yes", "no")
    classifier = make_classifier(frame)
    known, strange = frame.assign(churned=labels), frame.iloc[:40]
    found = diagnose_model(classifier, known, ood=strange).strangers
    assert found is not None
    assert (found.known, found.rows) == (len(frame), 40)
    logits = classifier.logits(frame).double()
    scores = -logits.amax(-1).mean(0).numpy()
    area = roc_auc_score(np.r_[np.zeros(len(frame)), np.ones(40)], np.r_[scores, scores[:40]])
    assert found.scores[3].auroc.value == pytest.approx(area)
    with pytest.raises(InputError, match="column"):
        diagnose_model(classifier, known, ood=strange.iloc[:, :1])


def test_the_command_reads_ood_rows_beside_saved_logits(tmp_path: Path) -> None:
    np.savez(tmp_path / "known.npz", logits=KNOWN, labels=LABELS)
    np.savez(tmp_path / "strange.npz", logits=STRANGE)
    page = tmp_path / "page.html"
    words = ["diagnose", "--logits", str(tmp_path / "known.npz"), "-o", str(page)]
    done = CliRunner().invoke(
        app, [*words, "--ood", str(tmp_path / "strange.npz")], env={"COLUMNS": "160"}
    )
    assert done.exit_code == 0, done.output
    assert "OOD rows" in done.output
    assert "Distance to the class means" in done.output
    assert 'id="strangers"' in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("logits", "labels", "ood", "message"),
    [
        (KNOWN, LABELS, STRANGE[:5], "at least 20, but are 5"),
        (KNOWN, LABELS, STRANGE[:, :3], "scores of 4 classes, but have 3"),
        (KNOWN, LABELS, np.full((30, 4), np.nan), "ood: logits must be finite"),
        (KNOWN, (KNOWN > 2).astype(int), STRANGE, "several labels or are sequences"),
        (KNOWN.reshape(60, 10, 4), LABELS.reshape(60, 10), STRANGE, "are sequences"),
    ],
)
def test_unsuitable_ood_rows_are_refused(logits, labels, ood, message: str) -> None:
    with pytest.raises(InputError, match=message):
        diagnose(logits, labels, ood=ood)


def test_a_file_of_ood_rows_needs_the_key_of_the_other_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "known.npz", logits=KNOWN, labels=LABELS)
    np.savez(tmp_path / "strange.npz", probs=STRANGE)
    words = ["diagnose", "--logits", str(tmp_path / "known.npz"), "--ood"]
    for file, message in (("strange.npz", "key 'logits'"), ("none.npz", "--ood must name a file")):
        done = CliRunner().invoke(app, [*words, str(tmp_path / file)])
        assert done.exit_code == 2
        assert message in " ".join((done.output + str(done.exception)).split())
