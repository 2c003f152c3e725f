"""The surface around the network of a model: the same numbers as its predictions give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from autoloss.diagnosis import of_network
from autoloss.diagnosis.model import diagnose_model
from autoloss.diagnosis.run import diagnose
from autoloss.records.surface import Surface
from autoloss.report import diagnosis_json, render_diagnosis
from autoloss.report.diagnosis_words import findings
from autoloss.report.surface import slice_rows
from tests.export.models import make_classifier, make_frame
from tests.export.test_tag_exports import model, sentences

LABELS = ("quiet", "loud")


def classes():
    frame = make_frame()
    frame["churned"] = np.where(np.random.default_rng(0).random(len(frame)) < 0.4, "yes", "no")
    frame.loc[::50, "churned"] = None
    bare = frame.drop(columns="churned")
    losses = [{"base": "focal"}, {"base": "cross_entropy"}]
    # The second network has the larger weight.
    options = {"losses": losses, "sources": ("softmax", "softmax"), "weights": [1.0, 3.0]}
    return make_classifier(bare, **options), frame


def labels():
    frame = make_frame()[["size", "colour"]]
    classifier = make_classifier(frame, labels=LABELS)
    chance = np.random.default_rng(1)
    for name in LABELS:
        frame[name] = chance.integers(0, 2, len(frame)).astype(object)
    frame.loc[::7, "quiet"] = None
    return classifier, frame


def tags():
    classifier = model()
    frame = sentences(3, 60)
    rng, known = np.random.default_rng(0), list(map(str, classifier.classes))
    frame[classifier.task.target] = [list(rng.choice(known, len(one))) for one in frame["words"]]
    return classifier, frame


@pytest.mark.parametrize("make", [classes, labels])
def test_step_zero_is_the_loss_of_the_logits(make) -> None:
    classifier, frame = make()
    found = diagnose_model(classifier, frame)
    surface = found.surface
    assert isinstance(surface, Surface), found.surface_reason
    place = len(classifier.members) - 1
    rows = classifier.logits(frame)[place].double()
    if classifier.task.names:
        answers = torch.tensor(frame[list(LABELS)].fillna(-1).to_numpy(dtype=int))
        truth = answers[answers >= 0]
        logits = torch.stack([torch.zeros_like(rows), rows], -1)[answers >= 0]
    else:
        known = frame["churned"].notna().to_numpy(copy=True)
        truth = torch.tensor((frame["churned"][known] == "yes").to_numpy(dtype=int))
        logits = rows[known]
    middle = len(surface.steps) // 2
    expected = float(functional.cross_entropy(logits, truth))
    assert surface.labels == len(truth)
    for one in surface.slices:
        assert one.cross_entropy[middle] == pytest.approx(expected, rel=1e-5)
        p = logits.softmax(-1).gather(1, truth[:, None])
        assert one.squared[middle] == pytest.approx(float((1 - p).square().mean() / 2), rel=1e-5)
    assert surface.weights == len(classifier.members[place].weights)
    # The curvature is that of the slice.
    steps, leading = np.array(surface.steps), surface.slices[0]
    h = (steps[1] - steps[0]) * leading.length
    values = np.array(leading.cross_entropy)[middle - 1 : middle + 2]
    second = (values[0] - 2 * values[1] + values[2]) / h**2
    assert leading.curvature[0] == pytest.approx(second, rel=0.3)
    assert leading.curvature[0] == pytest.approx(surface.largest[0], rel=1e-3)


def test_pages_and_documents_have_the_surface_and_other_predictions_the_reason() -> None:
    classifier, frame = classes()
    found = diagnose_model(classifier, frame)
    page = render_diagnosis(found)
    assert page.count("Step along") == 4
    assert "leading 2" in page
    assert '"surface"' in diagnosis_json(found)
    assert found.surface is not None
    assert len(slice_rows(found.surface)) == 4
    rng = np.random.default_rng(0)
    saved = diagnose(rng.normal(size=(60, 3)), rng.integers(0, 3, 60))
    assert saved.surface is None
    text = next(one.text for one in findings(saved) if one.subject == "Surface")
    assert text == "There is none: saved predictions have no weights."
    assert "saved predictions have no weights" in render_diagnosis(saved)


def test_tokens_have_a_surface() -> None:
    classifier, frame = tags()
    surface = diagnose_model(classifier, frame).surface
    assert surface is not None
    middle, column = len(surface.steps) // 2, classifier.task.target
    place = {name: code for code, name in enumerate(map(str, classifier.classes))}
    truth = torch.tensor([place[tag] for one in frame[column] for tag in one])
    weights = [one.weight for one in classifier.members]
    logits = classifier.logits(frame.drop(columns=column))[int(np.argmax(weights)), 0].double()
    expected = float(functional.cross_entropy(logits, truth))
    assert surface.labels == len(truth)
    assert surface.slices[0].cross_entropy[middle] == pytest.approx(expected, rel=1e-5)


def test_a_layer_of_cosines_has_no_surface() -> None:
    _, frame = classes()
    losses = [{"base": "arcface"}]
    found = diagnose_model(make_classifier(frame.drop(columns="churned"), losses=losses), frame)
    assert found.surface is None
    assert "arcface" in found.surface_reason


def test_a_large_network_sees_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, frame = classes()
    monkeypatch.setattr(of_network, "_NUMBERS", 1)
    found = diagnose_model(classifier, frame).surface
    assert found is not None
    assert found.rows == of_network.FEWEST
