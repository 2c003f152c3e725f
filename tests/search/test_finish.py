from __future__ import annotations

import numpy as np
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.search import Study
from tests.search.fake_training import COUNTS, run


@pytest.fixture
def study(tmp_path):
    with Study("s", COUNTS, trials=24, space="quick", out=tmp_path) as study:
        run(study)
        yield study


def test_logits(study, **changes):
    choice = study.finalists()
    numbers = {choice.challenger.number, choice.baseline.number}
    labels = torch.arange(90) % 3
    noise = torch.Generator().manual_seed(0)
    hot = torch.nn.functional.one_hot(labels, 3) * 2.0
    return {n: hot + torch.randn(90, 3, generator=noise) for n in numbers} | changes, labels


test_logits.__test__ = False


def test_the_verdict_is_on_the_finalists_with_their_readouts(study):
    logits, labels = test_logits(study)
    summary = study.finish(logits, labels).summary
    choice = study.finalists()
    assert (summary.verdict.challenger, summary.verdict.baseline) == (
        choice.challenger.number,
        choice.baseline.number,
    )
    baseline = study.readout(choice.baseline.number)
    log_probs = baseline.log_probs(logits[choice.baseline.number], study.class_counts)
    expected = -log_probs[torch.arange(90), labels].mean()
    assert summary.test_metrics["cross-entropy"]["log_loss"] == pytest.approx(float(expected))
    assert summary.pareto == choice.front
    assert [one.name for one in summary.reliability] == [
        "challenger before the read-out",
        "challenger",
        "cross-entropy before the read-out",
        "cross-entropy",
    ]
    assert sum(share for _, share in summary.importance) == pytest.approx(1.0)


def test_permuting_the_test_labels_changes_no_trial_and_no_challenger(study):
    logits, labels = test_logits(study)
    one = study.finish(logits, labels).summary
    other = study.finish(logits, labels[torch.randperm(90)]).summary
    assert one.trials == other.trials
    assert one.verdict.challenger == other.verdict.challenger
    assert one.pareto == other.pareto


def test_several_training_runs_are_averaged(study):
    logits, labels = test_logits(study)
    number = study.finalists().baseline.number
    several = {n: [one, one + 0.5 * torch.randn(90, 3)] for n, one in logits.items()}
    metrics = study.finish(several, labels).summary.test_metrics["cross-entropy"]
    readout = study.readout(number)
    probs = np.mean(
        [readout.log_probs(one, study.class_counts).exp().numpy() for one in several[number]],
        axis=0,
    )
    expected = -np.log(probs[np.arange(90), labels.numpy()]).mean()
    assert metrics["log_loss"] == pytest.approx(expected, rel=1e-5)


def test_missing_or_broken_test_logits_are_said(study):
    logits, labels = test_logits(study)
    number = study.finalists().challenger.number
    with pytest.raises(InputError, match=f"none of trial {number}"):
        study.finish({n: one for n, one in logits.items() if n != number}, labels)
    with pytest.raises(InputError, match="test_logits must be finite"):
        study.finish({**logits, number: logits[number] * torch.inf}, labels)
    with pytest.raises(InputError, match="test_labels must have one class per row"):
        study.finish(logits, labels[:5])
    with pytest.raises(InputError, match="number=99"):
        study.readout(99)
