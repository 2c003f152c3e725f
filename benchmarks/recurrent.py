"""Sequences: dilated convolutions together against recurrent layers, by validation loss and time.

    python -m benchmarks.recurrent wnut|proteins --data DIR [--epochs 12]

Networks train on the same sequences, tags, schedule and learning rates: the built-in convolutions
and wider and deeper ones, candidates together; `torch.nn.GRU` in both directions over packed
sequences, which `torch.func.vmap` cannot call, so candidates one by one; and the same layer in
plain operations, candidates together. Each prints the seconds of a candidate and epoch, and the
lowest validation log loss of every learning rate with the seconds of a candidate until then, as a
line of JSON. Seconds are those of the processor on one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from autoloss.core.settings import NetworkConfig
from autoloss.data import DataOptions, StudyData, prepare
from autoloss.losses import ClassFacts, LossSpec
from autoloss.models import OwnModel
from autoloss.training import Candidate, train
from autoloss.training.divisions import Divisions
from benchmarks.sequences import CPU, SPACE, wnut

RATES = (1e-3, 2e-3, 4e-3, 8e-3)
WIDTH = 64


class Gru(nn.Module):
    """Embedded tokens and numbers, a recurrent layer in both directions, a linear layer."""

    def __init__(self, n_codes: int, n_features: int, n_outputs: int) -> None:
        super().__init__()
        config = SPACE.network
        self.embedding = nn.Embedding(n_codes, config.embedding, padding_idx=0)
        self.dropout = nn.Dropout(0.3)
        self.first = nn.Linear(config.embedding + n_features, WIDTH)
        self.layer = nn.GRU(WIDTH, WIDTH, batch_first=True, bidirectional=True)
        self.output = nn.Linear(2 * WIDTH, n_outputs)

    def forward(self, codes: Tensor, numbers: Tensor, mask: Tensor) -> Tensor:
        """Return the logits of padded tokens, (N, T, C)."""
        x = self.dropout(self.first(torch.cat([self.embedding(codes), numbers], -1)).relu())
        logits: Tensor = self.output(self.dropout(self.recurrent(x, mask)))
        return logits

    def recurrent(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the states of both directions, (N, T, 2 H)."""
        packed = nn.utils.rnn.pack_padded_sequence(
            x, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        return nn.utils.rnn.pad_packed_sequence(
            self.layer(packed)[0], batch_first=True, total_length=mask.shape[1]
        )[0]


class PlainGru(Gru):
    """The same in operations that `torch.func.vmap` knows, a step for each token."""

    def recurrent(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the states of both directions, (N, T, 2 H)."""
        return torch.cat(
            [self.direction(x, mask, "", 1), self.direction(x, mask, "_reverse", -1)], -1
        )

    def direction(self, x: Tensor, mask: Tensor, end: str, step: int) -> Tensor:
        """Return the states of one direction, (N, T, H)."""
        of_input, of_state, bias, bias_of_state = (
            getattr(self.layer, f"{name}_l0{end}")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        inputs = (x @ of_input.T + bias).unbind(1)
        masks = mask.unsqueeze(-1).unbind(1)
        state, found = torch.zeros_like(x[:, 0]), []
        for given, is_token in list(zip(inputs, masks, strict=True))[::step]:
            own = state @ of_state.T + bias_of_state
            reset, update, new = given.chunk(3, -1)
            own_reset, own_update, own_new = own.chunk(3, -1)
            update = torch.sigmoid(update + own_update)
            new = torch.tanh(new + torch.sigmoid(reset + own_reset) * own_new)
            # A pad leaves the state as it is.
            state = torch.where(is_token, new + update * (state - new), state)
            found.append(state)
        return torch.stack(found[::step], 1)


BUILT_IN = SPACE.network
FORMS: dict[str, tuple[NetworkConfig, OwnModel | None]] = {
    "convolutions": (BUILT_IN, None),
    "deeper": (replace(BUILT_IN, depth=5), None),
    "wider": (replace(BUILT_IN, depth=5, width=128), None),
    "gru": (BUILT_IN, OwnModel(Gru, "Gru", stacked=False)),
    "plain_gru": (BUILT_IN, OwnModel(PlainGru, "PlainGru", stacked=True)),
}


def data_of(name: str, folder: Path) -> StudyData:
    """Return the sequences of a set with their divisions."""
    if name == "wnut":
        return prepare(wnut(folder), DataOptions(target="tags", tokens="tokens", drop=("id",)))
    frame = pd.read_parquet(folder / "protein_ts115" / "protein_ts115.parquet")
    aside = ("q3", "ordered", "evaluate", "id")
    return prepare(frame, DataOptions(target="q8", tokens="residues", drop=aside))


def measured(data: StudyData, form: str, epochs: int, seeds: int) -> dict[str, Any]:
    """Return the seconds and losses of a network on the first division."""
    network, model = FORMS[form]
    facts = ClassFacts(data.class_counts, task="sequence", names=data.task.tags)
    training = replace(SPACE.training, max_epochs=epochs, patience=epochs)
    job = Divisions.of(
        data.folds[:1],
        data.task.n_classes,
        network,
        training,
        device=CPU,
        seed=0,
        facts=facts,
        model=model,
    ).jobs[0]
    candidates = [
        Candidate(
            LossSpec(), lr=lr, weight_decay=0.05, dropout=0.3 if model is None else 0.0, seed=seed
        )
        for lr in RATES
        for seed in range(seeds)
    ]
    # On one thread the processor's time is the time alone, however busy the machine is.
    started = time.process_time()
    outcomes = train(job, candidates)
    spent = time.process_time() - started
    each = spent / sum(len(one.report.curve) for one in outcomes)
    found: dict[str, Any] = {"candidates": len(candidates), "seconds_of_an_epoch": each}
    for number, lr in enumerate(RATES):
        own = outcomes[number * seeds : (number + 1) * seeds]
        losses = [min(point.refined_log_loss for point in one.report.curve) for one in own]
        best = [one.report.best_epoch for one in own]
        found[f"{lr:g}"] = {
            "log_loss": sum(losses) / seeds,
            "seconds": sum(best) / seeds * each,
        }
    return found


def main() -> None:
    """Measure the networks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("set", choices=("wnut", "proteins"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    given = parser.parse_args()
    data = data_of(given.set, given.data)
    for form in given.forms:
        line = measured(data, form, given.epochs, given.seeds)
        print(json.dumps({"set": given.set, "network": form, **line}), flush=True)


if __name__ == "__main__":
    main()
