"""Metrics by the names of scikit-learn's scorers: equal to them, with their direction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as theirs
import torch
from sklearn.metrics import get_scorer, get_scorer_names

from autoloss.cli.complete import metrics as completed
from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.metrics import METRIC_NAMES, resolve_metric, score
from autoloss.metrics.known import ALIASES, DECLARED, NAMES
from autoloss.readout import fold_numbers
from autoloss.report.words import METRICS
from autoloss.verdict.metric_rows import metric_on_rows


def drawn(n_classes: int, n: int = 400, seed: int = 0):
    """Return probabilities and classes, the first classes the most frequent."""
    chance = np.random.default_rng(seed)
    share = np.linspace(2.0, 1.0, n_classes)
    classes = chance.choice(n_classes, size=n, p=share / share.sum())
    logits = chance.normal(size=(n, n_classes)) + 1.2 * np.eye(n_classes)[classes]
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return probs, classes


def of_sklearn(name: str, probs, classes) -> float:
    """Return scikit-learn's value under a name of autoloss."""
    decided = probs.argmax(1)
    what, _, average = name.partition("_")
    if what in ("f1", "precision", "recall", "jaccard"):
        function = getattr(theirs, f"{what}_score")
        return float(function(classes, decided, average=average or "binary", zero_division=0.0))
    if name.startswith("roc_auc"):
        kind, _, weighted = name.removeprefix("roc_auc_").partition("_")
        scores = probs[:, 1] if probs.shape[1] == 2 else probs
        average = "weighted" if weighted else "macro"
        return float(theirs.roc_auc_score(classes, scores, multi_class=kind, average=average))
    found = {
        "error": lambda: 1.0 - theirs.accuracy_score(classes, decided),
        "accuracy": lambda: theirs.accuracy_score(classes, decided),
        "log_loss": lambda: theirs.log_loss(classes, probs),
        "brier": lambda: ((probs - np.eye(probs.shape[1])[classes]) ** 2).sum(1).mean(),
        "auroc": lambda: theirs.roc_auc_score(classes, probs[:, 1]),
        "average_precision": lambda: theirs.average_precision_score(classes, probs[:, 1]),
        "mcc": lambda: theirs.matthews_corrcoef(classes, decided),
        "cohen_kappa": lambda: theirs.cohen_kappa_score(classes, decided),
    }
    return float(found[name]())


LOWER_IS_BETTER = {"error", "balanced_error", "log_loss", "brier", "expected_cost"} | {
    "subset_error",
    "calibration_of_labels",
}
# Each has its own test.
# Metrics of several labels and of tags have their own tests.
OF_ONE_LABEL = [
    name
    for name in METRIC_NAMES
    if not DECLARED[name].several_labels and DECLARED[name].reads == "items"
]
NOT_OF_SKLEARN = {
    *("balanced_error", "balanced_accuracy"),
    *(name for name in METRIC_NAMES if (Path(__file__).parent / f"test_{name}.py").exists()),
}
PLAIN = [name for name in OF_ONE_LABEL if name not in NOT_OF_SKLEARN]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("name", PLAIN)
def test_a_metric_is_that_of_scikit_learn(name: str, n_classes: int) -> None:
    if n_classes > 2 and DECLARED[name].two_classes:
        return
    probs, classes = drawn(n_classes)
    metric = resolve_metric(name, facts=ClassFacts(torch.ones(n_classes)))
    counts = torch.bincount(torch.from_numpy(classes), minlength=n_classes)
    found = metric_on_rows(metric, ClassFacts(counts)).fn(probs, classes)
    assert found == pytest.approx(of_sklearn(name, probs, classes), abs=1e-12)


def test_balanced_accuracy_is_one_minus_balanced_error() -> None:
    probs, classes = drawn(3)
    counts = torch.bincount(torch.from_numpy(classes), minlength=3)
    accuracy, error = (
        metric_on_rows(resolve_metric(name), ClassFacts(counts)).fn(probs, classes)
        for name in ("balanced_accuracy", "balanced_error")
    )
    assert accuracy == pytest.approx(1.0 - error)
    moved = (probs / counts.numpy()).argmax(1)
    assert accuracy == pytest.approx(theirs.balanced_accuracy_score(classes, moved))
    assert resolve_metric("balanced_accuracy").is_balanced


@pytest.mark.parametrize("name", OF_ONE_LABEL)
def test_degenerate_rows_are_answered_as_by_scikit_learn(name: str) -> None:
    """One class is decided for throughout, and another has no row."""
    probs = np.tile([0.7, 0.3], (20, 1))
    classes = np.array([0] * 15 + [1] * 5)
    metric = resolve_metric(name, facts=ClassFacts(torch.ones(2)))
    value = metric_on_rows(metric, ClassFacts(torch.tensor([15, 5]))).fn(probs, classes)
    assert np.isfinite(value)
    if name not in NOT_OF_SKLEARN:
        assert value == pytest.approx(of_sklearn(name, probs, classes), abs=1e-12)


@pytest.mark.parametrize("name", [*NAMES, *ALIASES])
def test_every_name_says_its_direction(name: str) -> None:
    costs = [[0.0, 1.0], [1.0, 0.0]] if name == "expected_cost" else None
    metric = resolve_metric(name, cost_matrix=costs)
    assert metric.lower_is_better == (metric.name in LOWER_IS_BETTER)
    assert METRICS[metric.name].lower_is_better == metric.lower_is_better
    assert not metric.is_own
    assert name in completed(name)


USUAL = {
    name
    for name in get_scorer_names()
    if name.removeprefix("neg_").split("_")[0]
    in ("accuracy", "balanced", "average", "f1", "precision", "recall", "jaccard", "roc", "log")
    or name in ("matthews_corrcoef", "neg_brier_score")
} - {"f1_samples", "precision_samples", "recall_samples", "jaccard_samples"}


@pytest.mark.parametrize("name", sorted(USUAL))
def test_the_scorers_of_scikit_learn_are_known_by_their_names(name: str) -> None:
    metric = resolve_metric(name)
    scorer = get_scorer(name)
    assert (scorer._sign < 0) == metric.lower_is_better


def test_an_unknown_name_names_the_closest() -> None:
    with pytest.raises(InputError, match="did you mean 'accuracy'"):
        resolve_metric("acuracy")
    with pytest.raises(InputError, match="did you mean 'roc_auc'"):
        resolve_metric("rocauc")
    with pytest.raises(InputError, match="two classes, but got classes=3; f1_macro is for any"):
        resolve_metric("f1", facts=ClassFacts(torch.ones(3)))
    with pytest.raises(InputError, match="roc_auc_ovr is for any number"):
        resolve_metric("roc_auc", facts=ClassFacts(torch.ones(3)))


@pytest.mark.parametrize("name", OF_ONE_LABEL)
def test_scores_have_the_metric_that_is_asked_for(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 60, 2, generator=generator, dtype=torch.float64)
    targets = (logits[0, :, 1] > logits[0, :, 0]).long()
    objective = Objective([LossSpec()] * 3, torch.tensor([30, 30]), dtype=torch.float64)
    found = score(logits, targets, objective, folds=fold_numbers(targets), metric=name)
    values = found.value
    assert values.shape == (3,)
    assert values.isfinite().all()
    # The first candidate is right throughout.
    best = values.argmin() if found.metric.lower_is_better else values.argmax()
    assert best == 0
    if name in ("auroc", "average_precision"):
        return  # of the log odds, which do not round to ties
    expected = metric_on_rows(found.metric, objective.facts)
    probs = found.predictions.log_probs.exp()
    for k in range(3):
        one = expected.fn(probs[k].numpy(), targets.numpy())
        assert float(values[k]) == pytest.approx(one, abs=1e-9)
