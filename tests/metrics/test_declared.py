"""The declarations of metrics: read without torch, refused where wrong, together as alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from autoloss.cli.complete import metrics as completed
from autoloss.losses import ClassFacts
from autoloss.metrics import Judged, always_of, known, resolve_metric
from autoloss.metrics.declare import Declaration, declare
from autoloss.metrics.known import DECLARED
from autoloss.report.words import METRICS, in_sentence


def test_a_declaration_is_read_without_torch_or_numpy() -> None:
    """Report and command line read the words, directions and needs of every metric."""
    text = (
        "import sys; from autoloss.metrics.known import DECLARED; assert len(DECLARED) > 20;"
        "from autoloss.report.metric_words import metric_words; metric_words('mcc');"
        "print(sorted({'torch', 'numpy', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("one", DECLARED.values(), ids=DECLARED)
def test_every_reader_shows_what_is_declared(one: Declaration) -> None:
    words = METRICS[one.name]
    assert (words.title, words.kind, words.meaning) == (one.title, one.kind, one.meaning)
    assert {one.name, *one.aliases} <= set(completed(""))
    said = in_sentence(one.title)
    is_capital = one.is_named_after or one.title[:2].isupper()
    assert said == (one.title if is_capital else one.title[0].lower() + one.title[1:])


def drawn(k: int, n: int, c: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return log probabilities (K, N, C), classes (N,) and counts (C,)."""
    generator = torch.Generator().manual_seed(c)
    log_probs = torch.randn(k, n, c, generator=generator, dtype=torch.float64).log_softmax(-1)
    classes = torch.randint(c, (n,), generator=generator)
    return log_probs, classes, torch.arange(1, c + 1)


OF_ONE_LABEL = [
    one for one in DECLARED.values() if not one.several_labels and one.reads == "items"
]


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("one", OF_ONE_LABEL, ids=lambda one: one.name)
def test_candidates_together_are_as_each_alone(one: Declaration, n_classes: int) -> None:
    if one.two_classes and n_classes > 2:
        return
    log_probs, classes, counts = drawn(4, 80, n_classes)
    costs = tuple(map(tuple, np.random.default_rng(0).random((n_classes, n_classes)).tolist()))
    among = {
        "classes": classes,
        "facts": ClassFacts(counts),
        "cost_matrix": costs,
    }
    together = Judged(scores=log_probs, are_logs=True, **among).value(one.function)
    assert together.shape == (4,)
    for k in range(4):
        alone = Judged(scores=log_probs[k : k + 1], are_logs=True, **among).value(one.function)
        assert alone.tolist() == [together[k]]
        # The form for one candidate and its probabilities is that of the bootstrap.
        rows = Judged.of_probs(
            log_probs[k].exp().numpy(),
            classes.numpy(),
            facts=ClassFacts(counts),
            cost_matrix=costs,
        )
        assert float(rows.value(one.function)[0]) == pytest.approx(float(together[k]), abs=1e-12)


@pytest.mark.parametrize("one", [m for m in DECLARED.values() if m.complement_of])
def test_a_complement_is_one_minus_its_metric(one: Declaration) -> None:
    log_probs, classes, counts = drawn(3, 60, 3)
    judged = Judged(scores=log_probs, are_logs=True, classes=classes, facts=ClassFacts(counts))
    whole = judged.value(DECLARED[one.complement_of].function)
    assert judged.value(one.function).tolist() == (1.0 - whole).tolist()
    assert one.lower_is_better != DECLARED[one.complement_of].lower_is_better


def test_a_metric_of_decisions_looks_at_nothing_else() -> None:
    """Other probabilities with the same likeliest classes."""
    log_probs, classes, counts = drawn(3, 60, 2)
    among = {"classes": classes, "facts": ClassFacts(counts)}
    generator = torch.Generator().manual_seed(0)
    surest = 0.5 + 0.5 * torch.rand(3, 60, 1, generator=generator, dtype=torch.float64)
    is_first = log_probs.argmax(-1, keepdim=True) == 0
    first = torch.where(is_first, surest, 1.0 - surest)
    moved = torch.cat([first, 1.0 - first], -1)
    for one in OF_ONE_LABEL:
        if one.needs_costs or one.decision != "error":
            continue
        values = [
            Judged(scores=s, are_logs=True, **among).value(one.function)
            for s in (log_probs, moved.log())
        ]
        is_same = torch.allclose(*values, atol=1e-12)
        assert is_same == (one.judges == "decisions"), one.name


def test_what_every_trial_has_depends_on_classes_and_costs() -> None:
    log_probs, classes, counts = drawn(2, 40, 3)
    judged = Judged(scores=log_probs, are_logs=True, classes=classes, facts=ClassFacts(counts))
    plain = ["error", "balanced_error", "log_loss", "brier"]
    assert list(always_of(judged)) == plain
    with_costs = replace(judged, cost_matrix=((0, 1, 1), (1, 0, 1), (1, 1, 0)))
    assert list(always_of(with_costs)) == [*plain, "expected_cost"]
    assert torch.equal(always_of(with_costs)["expected_cost"], always_of(judged)["error"])


def test_a_declaration_needs_a_title_and_a_sentence() -> None:
    with pytest.raises(TypeError, match="must have a title and a sentence"):
        declare(title="Mine", meaning="no full stop", lower_is_better=True)(lambda judged: judged)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"aliases": ("mcc",)}, "must stand for one metric, but got mcc twice"),
        ({"for_more_classes": "f1_makro"}, "must name a metric, but got 'f1_makro'"),
        ({"complement_of": "eror"}, "must name a metric, but got 'eror'"),
    ],
)
def test_a_mistaken_declaration_is_refused(change, message, monkeypatch) -> None:
    every = [*DECLARED.values(), replace(DECLARED["f1_macro"], name="mine", **change)]
    monkeypatch.setattr(known, "_declarations", lambda: iter(every))
    with pytest.raises(TypeError, match=message):
        known._read()


def test_a_function_of_the_users_with_a_declared_name_stays_the_users() -> None:
    def balanced_accuracy(probs, targets):
        return 0.25

    metric = resolve_metric(balanced_accuracy, lower_is_better=False)
    assert metric.declared is None
    assert not metric.is_balanced
    log_probs, classes, counts = drawn(2, 10, 2)
    judged = Judged(scores=log_probs, are_logs=True, classes=classes, facts=ClassFacts(counts))
    assert metric.of_rows(judged).tolist() == [0.25, 0.25]
