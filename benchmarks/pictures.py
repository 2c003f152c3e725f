"""Images: training together against one by one, and a search on Fashion-MNIST.

    python -m benchmarks.pictures speed|search|digits --data DIR [--rows N] [--tail F] [--noise P]
        [--metric NAME] [--time-limit SECONDS] [--trials N]

DIR holds ``fashion_mnist/train.npz`` and ``fashion_mnist/test.npz``. `speed` trains the same
candidates together, and one by one in a loop over the same network in plain torch, in the
precision that is faster. `search` is a search on the given parts, or on the first N training
images; with `--tail F` the classes have F to 1 training images in a geometric row, with
`--noise P` this share of the training labels is another class. The test images stay as they are.
`digits` is a search of scikit-learn's digits. Each prints a line of JSON. The project is held to
the figures of:

    search --data DIR --time-limit 1200
    search --data DIR --tail 100 --metric balanced_error --time-limit 480
    search --data DIR --rows 24000 --noise 0.2 --time-limit 480
    digits --time-limit 240
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import autoloss
from autoloss.data import DataOptions, prepare
from autoloss.losses import ClassFacts, LossSpec
from autoloss.models import ImageNetwork
from autoloss.models.augment import augmented
from autoloss.search import load_space
from autoloss.training import Candidate, Job, train
from autoloss.training.divisions import Divisions

CPU = torch.device("cpu")
SPACE = load_space("image")


def subset(folder: Path, rows: int, to: Path, *, tail: float = 1.0, noise: float = 0.0) -> Path:
    """Write the first training images as a separate file; return it.

    Args:
        folder: The folder of the data.
        rows: How many; 0 for all.
        to: The folder of the file.
        tail: Images of the most frequent class for one of the rarest, which is the last.
        noise: Share of the labels that are wrong.
    """
    with np.load(folder / "fashion_mnist" / "train.npz") as stored:
        images, labels = stored["images"], stored["labels"]
    images, labels = images[: rows or None], labels[: rows or None].copy()
    draw = np.random.default_rng(0)
    if tail > 1.0:
        classes, counts = np.unique(labels, return_counts=True)
        shares = tail ** -np.linspace(0.0, 1.0, len(classes))
        kept = [
            draw.permutation(np.flatnonzero(labels == one))[: round(counts.min() * share)]
            for one, share in zip(classes, shares, strict=True)
        ]
        chosen = np.sort(np.concatenate(kept))
        images, labels = images[chosen], labels[chosen]
    wrong = draw.random(len(labels)) < noise
    n_classes = int(labels.max()) + 1
    labels[wrong] = (labels[wrong] + draw.integers(1, n_classes, int(wrong.sum()))) % n_classes
    path = to / "train.npz"
    np.savez(path, images=images, labels=labels)
    return path


class PlainNetwork(nn.Module):
    """The network of `ImageNetwork` as anybody would write it, for images of 28 x 28."""

    def __init__(self, network: ImageNetwork, dropout: float) -> None:
        super().__init__()
        width, depth = network.config.width, network.config.depth
        self.first = nn.Conv2d(1, width // 2, 4, stride=2, padding=1)
        self.join = nn.Conv2d(width // 2, width, 2, stride=2, bias=False)
        self.blocks = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(16 * width, network.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of standardised images (B, 1, 28, 28)."""

        def activated(y: Tensor) -> Tensor:
            last = y.permute(0, 2, 3, 1)
            return functional.layer_norm(last, last.shape[-1:]).relu().permute(0, 3, 1, 2)

        x = self.first(x).relu()
        x = activated(self.join(x))
        for block in self.blocks:
            x = x + activated(block(x))
        x = functional.avg_pool2d(functional.pad(x, (0, 1, 0, 1)), 2)
        return self.output(self.dropout(x.flatten(1)))


def one_by_one(job: Job, candidates: list[Candidate], epochs: int, dtype: torch.dtype) -> None:
    """Train candidates one after the other, in a loop without anything that can be left out."""
    network = job.network
    assert isinstance(network, ImageNetwork)
    fill = torch.tensor(network.schema.mean)
    size = job.train.batch_rows(job.config.batch_size)
    pixels, targets = job.train.part.inputs.pixels, job.train.targets
    held_out = job.valid.part.inputs.pixels
    mean, scale = network.schema.mean[0], network.schema.scale[0]

    def scaled(images: Tensor) -> Tensor:
        x = ((images.float() - mean) / scale).permute(0, 3, 1, 2)
        return x.contiguous(memory_format=torch.channels_last)

    for candidate in candidates:
        net = PlainNetwork(network, candidate.dropout).to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(
            net.parameters(), lr=candidate.lr, weight_decay=candidate.weight_decay, fused=True
        )
        for epoch in range(epochs):
            net.train()
            order = torch.randperm(len(pixels))
            for step, rows in enumerate(torch.split(order[: len(order) // size * size], size)):
                images = augmented(pixels[rows][None], [step + epoch], network.augment, fill)[0]
                with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
                    logits = net(scaled(images))
                loss = functional.cross_entropy(logits.float(), targets[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            net.eval()
            with torch.no_grad():
                for images in torch.split(held_out, 512):
                    net(scaled(images))


def speed(folder: Path, rows: int, candidates: int, epochs: int) -> dict[str, Any]:
    """Return the seconds of both loops, each the shorter of two."""
    from dataclasses import replace

    with tempfile.TemporaryDirectory() as place:
        data = prepare(subset(folder, rows or 6_000, Path(place)), DataOptions())
    training = replace(SPACE.training, max_epochs=epochs, patience=epochs)
    divisions = Divisions.of(
        data.folds[:1],
        data.task.n_classes,
        SPACE.network,
        training,
        device=CPU,
        seed=0,
        facts=ClassFacts(data.class_counts),
        augment=SPACE.augment,
    )
    job = divisions.jobs[0]
    given = [
        Candidate(LossSpec(), lr=3e-3, weight_decay=0.05, dropout=0.2, seed=0)
        for _ in range(candidates)
    ]
    seconds: dict[str, list[float]] = {"together": [], "bfloat16": [], "float32": []}
    for _ in range(2):
        started = time.perf_counter()
        train(job, given)
        seconds["together"].append(time.perf_counter() - started)
        for dtype in (torch.bfloat16, torch.float32):
            started = time.perf_counter()
            one_by_one(job, given[:2], epochs, dtype)
            taken = (time.perf_counter() - started) * candidates / 2
            seconds[str(dtype).removeprefix("torch.")].append(taken)
    best = {name: min(each) for name, each in seconds.items()}
    return {
        "candidates": candidates,
        "epochs": epochs,
        "rows": len(job.train),
        "seconds": best,
        "ratio": min(best["bfloat16"], best["float32"]) / best["together"],
        "threads": torch.get_num_threads(),
    }


def search(source: str | Path, test: Path | None, place: str, **how: Any) -> dict[str, Any]:
    """Return the figures of a search's verdict, and the errors of the models that could ship."""
    result = autoloss.search(source, test=test, name="pictures", out=place, track="off", **how)
    summary = result.summary
    verdict = summary.verdict
    return {
        "rows": summary.data.n_rows,
        "tested": verdict.n_test,
        "limit": how["time_limit"],
        "seconds": summary.seconds["total"],
        "trials": len(summary.trials),
        "verdict": verdict.decision,
        "text": verdict.text,
        "comparisons": {
            one.metric: (one.challenger, one.baseline, one.low, one.high)
            for one in verdict.comparisons
        },
        "ships": {one.name: (one.metric, one.log_loss) for one in summary.policies},
        "recommended": result.recommended.to_dict(),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("speed", "search", "digits"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--tail", type=float, default=1.0)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--metric")
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--trials", type=int, default=64)
    asked = parser.parse_args()
    if asked.what != "digits" and asked.data is None:
        parser.error("--data DIR is needed for Fashion-MNIST")
    how = {"trials": asked.trials, "time_limit": asked.time_limit, "metric": asked.metric}
    with tempfile.TemporaryDirectory() as place:
        if asked.what == "speed":
            found = speed(asked.data, asked.rows, asked.candidates, asked.epochs)
        elif asked.what == "digits":
            found = search("sklearn:digits", None, place, images="image", **how)
        else:
            source = subset(
                asked.data, asked.rows, Path(place), tail=asked.tail, noise=asked.noise
            )
            test = asked.data / "fashion_mnist" / "test.npz"
            found = search(source, test, place, **how)
    print(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
