"""Read-outs and metrics of several labels and of sequences, against each label or token alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.metrics import score
from autoloss.readout import Items, Readout, fit_readouts, fold_numbers, refined_log_loss
from tests.readout.test_fit_readouts import all_costs

SPECS = [
    LossSpec.from_dict(one)
    for one in (
        {"base": "cross_entropy"},
        {"base": "focal", "focal.gamma": 2.0},
        {"base": "cross_entropy", "prior": "logit_adjust", "logit_adjust.tau": 1.0},
        {"base": "brier", "prior": "class_weight", "class_weight.power": 1.0},
        {"base": "cross_entropy", "target": "smoothing", "smoothing.epsilon": 0.1},
    )
]
K, N, L, C = len(SPECS), 60, 3, 4
COUNTS = torch.tensor([[50.0, 50.0], [80.0, 20.0], [95.0, 5.0]])
LABELS = ClassFacts(COUNTS, task="multilabel")
TAGS = ClassFacts(torch.tensor([100.0, 60.0, 30.0, 10.0]), task="sequence")


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2.0 * torch.randn(*shape, generator=generator, dtype=torch.float64)


def answers(seed: int = 1) -> torch.Tensor:
    """Return several labels of each row, with the frequencies of their counts."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(N, L, generator=generator) < COUNTS[:, 1] / 100).long()


def several(specs=SPECS, facts=LABELS) -> Objective:
    return Objective(specs, facts, dtype=torch.float64)


def label_by_label(logits: torch.Tensor) -> SimpleNamespace:
    """Return the scores of every label as a binary label by itself, the labels of a row beside."""

    def of(source: str) -> torch.Tensor:
        found = []
        for label in range(L):
            binary = Objective(SPECS, COUNTS[label], dtype=torch.float64)
            pair = torch.stack([torch.zeros_like(logits[..., label]), logits[..., label]], -1)
            found.append(pair if source == "softmax" else getattr(binary, source)(pair))
        return torch.stack(found, 2).reshape(K, N * L, 2)

    return SimpleNamespace(
        softmax=of("softmax"),
        prior_corrected=lambda _: of("prior_corrected"),
        log_links=lambda _: of("log_links"),
    )


def test_for_one_label_a_row_the_items_are_the_rows():
    targets, facts = torch.arange(N) % C, ClassFacts(torch.ones(C))
    items = Items.of(targets, facts)
    logits = drawn(K, N, C)
    assert items.labels is targets
    assert items.scores(logits) is logits
    assert (items.rows, items.places, items.clusters, items.n_rows) == (None, None, None, N)
    assert Items.of(items, facts) is items
    groups = torch.arange(N) // 2
    assert items.clustered(groups).clusters is groups
    assert items.of_rows(groups) is groups


def test_several_labels_read_out_as_each_label_alone(bisect):
    logits, targets = drawn(K, N, L), answers()
    folds = fold_numbers(N)
    readouts = fit_readouts(logits, targets, several(), folds=folds)
    oracle = label_by_label(logits)
    flat = folds.repeat_interleave(L)
    costs = all_costs(oracle.softmax, targets.flatten(), oracle, flat, bisect)
    # With one temperature for all labels; a temperature of each label is taken if it is better.
    together = refined_log_loss(logits, targets, several(), folds=folds)[0]
    torch.testing.assert_close(together, costs.amin(-1), rtol=0, atol=2e-6)
    assert (readouts.refined <= together + 2e-6).all()
    torch.testing.assert_close(readouts.refined, readouts.example_log_loss.mean(-1))
    for k, spec in enumerate(SPECS):
        # The probabilities that ship are those of the label's own loss, by the same read-out.
        own = readouts.row(k)
        shipped = own.log_probs(logits[k], LABELS)
        assert shipped.shape == (N, L, 2)
        for label in range(L):
            pair = torch.stack([torch.zeros(N), logits[k, :, label]], -1)
            beta = own.of_labels[label] if own.of_labels else own.inverse_temperature
            alone = Readout(own.source, beta, own.mix, spec)
            torch.testing.assert_close(
                shipped[:, label], alone.log_probs(pair.double(), COUNTS[label])
            )


def test_tokens_read_out_as_rows_of_one_label(bisect):
    """Joined, padded, or as the rows of a table: the same numbers."""
    lengths = [1, 7, 3, 12, 2] * 8
    tags = [torch.randint(C, (n,), generator=torch.Generator().manual_seed(n)) for n in lengths]
    logits = [drawn(K, n, C, seed=i) for i, n in enumerate(lengths)]
    folds = fold_numbers(len(lengths))
    joined = torch.cat(logits, 1)
    of_token = folds.repeat_interleave(torch.tensor(lengths))
    padded = torch.full((K, len(lengths), max(lengths), C), torch.nan, dtype=torch.float64)
    wanted = torch.full((len(lengths), max(lengths)), -100)
    for row, (one, own) in enumerate(zip(logits, tags, strict=True)):
        padded[:, row, : own.shape[0]], wanted[row, : len(own)] = one, own
    rows = fit_readouts(
        joined, torch.cat(tags), several(facts=ClassFacts(TAGS.counts)), folds=of_token
    )
    ways = [(joined[:, None], Items.of_sequences(tags)), (padded, wanted)]
    for values, targets in ways:
        found = fit_readouts(values, targets, several(facts=TAGS), folds=folds)
        assert torch.equal(found.log_probs, rows.log_probs)
        assert torch.equal(found.refined, rows.refined)
    costs = all_costs(
        joined, torch.cat(tags), several(facts=ClassFacts(TAGS.counts)), of_token, bisect
    )
    torch.testing.assert_close(rows.refined, costs.amin(-1), rtol=0, atol=2e-6)


@pytest.mark.parametrize("missing", [-1, -100, torch.nan])
def test_a_missing_label_counts_nothing(missing):
    logits, targets, folds = drawn(K, N, L), answers(), fold_numbers(N)
    gaps = torch.rand(N, L, generator=torch.Generator().manual_seed(2)) < 0.2
    holed = targets.double().masked_fill(gaps, missing)
    holed = holed if missing != missing else holed.long()
    found = score(logits, holed, several(), folds=folds)
    # Whatever the model says there.
    other = score(torch.where(gaps, torch.nan, logits), holed, several(), folds=folds)
    kept = (~gaps).flatten()
    items = Items.of(holed, LABELS)
    assert torch.equal(items.labels, targets.flatten()[kept])
    assert torch.equal(items.rows, torch.arange(N).repeat_interleave(L)[kept])
    for name, values in found.metrics.items():
        assert values.isfinite().all(), name
        assert torch.equal(values, other.metrics[name]), name
    assert found.example_log_loss.shape == (K, int(kept.sum()))


@pytest.mark.parametrize("kind", ["multilabel", "sequence"])
def test_candidates_together_are_as_each_alone(kind):
    if kind == "multilabel":
        logits, targets, facts = drawn(K, N, L), answers(), LABELS
    else:
        logits, facts = drawn(K, N, 5, C), TAGS
        targets = torch.randint(C, (N, 5), generator=torch.Generator().manual_seed(0))
        targets[::3, 3:] = -100
    folds = fold_numbers(N)
    together = score(logits, targets, several(facts=facts), folds=folds)
    refined, error, _ = refined_log_loss(logits, targets, several(facts=facts), folds=folds)
    for k, spec in enumerate(SPECS):
        alone = score(logits[k : k + 1], targets, several([spec], facts), folds=folds)
        for name, values in alone.metrics.items():
            torch.testing.assert_close(values[0], together.metrics[name][k], rtol=0, atol=1e-10)
        assert float(error[k]) == float(alone.metrics["error"])
        # A temperature of each label may lower the log loss; training has one for all.
        lower = float(refined[k]) - float(alone.metrics["log_loss"])
        assert lower == pytest.approx(0.0, abs=1e-5) or (kind == "multilabel" and lower > 0.0)


def test_the_metrics_of_several_labels_are_those_of_the_items():
    """Metrics of yes and no exist, because every item is one, whatever the number of labels."""
    logits, targets = drawn(1, N, L), answers()
    found = score(logits, targets, several(SPECS[:1]), folds=fold_numbers(N)).metrics
    decided = logits[0] > 0
    assert float(found["error"]) == pytest.approx(float((decided != targets).double().mean()))
    assert {"auroc", "average_precision"} <= set(found)
    tags = torch.randint(2, (N, 4), generator=torch.Generator().manual_seed(0))
    two = ClassFacts(torch.tensor([90.0, 10.0]), task="sequence")
    of_tags = score(drawn(1, N, 4, 2), tags, several(SPECS[:1], two), folds=fold_numbers(N))
    assert not {"auroc", "average_precision"} & set(of_tags.metrics)


def test_logits_of_another_shape_are_refused():
    with pytest.raises(InputError, match=r"of the labels' shape \(60, 3\), but got \(60, 2\)"):
        score(drawn(K, N, 2), answers(), several(), folds=fold_numbers(N))


def test_items_that_several_parts_hold_out_are_pooled_by_row_and_label():
    table = answers().masked_fill(drawn(N, L, seed=3) > 2.0, -100)
    parts = [torch.arange(0, 40), torch.arange(59, 24, -1)]
    held = [Items.of(table[rows], LABELS) for rows in parts]
    keys = torch.cat([items.keys(rows) for items, rows in zip(held, parts, strict=True)])
    labels = torch.cat([items.labels for items in held])
    once, first = (torch.from_numpy(one) for one in np.unique(keys.numpy(), return_index=True))
    pooled = Items.pooled(once, labels[first])
    expected = [(n, m) for n in range(N) for m in range(L) if table[n, m] >= 0]
    assert len(pooled) == len(expected) < N * L
    assert pooled.n_rows == N
    assert pooled.numbers.tolist() == [label for _, label in expected]
    assert pooled.labels.tolist() == [int(table[n, m]) for n, m in expected]
    assert pooled.cluster_numbers.tolist() == [row for row, _ in expected]
    assert torch.equal(pooled.counts(LABELS), COUNTS.double()[pooled.numbers])
    alone = Items.of(torch.tensor([0, 1, 1]), ClassFacts(torch.tensor([1, 2])))
    assert alone.keys(torch.tensor([7, 3, 5])).tolist() == [7, 3, 5]
