"""Diagnosis of a model of autoloss on labelled rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from autoloss.core.errors import InputError
from autoloss.diagnosis.model import diagnose_model
from tests.export.models import make_classifier, make_frame


@pytest.fixture(scope="module")
def rows():
    frame = make_frame()
    frame["churned"] = np.where(np.random.default_rng(0).random(len(frame)) < 0.4, "yes", "no")
    return frame


@pytest.fixture(scope="module")
def classifier(rows):
    focal = {"base": "focal", "focal.gamma": 2.0}
    return make_classifier(
        rows.drop(columns="churned"), losses=[focal, focal], sources=("link", "softmax")
    )


def test_the_shipped_readout_is_judged_with_the_gradient_of_its_loss(classifier, rows):
    found = diagnose_model(classifier, rows)
    probs = classifier.predict_proba(rows)
    labels = (rows["churned"] == "yes").astype(int)
    assert found.log_loss == pytest.approx(log_loss(labels, probs), abs=1e-5)
    assert found.error == pytest.approx((probs.argmax(1) != labels).mean())
    assert (found.kind, found.classes, found.loss_label) == (
        "model",
        ("no", "yes"),
        "focal gamma=2",
    )
    assert {one.label for one in found.readouts} >= {"softmax", "link", "link + temperature"}
    raw = classifier.logits(rows).double().softmax(-1).mean(0)
    softmax = next(one for one in found.readouts if one.label == "softmax")
    assert softmax.log_loss == pytest.approx(log_loss(labels, raw), abs=2e-3)


def test_rows_without_a_label_are_left_out_and_noted(classifier, rows):
    holed = rows.copy()
    holed.loc[holed.index[:7], "churned"] = None
    found = diagnose_model(classifier, holed)
    assert found.rows == len(rows) - 7
    assert any("7 rows without a target" in note for note in found.notes)


def test_cross_entropy_replaces_a_loss_that_logits_do_not_determine(rows):
    elr = make_classifier(rows.drop(columns="churned"), losses=[{"base": "elr"}])
    found = diagnose_model(elr, rows)
    assert found.loss_label == "cross_entropy"
    assert any("elr" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="churned"), "must have the target column 'churned'"),
        (lambda frame: frame.rename(columns={"churned": "churn"}), "did you mean 'churn'"),
        (lambda frame: frame.assign(churned="maybe"), "240 rows have 'maybe': leave them out"),
        (lambda frame: frame.assign(churned="yes"), "every row is 'yes'"),
        (lambda frame: frame.head(10), "at least 20 rows"),
        (lambda frame: frame.drop(columns="size"), "'size'"),
    ],
)
def test_rows_that_do_not_fit_are_refused(classifier, rows, change, message):
    with pytest.raises(InputError, match=message) as caught:
        diagnose_model(classifier, change(rows))
    assert "\n" not in str(caught.value)
