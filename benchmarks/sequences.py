"""Sequences: training together against one by one, and a search beside a CRF.

    python -m benchmarks.sequences speed|crf|search --data DIR [--trials 128]

DIR holds ``wnut17_ner/wnut17_ner.parquet``. `speed`
trains the same candidates together, and one by one in a loop over the same network in plain torch
on padded mini-batches of the same sequences. `crf` trains a linear-chain CRF with hand-made
features (``sklearn-crfsuite``, which nothing else needs) on WNUT 2017, chooses its two penalties
on the development part, and judges it on the test part by entity F1. `search` is a search on the
same parts. Each prints a line of JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

import autoloss
from autoloss.data import DataOptions, StudyData, prepare
from autoloss.losses import ClassFacts, LossSpec
from autoloss.metrics import Judged, resolve_metric
from autoloss.metrics.token_places import TokenPlaces
from autoloss.readout import Items
from autoloss.search import load_space
from autoloss.training import Candidate, EncodedTokens, Job, Orders, train
from autoloss.training.divisions import Divisions
from autoloss.training.pool import orders_of

CPU = torch.device("cpu")
SPACE = load_space("sequence")


def wnut(folder: Path) -> pd.DataFrame:
    """Return WNUT 2017 with its parts."""
    frame: pd.DataFrame = pd.read_parquet(folder / "wnut17_ner" / "wnut17_ner.parquet")
    return frame


def divisions_of(data: StudyData, **training: Any) -> Divisions:
    """Return the divisions of sequences under the space for sequences."""
    from dataclasses import replace

    facts = ClassFacts(data.class_counts, task="sequence", names=data.task.tags)
    return Divisions.of(
        data.folds,
        data.task.n_classes,
        SPACE.network,
        replace(SPACE.training, **training),
        device=CPU,
        seed=0,
        facts=facts,
    )


class PlainNetwork(nn.Module):
    """The network of `TokenNetwork` as anybody would write it, on padded mini-batches."""

    def __init__(self, job: Job, dropout: float) -> None:
        super().__init__()
        network = job.network
        config, shape = network.config, network.shape
        self.embedding = nn.Embedding(shape.n_codes, config.embedding)
        self.first = nn.Linear(config.embedding + shape.width, config.width)
        self.hidden = nn.ModuleList(
            nn.Conv1d(config.width, config.width, 3, padding=d, dilation=d)
            for d in network.distances
        )
        self.norms = nn.ModuleList(
            nn.LayerNorm(config.width, elementwise_affine=False) for _ in range(config.depth + 1)
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(config.width, network.n_classes)

    def forward(self, codes: Tensor, numbers: Tensor, mask: Tensor) -> Tensor:
        """Return the logits of padded tokens, (B, T, C)."""
        x = self.first(torch.cat([self.embedding(codes), numbers], -1))
        x = self.dropout(functional.relu(self.norms[0](x))) * mask
        for layer, norm in zip(self.hidden, list(self.norms)[1:], strict=True):
            y = layer(x.transpose(1, 2)).transpose(1, 2)
            x = (x + self.dropout(functional.relu(norm(y)))) * mask
        return self.output(x)


def padded(part: EncodedTokens) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Return a function that gives codes, numbers, tags and mask of padded sequences by number."""
    inputs = part.inputs
    dense = torch.cat([inputs.of_kind[inputs.kinds], inputs.numbers], -1)
    starts = inputs.lengths.cumsum(0) - inputs.lengths
    tags = part.tags.values

    def batch(rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        length = inputs.lengths[rows]
        place = torch.arange(int(length.max()))
        mask = place < length[:, None]
        at = (starts[rows, None] + place).clamp_max(len(tags) - 1)
        return inputs.codes[at], dense[at], tags[at].masked_fill(~mask, -100), mask[..., None]

    return batch


def one_by_one(job: Job, candidates: list[Candidate], epochs: int) -> None:
    """Train candidates one after the other, in a loop without anything that can be left out."""
    batch, valid = padded(job.train), padded(job.valid)
    held_out = torch.split(torch.tensor(job.valid.by_length.tolist()), 256)
    size = job.train.batch_rows(job.config.batch_size)
    for candidate in candidates:
        net = PlainNetwork(job, candidate.dropout)
        optimiser = torch.optim.AdamW(
            net.parameters(), lr=candidate.lr, weight_decay=candidate.weight_decay, fused=True
        )
        # Mini-batches of neighbours in length, which pads least.
        order = job.train.by_length
        for _ in range(epochs):
            net.train()
            groups = torch.split(order[: len(order) // size * size], size)
            for group in torch.randperm(len(groups)).tolist():
                codes, numbers, tags, mask = batch(groups[group])
                logits = net(codes, numbers, mask)
                loss = functional.cross_entropy(logits.flatten(0, 1), tags.flatten())
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            net.eval()
            with torch.no_grad():
                for rows in held_out:
                    codes, numbers, tags, mask = valid(rows)
                    functional.cross_entropy(
                        net(codes, numbers, mask).flatten(0, 1), tags.flatten()
                    )


def speed(folder: Path, candidates: int, epochs: int) -> dict[str, Any]:
    """Return the seconds of both loops, each the shorter of two, and the share of pads."""
    data = prepare(wnut(folder), DataOptions(target="tags", tokens="tokens"))
    job = divisions_of(data, max_epochs=epochs, patience=epochs).jobs[0]
    given = [
        Candidate(LossSpec(), lr=4e-3, weight_decay=0.05, dropout=0.3, seed=0)
        for _ in range(candidates)
    ]
    together, alone = [], []
    for _ in range(2):
        started = time.perf_counter()
        train(job, given)
        together.append(time.perf_counter() - started)
        started = time.perf_counter()
        one_by_one(job, given[:2], epochs)
        alone.append((time.perf_counter() - started) * candidates / 2)
    return {
        "candidates": candidates,
        "epochs": epochs,
        "together_s": min(together),
        "one_by_one_s": min(alone),
        "ratio": min(alone) / min(together),
        "pads": pads(job),
        "threads": torch.get_num_threads(),
    }


def pads(job: Job) -> float:
    """Return the share of pads in the tokens of an epoch."""
    orders: Orders = orders_of([job], [0], [0])
    own = total = 0
    for rows in orders.epoch():
        batch = job.batch(rows)
        total += batch.features["codes"][..., 0].numel()
        own += int(batch.mask.sum())
    return 1.0 - own / total


def token_features(words: list[str], place: int) -> dict[str, Any]:
    """Return the usual hand-made features of a token for a CRF."""
    word = words[place]
    found: dict[str, Any] = {
        "bias": 1.0,
        "lower": word.lower(),
        "title": word.istitle(),
        "upper": word.isupper(),
        "digit": word.isdigit(),
        "punctuation": not any(c.isalnum() for c in word),
        "first": word[:1],
        "shape": "".join(
            k
            for k, _ in itertools.groupby(
                "X" if c.isupper() else "x" if c.islower() else "0" if c.isdigit() else c
                for c in word
            )
        ),
    }
    for n in (2, 3, 4):
        found[f"prefix{n}"], found[f"suffix{n}"] = word[:n].lower(), word[-n:].lower()
    for step in (-2, -1, 1, 2):
        if 0 <= place + step < len(words):
            other = words[place + step]
            found |= {
                f"{step}:lower": other.lower(),
                f"{step}:title": other.istitle(),
                f"{step}:upper": other.isupper(),
            }
        else:
            found[f"{step}:end"] = True
    return found


def entity_f1(true: list[list[str]], decided: list[list[str]]) -> float:
    """Return entity F1 by the metric of the package."""
    names = tuple(sorted({tag for tags in (*true, *decided) for tag in tags}))
    code = {name: number for number, name in enumerate(names)}
    facts = ClassFacts(torch.ones(len(names)), task="sequence", names=names)
    items = Items.of_sequences([torch.tensor([code[t] for t in tags]) for tags in true])
    flat = np.eye(len(names))[[code[tag] for tags in decided for tag in tags]]
    judged = Judged.of_probs(
        flat, items.labels.numpy(), facts=facts, tokens=TokenPlaces.of(items, facts)
    )
    return float(resolve_metric("entity_f1").of(judged)[0])


def crf(folder: Path) -> dict[str, Any]:
    """Return the entity F1 of a CRF on the test part, and its seconds."""
    import sklearn_crfsuite

    frame, parts = wnut(folder), {}
    for name in ("train", "dev", "test"):
        part = frame[frame.split == name]
        words = [list(one) for one in part.tokens]
        features = [[token_features(one, i) for i in range(len(one))] for one in words]
        parts[name] = (features, [list(one) for one in part.tags])
    started = time.perf_counter()
    found = {}
    for c1, c2 in itertools.product((0.01, 0.1), (0.01, 0.1)):
        model = sklearn_crfsuite.CRF(c1=c1, c2=c2, max_iterations=100)
        model.fit(*parts["train"])
        value = entity_f1(parts["dev"][1], model.predict(parts["dev"][0]))
        found[value] = (c1, c2, model)
    c1, c2, model = found[max(found)]
    test = entity_f1(parts["test"][1], model.predict(parts["test"][0]))
    return {
        "dev": max(found),
        "test": test,
        "c1": c1,
        "c2": c2,
        "seconds": time.perf_counter() - started,
    }


def search(folder: Path, trials: int, space: str, out: Path) -> dict[str, Any]:
    """Return the entity F1 of a search on the test part, of both models, and its seconds."""
    started = time.perf_counter()
    result = autoloss.search(
        wnut(folder),
        "tags",
        tokens="tokens",
        metric="entity_f1",
        trials=trials,
        space=space,
        out=out,
        track="off",
        drop=["id"],
    )
    (found,) = [one for one in result.verdict.comparisons if one.metric == "entity_f1"]
    return {
        "challenger": found.challenger,
        "baseline": found.baseline,
        "low": found.low,
        "high": found.high,
        "decision": result.verdict.decision,
        "trials": trials,
        "seconds": time.perf_counter() - started,
    }


def main() -> None:
    """Run a part of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("part", choices=("speed", "crf", "search"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--trials", type=int, default=128)
    parser.add_argument("--space", default="default")
    parser.add_argument("--out", type=Path, default=Path("reports"))
    given = parser.parse_args()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "speed": lambda: speed(given.data, given.candidates, given.epochs),
        "crf": lambda: crf(given.data),
        "search": lambda: search(given.data, given.trials, given.space, given.out),
    }
    print(json.dumps(parts[given.part]()))


if __name__ == "__main__":
    main()
