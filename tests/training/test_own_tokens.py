"""A custom network reads sequences padded, and its result is that of torch alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autoloss.core.errors import InputError
from autoloss.core.settings import TrainingConfig
from autoloss.losses import ClassFacts, LossSpec
from autoloss.models import OwnModel, OwnTokenNetwork
from autoloss.models.custom.check import check_network
from autoloss.readout import fold_numbers
from autoloss.training import Candidate, Job, token_rows, train
from autoloss.training.pool import orders_of
from autoloss.training.rows import logits_of
from tests.training.test_token_rows import CPU, ENCODING, SPECS, part


class Convolved(nn.Module):
    """A convolution over the tokens, with dropout and statistics of the batch."""

    def __init__(self, n_codes: int, n_features: int, n_outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_codes, 4, padding_idx=0)
        self.numbers = nn.Linear(n_features, 4)
        self.convolution = nn.Conv1d(4, 4, 3, padding=1)
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(4, n_outputs)

    def forward(self, codes: Tensor, numbers: Tensor, mask: Tensor) -> Tensor:
        x = (self.embedding(codes) + self.numbers(numbers)) * mask.unsqueeze(-1)
        y = self.convolution(x.transpose(1, 2)).transpose(1, 2)
        logits: Tensor = self.output(self.dropout(torch.tanh(y)))
        return logits


class Recurrent(nn.Module):
    """A recurrent layer in both directions, over packed sequences or over pads too."""

    def __init__(
        self, n_codes: int, n_features: int, n_outputs: int, *, packs: bool = True
    ) -> None:
        super().__init__()
        self.packs = packs
        self.embedding = nn.Embedding(n_codes, 4)
        self.layer = nn.GRU(4, 4, batch_first=True, bidirectional=True)
        self.output = nn.Linear(8, n_outputs)

    def forward(self, codes: Tensor, numbers: Tensor, mask: Tensor) -> Tensor:
        x = self.embedding(codes)
        if not self.packs:
            logits: Tensor = self.output(self.layer(x)[0])
            return logits
        packed = nn.utils.rnn.pack_padded_sequence(
            x, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        hidden, _ = nn.utils.rnn.pad_packed_sequence(
            self.layer(packed)[0], batch_first=True, total_length=codes.shape[1]
        )
        logits = self.output(hidden)
        return logits


def network(make: Any, *, stacked: bool) -> OwnTokenNetwork:
    return OwnTokenNetwork(ENCODING.schema, 3, OwnModel(make, "make", stacked=stacked))


def job(own: OwnTokenNetwork, seed: int = 0, n: int = 60) -> Job:
    valid = part(seed + 50, 20)
    return Job.prepare(
        own,
        part(seed, n),
        valid,
        class_counts=ClassFacts(torch.ones(3), task="sequence"),
        folds=fold_numbers(len(valid), seed=0),
        config=TrainingConfig(batch_size=32, max_epochs=2),
        device=CPU,
        dtype=torch.float64,
    )


FORMS = [(Convolved, True), (Convolved, False), (Recurrent, False)]


@pytest.mark.parametrize(("make", "stacked"), FORMS)
def test_logits_are_those_of_the_module_for_each_sequence_alone(make: Any, stacked: bool) -> None:
    own = network(make, stacked=stacked)
    one = job(own)
    weights = torch.stack([own.initial(torch.Generator().manual_seed(seed)) for seed in (0, 1)])
    found = logits_of(own, weights.double(), [LossSpec(), LossSpec()], one.valid)
    inputs, places = one.valid.inputs, one.valid.tags
    for k, seed in enumerate((0, 1)):
        torch.manual_seed(seed)
        module = make(ENCODING.schema.n_codes + 1, ENCODING.schema.width, 3).double().eval()
        for row in range(len(inputs)):
            alone = inputs.take(torch.tensor([row]))
            numbers = torch.cat([alone.of_kind[alone.kinds], alone.numbers], -1).double()
            codes = alone.codes[None] + 1
            expected = module(codes, numbers[None], torch.ones_like(codes, dtype=torch.bool))[0]
            at = places.places(torch.tensor([row]))
            torch.testing.assert_close(found[k, 0, at], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("make", "stacked"), FORMS)
def test_together_equals_alone(make: Any, stacked: bool) -> None:
    own = network(make, stacked=stacked)
    jobs = [job(own), job(own, 1, n=47)]
    candidates = [
        Candidate(spec, lr=3e-3, weight_decay=0.01, seed=seed, fold=fold)
        for spec, seed, fold in zip(SPECS[:3], (0, 1, 0), (0, 0, 1), strict=True)
    ]
    together = train(jobs, candidates)
    for candidate, outcome in zip(candidates, together, strict=True):
        (alone,) = train(jobs, [candidate])
        torch.testing.assert_close(outcome.weights, alone.weights, rtol=0, atol=1e-10)
        torch.testing.assert_close(outcome.logits, alone.logits, rtol=0, atol=1e-10)


def test_mini_batches_have_neighbours_in_length() -> None:
    one = job(network(Convolved, stacked=True), n=200)
    orders = orders_of([one], [0], [0])
    drawn, tokens, padded = [], 0, 0
    for rows in orders.epoch():
        (given,) = one.network.arguments(one.batch(rows).features)
        codes, numbers, mask = given.tensors
        assert numbers.shape == (*codes.shape, ENCODING.schema.width)
        assert torch.equal(mask, codes > 0)
        tokens, padded = tokens + int(mask.sum()), padded + mask.numel()
        drawn += rows.flatten().tolist()
    assert len(set(drawn)) == len(drawn)
    assert tokens > 0.8 * padded


def test_long_sequences_come_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_rows, "WINDOW", 5)
    own = network(Convolved, stacked=False)
    monkeypatch.setattr(own, "reach", 2, raising=False)
    one = job(own)
    assert len(one.valid) > len(one.valid.inputs)
    weights = own.initial(torch.Generator().manual_seed(0)).double()[None]
    found = logits_of(own, weights, [LossSpec()], one.valid)
    whole = own.body(own.layout.views(weights), own.encode(one.valid.inputs))
    torch.testing.assert_close(found[:, 0], whole, rtol=0, atol=1e-10)


def test_a_module_that_reads_pads_is_refused() -> None:
    inputs = part(0, 20).inputs
    assert check_network(network(Recurrent, stacked=False), inputs).refusal
    assert not check_network(network(Convolved, stacked=False), inputs).refusal

    def reads_pads(*sizes: int) -> nn.Module:
        return Recurrent(*sizes, packs=False)

    with pytest.raises(InputError, match="leave pads out by mask"):
        check_network(network(reads_pads, stacked=False), inputs)
    with pytest.raises(
        InputError, match=r"n_codes=\d+, n_features=\d+, n_outputs=3, but make gave"
    ):
        network(lambda n_features, n_outputs: nn.Linear(2, 2), stacked=False).module(0)
    with pytest.raises(InputError, match=r"to logits \(20, \d+, 3\), but make gave float32"):
        check_network(network(lambda f, c, n: Convolved(f, c, n + 1), stacked=False), inputs)
