"""A custom module trains as it would in its own loop, stacked or looped."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from autoloss.core.settings import TrainingConfig
from autoloss.losses import LossSpec
from autoloss.models import OwnModel, OwnNetwork
from autoloss.readout import fold_numbers
from autoloss.training import Candidate, Job, Orders, Outcome, Pool, train
from autoloss.training.optimiser import lr_factor
from tests.training.conftest import N_CLASSES, make_part, make_schema

CPU = torch.device("cpu")
Make = Callable[[int, int], nn.Module]


def plain(n_features: int, n_outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_features, 12), nn.Tanh(), nn.Linear(12, n_outputs))


def dropping(n_features: int, n_outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Dropout(0.1),
        nn.Linear(n_features, 12),
        nn.ReLU(inplace=True),
        nn.Dropout(0.4),
        nn.Linear(12, n_outputs),
    )


def normalised(n_features: int, n_outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.BatchNorm1d(n_features),
        # The slope of a bias here would be nothing but rounding, which Adam makes large.
        nn.Linear(n_features, 12, bias=False),
        nn.BatchNorm1d(12),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(12, n_outputs),
    )


class Averaged(nn.Module):
    """A module that vmap cannot call: it looks at its weights, and sets a buffer anew."""

    def __init__(self, n_features: int, n_outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_features, n_outputs)
        self.frozen = nn.Parameter(torch.full((n_outputs,), 0.5), requires_grad=False)
        self.unused = nn.Parameter(torch.ones(3))
        self.register_buffer("mean", torch.zeros(n_features))
        self.mean: Tensor

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        moved = self.linear(x - self.mean)
        is_bent = float(self.linear.weight.detach().sum()) > 0
        return functional.relu(moved) + self.frozen if is_bent else moved


MODULES = {"plain": plain, "dropping": dropping, "normalised": normalised, "averaged": Averaged}
FORMS = [(name, form) for name in MODULES for form in ("stacked", "looped")]
FORMS.remove(("averaged", "stacked"))


def make_own(
    make: Make, form: str = "stacked", *, parts: int = 1, width: int | None = None
) -> list[Job]:
    model = OwnModel(make, "make", stacked=form == "stacked")
    jobs = []
    for i in range(parts):
        rows, valid = make_part(130 + 40 * i, 2 * i), make_part(70, 2 * i + 1)
        jobs.append(
            Job.prepare(
                OwnNetwork(make_schema(), N_CLASSES, model, width=width),
                rows,
                valid,
                class_counts=torch.bincount(rows.targets, minlength=N_CLASSES),
                folds=fold_numbers(valid.targets),
                config=TrainingConfig(batch_size=32, max_epochs=3, patience=3),
                device=CPU,
                dtype=torch.float64,
            )
        )
    return jobs


def assert_same(one: Outcome, other: Outcome, atol: float = 1e-10) -> None:
    assert (one.report.state, one.report.best_epoch, len(one.report.curve)) == (
        other.report.state,
        other.report.best_epoch,
        len(other.report.curve),
    )
    torch.testing.assert_close(one.weights, other.weights, rtol=0, atol=atol)
    torch.testing.assert_close(one.logits, other.logits, rtol=0, atol=10 * atol)


def by_torch(make: Make, job: Job, candidate: Candidate) -> tuple[Tensor, Tensor]:
    """Train one module by torch alone; return its weights and logits after every epoch."""
    dense = job.train.features(torch.arange(len(job.train))[None])["dense"][0]
    valid = job.valid.features(torch.arange(len(job.valid))[None])["dense"][0]
    torch.manual_seed(candidate.seed)
    net = make(dense.shape[1], N_CLASSES).double()
    optimiser = torch.optim.AdamW(
        [one for one in net.parameters() if one.requires_grad],
        lr=candidate.lr,
        weight_decay=candidate.weight_decay,
    )
    orders = Orders([candidate.seed], len(job.train), 32, device=CPU)
    config = job.config
    total, step = orders.steps * config.max_epochs, 0
    rows, logits = [], []
    for _ in range(config.max_epochs):
        net.train()
        for batch in orders.epoch()[:, 0]:
            torch.manual_seed(orders.seeds()[0])
            loss = functional.cross_entropy(net(dense[batch]), job.train.targets[batch])
            factor = lr_factor(step, total, warmup=config.warmup, decay=config.decay)
            optimiser.param_groups[0]["lr"] = candidate.lr * factor
            optimiser.zero_grad(set_to_none=False)
            loss.backward()
            optimiser.step()
            step += 1
        net.eval()
        state = {**dict(net.named_parameters()), **dict(net.named_buffers())}
        rows.append(
            torch.cat([state[n].detach().double().flatten() for n in job.network.layout.shapes])
        )
        logits.append(net(valid).detach())
    return torch.stack(rows), torch.stack(logits)


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_a_module_ends_with_the_weights_of_a_loop_by_torch(name: str, form: str) -> None:
    (job,) = make_own(MODULES[name], form)
    candidate = Candidate(LossSpec(), lr=5e-3, weight_decay=0.1, seed=3)
    other = replace(candidate, lr=1e-3)
    before = torch.get_rng_state()
    outcome = train(job, [other, candidate])[1]
    assert torch.equal(before, torch.get_rng_state())
    rows, logits = by_torch(MODULES[name], job, candidate)
    views = job.network.layout.views(
        torch.stack([outcome.weights, rows[outcome.report.best_epoch - 1]])
    )
    views.pop("unused", None)  # torch leaves out tensors without a gradient, and does not decay it
    for both in views.values():
        torch.testing.assert_close(both[0], both[1], rtol=0, atol=1e-9)
    torch.testing.assert_close(
        outcome.logits, logits[outcome.report.best_epoch - 1], rtol=0, atol=1e-8
    )


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_together_equals_alone(name: str, form: str, mixed: list[Candidate]) -> None:
    mixup = LossSpec.from_dict({"base": "cross_entropy", "target": "mixup", "mixup.alpha": 0.4})
    asked = [*mixed[:4], replace(mixed[1], spec=mixup)]
    (job,) = make_own(MODULES[name], form)
    together = train(job, asked)
    for k in (0, 3, 4):
        assert_same(together[k], train(job, [asked[k]])[0])


@pytest.mark.parametrize("name", ["dropping", "normalised"])
def test_both_forms_give_the_same(name: str, mixed: list[Candidate]) -> None:
    (stacked,), (looped,) = (make_own(MODULES[name], form) for form in ("stacked", "looped"))
    for one, other in zip(train(stacked, mixed), train(looped, mixed), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize(
    ("name", "form"), [("normalised", "stacked"), ("dropping", "looped"), ("averaged", "looped")]
)
def test_divisions_and_who_joins_later(name: str, form: str, mixed: list[Candidate]) -> None:
    jobs = make_own(MODULES[name], form, parts=2)
    first = [replace(candidate, fold=fold) for fold in (1, 0) for candidate in mixed[:2]]
    pool = Pool(jobs)
    numbers = pool.join(first)
    pool.epoch()
    pool.drop([numbers[1]])
    numbers += pool.join(first[::-1])
    while pool.alive:
        pool.epoch()
    asked = [*first, *first[::-1]]
    for k in (0, 3, 4, 6):
        assert_same(pool.take(numbers[k]), train(jobs, [asked[k]])[0])
    assert pool.take(numbers[1]).report.state == "stopped"


def test_a_seed_decides_what_is_drawn() -> None:
    (job,) = make_own(dropping)
    candidate = Candidate(LossSpec(), lr=1e-3, seed=5)
    first, again = train(job, [candidate])[0], train(job, [candidate])[0]
    assert torch.equal(first.weights, again.weights)
    assert not torch.allclose(first.weights, train(job, [replace(candidate, seed=6)])[0].weights)


def test_dropout_is_there_while_training_and_not_in_the_logits() -> None:
    (job,), (other,) = make_own(dropping), make_own(lambda f, c: dropping(f, c)[1:])
    candidate = Candidate(LossSpec(), lr=3e-3, seed=1)
    assert not torch.allclose(
        train(job, [candidate])[0].weights[:12], train(other, [candidate])[0].weights[:12]
    )
    network = job.network
    weights = network.layout.views(
        network.initial(torch.Generator().manual_seed(0))[None].double()
    )
    features = job.valid.features(torch.arange(20)[None])
    assert torch.equal(network.body(weights, features), network.body(weights, features))


def test_running_statistics_are_those_of_the_best_epoch_and_nothing_decays_them() -> None:
    (job,) = make_own(normalised)
    candidate = Candidate(LossSpec(), lr=0.3, weight_decay=0.5, seed=2)
    outcome = train(job, [candidate])[0]
    views = job.network.layout.views(outcome.weights[None])
    steps = outcome.report.best_epoch * (len(job.train) // 32)
    assert views["0.num_batches_tracked"].item() == steps
    assert job.network.layout.state == {n for n in views if "running" in n or "tracked" in n}
    # The first layer normalises the inputs: its statistics can be told without the network.
    orders = Orders([2], len(job.train), 32, device=CPU)
    mean = torch.zeros(job.network.encoded_width, dtype=torch.float64)
    for _ in range(outcome.report.best_epoch):
        for rows in orders.epoch():
            mean = 0.9 * mean + 0.1 * job.train.features(rows)["dense"][0].mean(0)
    torch.testing.assert_close(views["0.running_mean"][0], mean, rtol=0, atol=1e-12)


def test_the_memory_of_a_step_is_told_by_what_backward_keeps() -> None:
    (small,), (large,) = (
        make_own(lambda f, c, w=w: nn.Sequential(nn.Linear(f, w), nn.ReLU(), nn.Linear(w, c)))
        for w in (10, 1000)
    )
    assert large.network.widest == 1000
    assert small.network.widest == small.network.encoded_width
    assert 3 * 1000 <= large.network.activations <= 20 * 1000
    (job,) = make_own(normalised)
    assert job.network.activations > 0


def test_what_a_row_is(job: Job) -> None:
    network = OwnNetwork(make_schema(), N_CLASSES, OwnModel(plain, "plain"), width=100)
    part = make_part(50, 0)
    inputs = replace(part.inputs, categories=part.inputs.categories.clone())
    inputs.categories[0] = 0
    dense = network.encode(inputs)["dense"]
    assert dense.shape == (50, 100)
    torch.testing.assert_close(dense[:, :4], inputs.numeric.nan_to_num())
    assert torch.equal(dense[:, 4] == 1, inputs.numeric[:, 2].isnan())
    assert dense[0, 5 : 5 + 3 + 39].sum() == 0
    assert torch.equal(dense[:, 5:8].argmax(1)[1:] + 1, inputs.categories[1:, 0].clamp_min(1))
    weights = torch.zeros(50, 50)
    for row, place in itertools.product(range(50), range(6)):
        term = int(inputs.terms[row, place]) + (20 if place >= 4 else 0)
        weights[row, term] += inputs.shares[row, place]
    torch.testing.assert_close(dense[:, 47:97], weights)
    assert not dense[:, 97:].any()


def test_more_features_than_columns_change_no_logits_of_those_that_do_not_read_them() -> None:
    def reading(n_features: int, n_outputs: int) -> nn.Module:
        return nn.Sequential(nn.Unflatten(1, (1, n_features)), Head(n_outputs))

    class Head(nn.Module):
        def __init__(self, n_outputs: int) -> None:
            super().__init__()
            self.linear = nn.Linear(8, n_outputs)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x[:, 0, :8])

    candidate = Candidate(LossSpec(), lr=1e-2, seed=0)
    (narrow,), (wide,) = make_own(reading), make_own(reading, width=99)
    assert_same(train(narrow, [candidate])[0], train(wide, [candidate])[0])


def test_a_module_whose_weights_become_infinite_diverges_alone() -> None:
    (job,) = make_own(normalised)
    calm = Candidate(LossSpec(), lr=1e-3, seed=0)
    wild, outcome = train(job, [replace(calm, lr=1e300), calm])
    assert (wild.report.state, outcome.report.state) == ("diverged", "complete")
    assert_same(outcome, train(job, [calm])[0])


@pytest.mark.gpu
def test_on_a_gpu_a_candidate_is_what_it_is_alone(mixed: list[Candidate]) -> None:
    (cpu,) = make_own(normalised)
    job = Job.prepare(
        cpu.network,
        cpu.train.part,
        cpu.valid.part,
        class_counts=cpu.class_counts,
        folds=cpu.folds,
        config=cpu.config,
        device=torch.device("cuda"),
        dtype=torch.float64,
    )
    together = train(job, mixed[:4])
    for k in (0, 3):
        assert_same(together[k], train(job, [mixed[k]])[0], atol=1e-8)
