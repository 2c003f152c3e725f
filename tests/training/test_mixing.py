from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import beta
from torch.nn import functional

from autoloss.core.errors import InputError
from autoloss.core.settings import NetworkConfig, TrainingConfig
from autoloss.data import ImageInputs, ImageSchema, Part
from autoloss.losses import LossSpec, Mix
from autoloss.losses.targets import box_in, share_outside
from autoloss.models import Features, ImageNetwork, TableNetwork
from autoloss.readout import fold_numbers
from autoloss.training import Batch, Candidate, Job, Orders, Population, train
from autoloss.training.mixing import BetaQuantile, Mixing, of_tokens, weighted_mix
from autoloss.training.rows import logits_of
from tests.training.pooled import Pooled

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
    settings = {"lr": candidate.lr, "weight_decay": candidate.weight_decay}
    adam = torch.optim.AdamW([one for name, one in weights.items() if name != "terms"], **settings)
    of_terms = Pooled(weights["terms"], **settings)
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
        weights["terms"].grad = None
        (share * losses[0] + (1.0 - share) * losses[1]).mean().backward()
        adam.step()
        assert weights["terms"].grad is not None
        of_terms.step(weights["terms"].grad)
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


def test_a_network_without_norms_mixes(job: Job) -> None:
    network = TableNetwork(job.network.schema, 3, NetworkConfig(width=16, bins=4, normalise=False))
    candidate = Candidate(mixup(1.0), lr=3e-3)
    (outcome,) = train(replace(job, network=network), [candidate])
    assert outcome.weights.isfinite().all()


def test_validation_rows_are_never_mixed(job: Job) -> None:
    outcome = train(job, [Candidate(mixup(1.0, per_example=1), lr=3e-3)])[0]
    views = job.network.layout.views(outcome.weights.unsqueeze(0))
    rows = torch.arange(len(job.valid)).unsqueeze(0)
    plain = job.network.body(views, job.valid.features(rows))[0]
    torch.testing.assert_close(outcome.logits, plain)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_an_alpha_of_zero_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"{name}.alpha must be in \(0, inf\), but got"):
        LossSpec.from_dict({"base": "focal", "target": name, f"{name}.alpha": 0.0})


def test_boxes_are_cut_out_of_images_alone(job: Job) -> None:
    spec = LossSpec(target="cutmix")
    with pytest.raises(InputError, match="cutmix must be given images"):
        train(job, [Candidate(spec, lr=3e-3)])


@pytest.mark.parametrize("size", [(28, 28), (5, 9), (1, 1), (2, 300)])
def test_a_box_lies_inside_and_has_the_area_of_its_share(size: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    share, place = draw.random(500), draw.random((500, 2))
    boxes = box_in(share, place, size)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= size).all()
    sides = boxes[:, 2:] - boxes[:, :2]
    assert (np.abs(sides - np.sqrt(1.0 - share)[:, None] * size) <= 0.5 + 1e-9).all()
    np.testing.assert_allclose(share_outside(boxes, size), 1.0 - sides.prod(1) / np.prod(size))
    if size == (28, 28):
        # Every place of the image is cut at times.
        hit = np.zeros(size, dtype=bool)
        for top, left, bottom, right in boxes:
            hit[top:bottom, left:right] = True
        assert hit.all()


CUTS = [
    {"base": "cross_entropy", "target": "cutmix"},
    {"base": "focal", "target": "cutmix", "cutmix.alpha": 0.4, "cutmix.per_example": 1},
    {"base": "cross_entropy", "target": "mixup", "mixup.per_example": 1},
    {"base": "cross_entropy"},
    {"base": "brier", "target": "mixup"},
]


def picture_job() -> Job:
    draw = torch.Generator().manual_seed(0)
    store = torch.randint(0, 256, (60, 12, 9, 1), generator=draw, dtype=torch.uint8)
    inputs, targets = ImageInputs.of(store), torch.arange(60) % 3
    part = Part(inputs, targets, None, torch.arange(60))
    return Job.prepare(
        ImageNetwork(ImageSchema(12, 9, 1, (100.0,), (70.0,)), 3, NetworkConfig(width=4, depth=1)),
        part,
        part.take(torch.arange(20)),
        class_counts=torch.full((3,), 20),
        folds=fold_numbers(targets[:20]),
        config=TrainingConfig(batch_size=16, max_epochs=2),
        device=CPU,
        dtype=F64,
    )


def test_images_that_are_cut_together_are_those_cut_alone() -> None:
    own = picture_job()
    candidates = [
        Candidate(LossSpec.from_dict(one), lr=3e-3, seed=k % 2) for k, one in enumerate(CUTS)
    ]
    together = train(own, candidates)
    for candidate, outcome in zip(candidates, together, strict=True):
        (alone,) = train(own, [candidate])
        torch.testing.assert_close(outcome.weights, alone.weights, rtol=0, atol=1e-10)
    weights = torch.stack([one.weights for one in together])
    assert len(weights.unique(dim=0)) == len(CUTS)


@pytest.mark.parametrize("number", [0, 1])
def test_a_step_on_cut_images_is_a_step_on_images_cut_by_hand(number: int) -> None:
    own = picture_job()
    spec = LossSpec.from_dict(CUTS[number])
    candidate, rows = Candidate(spec, lr=3e-3), torch.arange(16)[None]
    population = Population(own.network, [candidate], own.classes, device=CPU, dtype=F64)
    orders, same = (Orders([0], 60, 16, device=CPU) for _ in range(2))
    batch = own.batch(rows)
    population.step(batch, orders, 1.0)
    mixing = Mixing.of([spec], dtype=F64, device=CPU, size=(12, 9))
    assert mixing is not None
    mix = mixing.draw(same, [0])
    assert mix.boxes is not None
    pixels, partner = batch.features["pixels"][0].clone(), mix.partner[0]
    boxes = mix.boxes[0].expand(16, 4).tolist()
    assert (len({tuple(box) for box in boxes}) > 1) == (number == 1)
    for row, (top, left, bottom, right) in enumerate(boxes):
        there = batch.features["pixels"][0, partner[row]]
        pixels[row, top:bottom, left:right] = there[top:bottom, left:right]
        share = float(mix.share[0].expand(16)[row])
        assert share == pytest.approx(1.0 - (bottom - top) * (right - left) / (12 * 9))
    share = mix.share[0].expand(16)[:, None]
    plain = functional.one_hot(batch.targets[0], 3).double()
    labels = share * plain + (1.0 - share) * plain[partner]
    alone = Population(
        own.network,
        [Candidate(spec.without("target"), lr=3e-3)],
        own.classes,
        device=CPU,
        dtype=F64,
    )
    features = Features(pixels=pixels[None])
    alone.step(Batch(features, labels[None]), Orders([0], 60, 16, device=CPU), 1.0)
    torch.testing.assert_close(population.rows, alone.rows, rtol=0, atol=1e-10)


def test_tokens_are_partners_in_twos_of_whole_sequences() -> None:
    partners = torch.tensor([[2, 0, 1, 4, 3], [0, 1, 2, 3, 4]])
    # Of 3, 1, 5, 2 and 4 tokens, with a pad each; the other order has shorter ones.
    lengths = torch.tensor([[4, 2, 6, 3, 5], [2, 2, 2, 2, 2]])
    shares = torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.5]]).repeat(2, 1)
    found, share = of_tokens(partners, shares, lengths, [0, 1])
    assert found.shape == share.shape == (2, 1, 20)
    first = [0, 4, 6, 12, 15]
    expected = list(range(20))
    for one, other in ((2, 0), (1, 4)):
        for place in range(min(lengths[0, one], lengths[0, other]) - 1):
            expected[first[one] + place] = first[other] + place
            expected[first[other] + place] = first[one] + place
    assert found[0, 0].tolist() == expected
    assert sorted(found[1, 0].tolist()) == list(range(20))
    assert found[1, 0, :10].tolist() == [2, 1, 0, 3, 6, 5, 4, 7, 8, 9]
    of_row = torch.arange(5).repeat_interleave(lengths[0])
    torch.testing.assert_close(share[0, 0], shares[0][of_row])
    assert of_tokens(partners, shares[:, :1], lengths, [0, 1])[1].shape == (2, 1, 1)


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
