"""A module trains on its own tensors as in a loop of torch: rates, clipping, inputs."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from autoloss.core.errors import InputError
from autoloss.core.settings import NetworkConfig, TrainingConfig
from autoloss.data import DataOptions, StudyData, prepare
from autoloss.losses import LossSpec
from autoloss.models import OwnModel, networks_for
from autoloss.models.custom.check import check_network
from autoloss.models.custom.own import open_model
from autoloss.readout import fold_numbers
from autoloss.training import Candidate, Job, Orders, train
from autoloss.training.optimiser import lr_factor

CPU = torch.device("cpu")
N = 150
X = torch.randn(N, 2, 4, 4, generator=torch.Generator().manual_seed(0))
CODES = torch.randint(0, 7, (N, 3), generator=torch.Generator().manual_seed(1))
Y = (X[:, 0, 0, 0] > 0).long() + (CODES[:, 0] > 3)


class Net(nn.Module):
    """A backbone with tied and frozen weights and a normalisation, and a head."""

    def __init__(self, n_outputs: int = 3) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 16)
        )
        self.again = nn.Linear(16, 16)
        self.again.weight = self.backbone[3].weight
        self.frozen = nn.Linear(16, 16).requires_grad_(False)
        self.head = nn.Linear(16, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.relu(self.backbone(x))
        found: Tensor = self.head(functional.relu(self.again(self.frozen(hidden))))
        return found


class Rated(Net):
    lr_factors: ClassVar = {"backbone": 0.1, "backbone.0": 0.5}


def job_of(data: StudyData, model: Any, *, clip: float = 0.0) -> Job:
    """Return the job of the first division, in double precision."""
    fold = data.folds[0]
    own = model if isinstance(model, OwnModel) else open_model(model)
    (network,) = networks_for([fold.encoding.schema], data.task.n_outputs, NetworkConfig(), own)
    return Job.prepare(
        network,
        fold.train,
        fold.valid,
        class_counts=fold.class_counts,
        folds=fold_numbers(fold.valid.targets),
        config=TrainingConfig(batch_size=32, max_epochs=2, patience=2, clip=clip),
        device=CPU,
        dtype=torch.float64,
    )


@pytest.fixture(scope="module")
def pictures() -> StudyData:
    return prepare((X, Y), DataOptions())


def by_torch(net: nn.Module, job: Job, candidate: Candidate, groups: Any, clip: float) -> Tensor:
    """Train a module by torch alone; return its logits of the held-out rows after every epoch."""
    net = net.double()
    optimiser = torch.optim.AdamW(groups, lr=0.0, weight_decay=candidate.weight_decay)
    dense = job.train.features(torch.arange(len(job.train))[None])["inputs"][0]
    valid = job.valid.features(torch.arange(len(job.valid))[None])["inputs"][0]
    config, step, found = job.config, 0, []
    orders = Orders([candidate.seed], len(job.train), job.train.batch_rows(config), device=CPU)
    total = orders.steps * config.max_epochs
    for _ in range(config.max_epochs):
        net.train()
        for rows in orders.epoch()[:, 0]:
            loss = functional.cross_entropy(net(dense[rows]), job.train.targets[rows])
            share = lr_factor(step, total, warmup=config.warmup, decay=config.decay)
            for group in optimiser.param_groups:
                group["lr"] = candidate.lr * share * group["factor"]
            optimiser.zero_grad()
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_([p for p in net.parameters() if p.requires_grad], clip)
            optimiser.step()
            step += 1
        net.eval()
        found.append(net(valid).detach())
    return torch.stack(found)


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("clip", [0.0, 0.3])
def test_rates_clipping_and_tied_weights_are_those_of_torch(
    pictures: StudyData, clip: float, stacked: bool
) -> None:
    job = job_of(pictures, OwnModel(Rated, "Rated", stacked=stacked), clip=clip)
    candidates = [
        Candidate(LossSpec(), lr=0.02 * (k + 1), weight_decay=0.1, seed=3) for k in range(2)
    ]
    outcomes = train(job, candidates)
    for candidate, outcome in zip(candidates, outcomes, strict=True):
        torch.manual_seed(3)
        net = Rated()
        first = {"params": list(net.backbone[0].parameters()), "factor": 0.5}
        rest = [p for layer in net.backbone[1:] for p in layer.parameters()]
        others = [net.again.bias, *net.head.parameters()]
        groups = [first, {"params": rest, "factor": 0.1}, {"params": others, "factor": 1.0}]
        logits = by_torch(net, job, candidate, groups, clip)
        own = logits[outcome.report.best_epoch - 1]
        torch.testing.assert_close(outcome.logits, own, rtol=0, atol=1e-8)


def test_every_candidate_begins_from_a_given_module(pictures: StudyData) -> None:
    torch.manual_seed(5)
    given = Net()
    given.backbone[1].running_mean += 3.0
    job = job_of(pictures, given)
    for seed in (0, 1):
        row = job.network.initial(torch.Generator().manual_seed(seed))
        views = {name: one[0] for name, one in job.network.layout.views(row[None]).items()}
        for name, one in {**dict(given.named_parameters()), **dict(given.named_buffers())}.items():
            assert torch.equal(views[name], one.detach().double())
    before = given.head.weight.detach().clone()
    train(job, [Candidate(LossSpec(), lr=0.01, seed=0)])
    assert torch.equal(given.head.weight, before)


def checked(given: Any, model: Any) -> Any:
    """Return the behaviour of a module on data, as the check before a search finds it."""
    data = prepare(given, DataOptions())
    own = open_model(model)
    (network,) = networks_for([data.encoding.schema], data.task.n_outputs, NetworkConfig(), own)
    return check_network(network, network.sample(data.train.inputs, torch.arange(16)))


class Embedded(nn.Module):
    """A module of codes by name, which returns outputs as libraries do."""

    def __init__(self, n_outputs: int, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 8)
        self.head = nn.Linear(8, n_outputs)
        self.wrap = wrap

    def forward(self, codes: Tensor, mask: Tensor | None = None) -> Any:
        hidden = self.embed(codes)
        if mask is not None:
            hidden = hidden * mask[..., None]
        return self.wrap(self.head(hidden.mean(1)))


class OfDict(nn.Module):
    """A module of a whole dict."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Embedded(3, lambda logits: logits)

    def forward(self, batch: dict[str, Tensor]) -> Any:
        return self.net(batch["codes"], batch["mask"])


MASK = torch.ones(N, 3)
WRAPS: dict[str, Callable[[Tensor], Any]] = {
    "tensor": lambda logits: logits,
    "tuple": lambda logits: (logits, None),
    "dict": lambda logits: {"logits": logits},
    "field": lambda logits: types.SimpleNamespace(loss=None, logits=logits),
}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("inputs", [{"codes": CODES, "mask": MASK}, (CODES, MASK), CODES])
def test_inputs_and_outputs_of_every_form(inputs: Any, wrap: str) -> None:
    behaviour = checked((inputs, Y), lambda example, n: Embedded(n, WRAPS[wrap]))
    assert behaviour.refusal == ""
    assert behaviour.agrees


def test_a_module_of_one_argument_gets_the_dict() -> None:
    assert checked(({"codes": CODES, "mask": MASK}, Y), OfDict).agrees


def test_the_example_has_the_form_of_the_inputs() -> None:
    seen = []

    def make(example: Any, n_outputs: int) -> nn.Module:
        seen.append((example, n_outputs))
        return Embedded(n_outputs, WRAPS["tensor"])

    checked(({"codes": CODES, "mask": MASK}, Y), make)
    example, n_outputs = seen[0]
    assert n_outputs == 3
    assert {name: (one.dtype, tuple(one.shape)) for name, one in example.items()} == {
        "codes": (torch.int64, (1, 3)),
        "mask": (torch.float32, (1, 3)),
    }


@pytest.mark.parametrize("make", [Net, lambda n_outputs: Net(n_outputs), lambda n, c: Net(c)])
def test_a_maker_gets_what_its_signature_asks_for(pictures: StudyData, make: Any) -> None:
    assert job_of(pictures, make).network.layout.shapes["head.weight"] == (3, 16)


def test_a_module_in_half_precision_is_trained_with_full_weights() -> None:
    half = nn.Sequential(nn.Flatten(), nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 3)).bfloat16()
    assert checked((X, Y), half).refusal == ""
    data = prepare((X, Y), DataOptions())
    own = open_model(half)
    (network,) = networks_for([data.encoding.schema], 3, NetworkConfig(), own)
    weights = network.layout.views(network.initial(torch.Generator())[None].float())
    inputs = data.train.inputs.take(torch.arange(8)[None])
    logits = network.body(weights, network.encode(inputs))
    assert logits.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        expected = half.float()(inputs.tensors["inputs"][0])
    torch.testing.assert_close(logits[0], expected.float(), rtol=0, atol=0.02)


class Uncopied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.lines = (line for line in "ab")


class Infinite(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / 0.0


def rated(factors: Any) -> nn.Module:
    net = Net()
    net.lr_factors = factors
    return net


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Uncopied(), "model must be a network that copy.deepcopy can copy"),
        (Infinite, "must give finite logits with its first weights"),
        (lambda: Net(5), r"to logits \(16, 3\), but .* gave float32 \(16, 5\)"),
        (lambda: rated({"trunk": 0.1}), "has none for 'trunk'"),
        (lambda: rated({"backbone": 0.0}), "lr_factors above 0"),
    ],
)
def test_a_fault_of_the_module_is_one_line(model: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        checked((X, Y), model)
    assert "\n" not in str(caught.value)


class Growing(Dataset[Any]):
    """Examples that random numbers change much."""

    def __len__(self) -> int:
        return N

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return X[number] + torch.randn(()), int(Y[number])


def test_random_changes_are_drawn_anew_for_every_mini_batch() -> None:
    job = job_of(prepare(Growing(), DataOptions()), Net)
    first, second = torch.tensor([[3, 4, 5]]), torch.tensor([[4, 3, 5]])
    one, other = (job.train.features(rows)["inputs"][0] for rows in (first, second))
    assert torch.equal(job.train.features(first)["inputs"][0], one)
    assert not torch.allclose(one[0], other[1])
    held = job.valid.features(torch.tensor([[0, 1]]))["inputs"][0]
    assert torch.equal(held, job.valid.features(torch.tensor([[1, 0]]))["inputs"][0].flip(0))
