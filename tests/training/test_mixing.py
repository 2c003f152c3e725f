from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import beta
from torch.nn import functional

from autoloss.losses import LossSpec, Mix
from autoloss.training import Batch, Candidate, Job, Orders, Population, train
from autoloss.training.mixing import BetaQuantile, Mixing, weighted_mix
from autoloss.training.rows import logits_of

CPU = torch.device("cpu")
F64 = torch.float64


def mixup(alpha: float, *, per_example: int = 0, base: str = "cross_entropy") -> LossSpec:
    settings = {"mixup.alpha": alpha, "mixup.per_example": per_example}
    return LossSpec.from_dict({"base": base, "target": "mixup", **settings})


def drawn(specs: list[LossSpec], seeds: list[int] | None = None) -> Mix:
    seeds = seeds or [0] * len(specs)
    mixing = Mixing.of(specs, dtype=F64, device=CPU)
    assert mixing is not None
    orders = Orders(seeds, 64, 32, device=CPU)
    return mixing.draw(orders, orders.places(seeds))


@pytest.mark.parametrize("alpha", [0.02, 0.05, 0.2, 0.5, 1.0, 3.0, 30.0, 1000.0])
def test_quantiles_are_those_of_the_beta_distribution(alpha: float) -> None:
    uniform = np.linspace(1e-6, 1.0 - 1e-6, 2001)
    expected = beta.ppf(uniform, alpha, alpha)
    np.testing.assert_allclose(BetaQuantile.of(alpha)(uniform), expected, atol=1e-6)


@pytest.mark.parametrize("alpha", [1e-9, 1e-4, 0.2, 1e6])
def test_quantiles_are_shares_at_both_ends(alpha: float) -> None:
    ends = BetaQuantile.of(alpha)(np.array([0.0, 1e-300, 0.5, 1.0 - 1e-16, 1.0]))
    assert ((ends >= 0.0) & (ends <= 1.0)).all()
    assert ends[2] == pytest.approx(0.5)


def test_all_alphas_read_the_same_numbers() -> None:
    shares = drawn([mixup(alpha, per_example=1) for alpha in (0.1, 0.4, 2.0)]).share
    assert shares.shape == (3, 32)
    apart = (shares - 0.5).abs()
    assert (apart[0] >= apart[1]).all()
    assert (apart[1] >= apart[2]).all()
    assert ((shares > 0.5) == (shares[0] > 0.5)).all()


def test_a_share_a_mini_batch_or_one_an_example() -> None:
    mix = drawn([mixup(0.3), mixup(0.3, per_example=1), LossSpec()])
    assert len(mix.share[0].unique()) == 1
    assert len(mix.share[1].unique()) == 32
    assert (mix.share[2] == 1.0).all()
    assert drawn([mixup(0.3), LossSpec()]).share.shape == (2, 1)


def test_what_is_drawn_for_a_candidate_does_not_depend_on_the_others() -> None:
    specs = [mixup(0.3), mixup(0.7, per_example=1), mixup(1.5), LossSpec()]
    seeds = [4, 9, 4, 9]
    together = drawn(specs, seeds)
    for k in range(3):
        alone = drawn([specs[k]], [seeds[k]])
        assert torch.equal(together.partner[k], alone.partner[0])
        assert torch.equal(together.share[k], alone.share[0].expand(32))


def test_nothing_is_mixed_where_no_candidate_mixes() -> None:
    assert Mixing.of([LossSpec(), LossSpec(target="smoothing")], dtype=F64, device=CPU) is None
    assert Mixing.of([mixup(0.0)], dtype=F64, device=CPU) is None


@pytest.mark.parametrize("items", [(), (3,)])
def test_weighted_labels_count_as_each_of_the_two_alone(items: tuple[int, ...]) -> None:
    draw = torch.Generator().manual_seed(0)
    weights = torch.rand(1, 8, *items, generator=draw, dtype=F64)
    weights[:, ::3] = 0.0
    values = torch.randn(2, 8, *items, generator=draw, dtype=F64)
    partners = torch.randn(2, 8, *items, generator=draw, dtype=F64)
    mix = Mix(torch.randperm(8, generator=draw).unsqueeze(0), torch.tensor([[0.3], [1.0]]).to(F64))
    labels, mixed = weighted_mix(mix, weights)
    share = labels.share_for(values)
    found = mixed * (share * values + (1.0 - share) * partners)
    own = mix.share_for(values)
    by_hand = own * weights * values + (1.0 - own) * weights[:, mix.partner[0]] * partners
    torch.testing.assert_close(found, by_hand)
    torch.testing.assert_close(mixed[1], weights[0])


def by_hand(job: Job, batch: Batch, candidate: Candidate, mixes: list[Mix]) -> torch.Tensor:
    """The oracle: the encoded inputs are mixed, then torch's own layers, loss and optimiser."""
    network = job.network
    row = network.initial(torch.Generator().manual_seed(candidate.seed)).to(F64)
    views = network.layout.views(row.unsqueeze(0))
    weights = {name: view[0].clone().requires_grad_() for name, view in views.items()}
    adam = torch.optim.AdamW(
        weights.values(), lr=candidate.lr, weight_decay=candidate.weight_decay
    )
    targets = batch.targets[0]
    for mix in mixes:
        partner, share = mix.partner[0], mix.share[0]
        embedded = weights["embedding"][batch.features["codes"][0]].flatten(1)
        terms, shares = batch.features["terms"][0], batch.features["shares"][0]
        text = (weights["terms"][terms] * shares.unsqueeze(-1)).sum(1)
        inputs = torch.cat([batch.features["dense"][0], text, embedded], -1)
        each = share.unsqueeze(-1)
        hidden = each * inputs + (1.0 - each) * inputs[partner]
        for layer in range(network.config.depth):
            linear = functional.linear(
                hidden, weights[f"hidden.{layer}.weight"], weights[f"hidden.{layer}.bias"]
            )
            hidden = functional.layer_norm(linear, linear.shape[-1:]).relu()
        logits = functional.linear(hidden, weights["output.weight"], weights["output.bias"])
        losses = [
            functional.cross_entropy(logits, labels, reduction="none")
            for labels in (targets, targets[partner])
        ]
        adam.zero_grad()
        (share * losses[0] + (1.0 - share) * losses[1]).mean().backward()
        adam.step()
    return network.layout.row(weights).detach()


@pytest.mark.parametrize("per_example", [0, 1])
def test_a_step_is_the_one_with_inputs_that_are_mixed_by_hand(job: Job, per_example: int) -> None:
    candidate = Candidate(mixup(0.6, per_example=per_example), lr=3e-3, weight_decay=0.1, seed=7)
    population = Population(job.network, [candidate], job.classes, device=CPU, dtype=F64)
    orders = Orders([7], 700, 64, device=CPU)
    batch = job.batch(torch.arange(64).unsqueeze(0))
    mixing = Mixing.of([candidate.spec], dtype=F64, device=CPU)
    assert mixing is not None
    same = Orders([7], 700, 64, device=CPU)
    mixes = [mixing.draw(same, [0]) for _ in range(4)]
    for _ in mixes:
        population.step(batch, orders, 1.0)
    expected = by_hand(job, batch, candidate, mixes)
    torch.testing.assert_close(population.rows[0], expected, rtol=0, atol=1e-10)
    unmixed = [Mix(mix.partner, torch.ones_like(mix.share)) for mix in mixes]
    assert not torch.allclose(expected, by_hand(job, batch, candidate, unmixed), atol=1e-4)


def test_validation_rows_are_never_mixed(job: Job) -> None:
    outcome = train(job, [Candidate(mixup(1.0, per_example=1), lr=3e-3)])[0]
    views = job.network.layout.views(outcome.weights.unsqueeze(0))
    rows = torch.arange(len(job.valid)).unsqueeze(0)
    plain = job.network.body(views, job.valid.features(rows))[0]
    torch.testing.assert_close(outcome.logits, plain)


def test_an_alpha_of_zero_is_no_mixup(job: Job) -> None:
    none, zero = train(job, [Candidate(LossSpec(), lr=3e-3), Candidate(mixup(0.0), lr=3e-3)])
    torch.testing.assert_close(none.weights, zero.weights, rtol=0, atol=1e-10)


def test_weights_of_rows_count_for_both_labels_of_a_mixed_example(job: Job) -> None:
    """A row of weight 0 is as good as absent: no label of its own is learnt."""
    candidate = Candidate(mixup(1.0), lr=1e-2)
    encoded = job.batch(torch.arange(64).unsqueeze(0))
    marked = torch.zeros(1, 64, dtype=torch.int64)
    marked[:, ::2] = 2
    weights = torch.ones(1, 64, dtype=F64)
    weights[:, ::2] = 0.0
    population = Population(job.network, [candidate], job.classes, device=CPU, dtype=F64)
    orders = Orders([0], 700, 64, device=CPU)
    for _ in range(60):
        population.step(Batch(encoded.features, marked, weights), orders, 1.0)
    specs = population.objective.specs
    logits = logits_of(population.network, population.rows, specs, job.valid)
    probs = logits[0].softmax(-1)
    assert probs[:, 0].min() > 0.95
