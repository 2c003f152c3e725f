"""Sequences train in windows: no pad counts, and a candidate does not depend on the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from autoloss.core.ragged import Ragged
from autoloss.core.settings import NetworkConfig, TrainingConfig
from autoloss.data import Part, SequenceEncoding
from autoloss.data.sequences.cells import SequenceColumns, Tokens
from autoloss.losses import ClassFacts, LossSpec, Mix
from autoloss.models import TokenNetwork
from autoloss.readout import fold_numbers
from autoloss.training import Candidate, Job, token_rows, train
from autoloss.training.mixing import of_tokens
from autoloss.training.pool import orders_of, step_batch
from autoloss.training.rows import logits_of
from autoloss.training.together import passing_population

CPU = torch.device("cpu")
SPECS = (
    LossSpec(),
    LossSpec("focal"),
    LossSpec.from_dict({"base": "brier", "penalty": "jsd", "jsd.weight": 1.0}),
    LossSpec.from_dict({"base": "focal", "target": "mixup", "mixup.per_example": 1}),
    LossSpec.from_dict({"base": "cross_entropy", "target": "mixup", "mixup.alpha": 0.6}),
)


FORMS = np.array(["ant", "bee", "cat", "dog", "elk", "fox"], dtype=object)
ENCODING = SequenceEncoding.fit(
    Tokens(FORMS.repeat(3), np.array([18])), columns=SequenceColumns("words", ())
)


def part(seed: int, n: int) -> Part:
    """Return sequences of a few forms, whose tag depends on the form before; a tenth lack it."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 14, n)
    codes = rng.integers(0, 6, int(lengths.sum()))
    tags = torch.tensor(np.roll(codes, 1) % 3)
    tags[torch.tensor(rng.random(len(tags)) < 0.1)] = -1
    inputs = ENCODING.encode(Tokens(FORMS[codes], lengths))
    return Part(inputs, Ragged(tags, inputs.lengths), None, torch.arange(n))


def job(seed: int = 0, *, depth: int = 2, epochs: int = 2, n: int = 60) -> Job:
    """Return a job on such sequences."""
    valid = part(seed + 50, 20)
    return Job.prepare(
        TokenNetwork(ENCODING.schema, 3, NetworkConfig(width=8, depth=depth, embedding=4)),
        part(seed, n),
        valid,
        class_counts=ClassFacts(torch.ones(3), task="sequence"),
        folds=fold_numbers(len(valid), seed=0),
        config=TrainingConfig(batch_size=32, max_epochs=epochs),
        device=CPU,
        dtype=torch.float64,
    )


def test_a_batch_has_the_tokens_of_its_windows_and_no_pad_counts() -> None:
    one = job()
    rows = torch.tensor([[3, 0], [7, 5]])
    batch = one.train.batch(rows)
    lengths = one.train.inputs.lengths
    assert batch.sizes == tuple((lengths[own] + 1).sum().item() for own in rows)
    for order, own in enumerate(rows):
        words, tags = [], []
        for row in own.tolist():
            some = one.train.inputs.take(torch.tensor([row]))
            words += [*some.codes.tolist(), None]
            tags += [*one.train.tags[torch.tensor([row])].values.tolist(), -1]
        for place, (word, tag) in enumerate(zip(words, tags, strict=True)):
            assert bool(batch.mask[order, 0, place]) == (tag >= 0)
            if word is not None:
                assert batch.features["codes"][order, place, 0] == word
            if tag >= 0:
                assert batch.targets[order, 0, place] == tag
        assert not batch.mask[order, 0, len(words) :].any()


def taught(seed: int, n: int) -> Job:
    """Return a job with a teacher."""
    own = job(seed, n=n)
    draw = torch.Generator().manual_seed(seed)
    tokens = len(own.train.tags.values)
    return replace(own, teacher=torch.randn(tokens, 3, generator=draw, dtype=torch.float64))


def test_each_token_of_a_batch_has_its_own_teacher() -> None:
    one = taught(0, 60)
    rows = torch.tensor([[3, 0], [7, 5]])
    batch = one.batch(rows)
    for order, own in enumerate(rows):
        place = 0
        for row in own:
            logits = one.teacher[one.train.tags.places(row[None])]
            assert torch.equal(batch.teacher[order, 0, place : place + len(logits)], logits)
            place += len(logits) + 1


def test_candidates_with_teachers_of_several_divisions_train_as_they_do_alone() -> None:
    jobs = [taught(0, 60), taught(1, 47)]
    spec = {"base": "cross_entropy", "target": "distillation", "distillation.weight": 0.7}
    candidates = [
        Candidate(LossSpec.from_dict(own), lr=3e-3, weight_decay=0.01, dropout=0.1, seed=0, fold=k)
        for k in (0, 1)
        for own in (spec, {"base": "focal"}, {**spec, "distillation.T": 4.0})
    ]
    together = train(jobs, candidates)
    for candidate, outcome in zip(candidates, together, strict=True):
        (alone,) = train(jobs, [candidate])
        torch.testing.assert_close(outcome.weights, alone.weights, rtol=0, atol=1e-10)
    untaught = train([replace(own, teacher=-own.teacher) for own in jobs], candidates)
    for candidate, one, other in zip(candidates, together, untaught, strict=True):
        assert torch.equal(one.weights, other.weights) == (candidate.spec.base == "focal")


def test_padding_is_under_a_fifth_of_a_batch() -> None:
    jobs = [job(seed, n=n) for seed, n in ((0, 200), (1, 170), (2, 230))]
    orders = orders_of(jobs, [0, 1, 0, 2], [0, 1, 2, 0])
    own = total = 0
    for rows in orders.epoch():
        batch = step_batch(jobs, orders, rows)
        own += int((batch.features["around"].sum(-1) > 0).sum())
        total += batch.features["codes"][..., 0].numel()
    # Sequences of a single token have nothing around them, so this counts too few.
    assert own > 0.8 * total


@pytest.mark.parametrize("longest", [512, 5])
def test_logits_of_windows_are_those_of_whole_sequences(
    longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_rows, "WINDOW", longest)
    one = job(depth=3)
    valid = one.valid
    assert (len(valid) > len(valid.inputs)) == (longest == 5)
    weights = one.network.initial(torch.Generator().manual_seed(0)).double()[None]
    found = logits_of(one.network, weights, [LossSpec()], valid)
    for row in range(len(valid.inputs)):
        own = valid.inputs.take(torch.tensor([row]))
        alone = one.network.body(one.network.layout.views(weights), one.network.encode(own))
        places = valid.tags.places(torch.tensor([row]))
        torch.testing.assert_close(found[:, 0, places], alone, rtol=0, atol=1e-12)


def test_together_equals_alone() -> None:
    jobs = [job(0), job(1, n=47)]
    candidates = [
        Candidate(spec, lr=3e-3, weight_decay=0.01, dropout=dropout, seed=seed, fold=fold)
        for spec, dropout, seed, fold in zip(
            (*SPECS, *SPECS),
            (0.0, 0.3, 0.3, 0.2, 0.0, 0.1, 0.0, 0.2, 0.0, 0.0),
            (0, 1, 0, 1, 0, 0, 1, 0, 1, 0),
            (0, 1, 0, 0, 1, 1, 0, 1, 0, 0),
            strict=True,
        )
    ]
    together = train(jobs, candidates)
    for candidate, outcome in zip(candidates, together, strict=True):
        (alone,) = train(jobs, [candidate])
        torch.testing.assert_close(outcome.weights, alone.weights, rtol=0, atol=1e-10)
        torch.testing.assert_close(outcome.logits, alone.logits, rtol=0, atol=1e-10)


def test_a_sequence_mixed_with_no_share_of_its_own_is_its_partner() -> None:
    one = job(depth=3)
    lengths = one.train.inputs.lengths
    longest = lengths.argsort(descending=True, stable=True)
    length = next(n for n in lengths[longest].tolist() if (lengths == n).sum() > 1)
    pair = (lengths == length).nonzero().flatten()[:2]
    batch = one.train.batch(pair[None])
    partner, _ = of_tokens(
        torch.tensor([[1, 0]]), torch.zeros(1, 1, dtype=torch.float64), batch.lengths, [0]
    )
    mix = Mix(partner, torch.zeros(1, 1, 1, dtype=torch.float64))
    weights = one.network.initial(torch.Generator().manual_seed(0)).double()[None]
    views = one.network.layout.views(weights)
    found = one.network.hidden(views, batch.features, mix=mix)
    swapped = one.network.hidden(views, one.train.batch(pair.flip(0)[None]).features)
    torch.testing.assert_close(found, swapped, rtol=0, atol=1e-12)
    assert not torch.allclose(found, one.network.hidden(views, batch.features), atol=1e-3)
    mixed = mix.mixed(batch.targets.expand(1, 1, -1).double())
    expected = one.train.batch(pair.flip(0)[None]).targets.double()
    own = torch.ones_like(expected, dtype=torch.bool)
    own[..., length :: length + 1] = False
    torch.testing.assert_close(mixed[own], expected[own])


def test_a_missing_tag_changes_no_gradient() -> None:
    one = job()
    batch = one.train.batch(torch.tensor([[0, 1, 2, 3, 4]]))
    assert not bool(batch.mask.all())
    other = replace(batch, targets=torch.where(batch.mask, batch.targets, 2))
    found = []
    for own in (batch, other):
        population, orders = passing_population([one], 1)
        population.step(own, orders, 1.0)
        found.append(population.rows.clone())
    assert torch.equal(*found)


def test_neighbours_are_learnt() -> None:
    one = job(epochs=25, n=120)
    (outcome,) = train(one, [Candidate(LossSpec(), lr=1e-2)])
    errors = [point.error for point in outcome.report.curve]
    # The first token of a sequence has its tag from nowhere: one in seven.
    assert min(errors) < 0.3


def test_jsd_draws_neighbours_together() -> None:
    one = job(epochs=6, n=200)
    specs = [
        LossSpec.from_dict({"base": "cross_entropy", "penalty": "jsd", "jsd.weight": w})
        for w in (0.01, 10.0)
    ]
    rough, smooth = train(one, [Candidate(spec, lr=1e-2) for spec in specs])

    def apart(logits: torch.Tensor) -> float:
        return float(logits[0].softmax(-1).diff(dim=0).abs().mean())

    assert apart(smooth.logits) < 0.5 * apart(rough.logits)
