"""Mixup and CutMix at fixed settings: the tables of docs/mixup.md.

    python -m benchmarks.mixtures --data DIR [SET ...] [--seeds 2] [--rows 5000] [--epochs 10]

The settings of a set train together, on the same rows and from the same initial weights, with the
learning rate, weight decay and dropout of `SETTINGS`. The validation rows judge each by its error,
the log loss of its softmax and that after a cross-fitted temperature; the figures are means over
the seeds. Images are the first `--rows` of Fashion-MNIST, of which three quarters train.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from autoloss.core.settings import TrainingConfig
from autoloss.data import DataOptions, StudyData, prepare
from autoloss.losses import ClassFacts, LossSpec
from autoloss.metrics import resolve_metric
from autoloss.readout import Items
from autoloss.search import Scorer, Space, load_space
from autoloss.training import Candidate, train
from autoloss.training.divisions import Divisions
from benchmarks.pictures import subset

SETS = ("magic_gamma", "fashion_mnist")
SETTINGS = {"lr": 3e-3, "weight_decay": 0.01, "dropout": 0.1}
FIGURES = (
    "error",
    "raw_log_loss",
    "refined_log_loss",
    "calibration_loss",
    "smooth_ece",
    "temperature",
)
HEAD = (
    "| target | share | error | log loss | after the temperature | calibration loss "
    "| smooth calibration error | temperature |"
)


def mixed(target: str, alpha: float, *, per_example: int = 0) -> LossSpec:
    """Return cross-entropy with mixed examples."""
    own = {f"{target}.alpha": alpha, f"{target}.per_example": per_example}
    return LossSpec.from_dict({"base": "cross_entropy", "target": target, **own})


LOSSES = {
    "magic_gamma": (
        LossSpec(),
        *(mixed("mixup", alpha) for alpha in (0.1, 0.2, 0.4, 1.0)),
        *(mixed("mixup", alpha, per_example=1) for alpha in (0.2, 1.0)),
    ),
    "fashion_mnist": (
        LossSpec(),
        *(mixed("mixup", alpha) for alpha in (0.2, 1.0)),
        *(mixed("cutmix", 1.0, per_example=own) for own in (0, 1)),
    ),
}


def opened(name: str, options: argparse.Namespace) -> tuple[StudyData, Space, TrainingConfig]:
    """Return the data of a set, the space of its network, and the training."""
    if name == "fashion_mnist":
        space = load_space("image")
        space = replace(space, network=replace(space.network, width=16, depth=2))
        with tempfile.TemporaryDirectory() as place:
            data = prepare(subset(options.data, options.rows, Path(place)), DataOptions())
        epochs = options.epochs
        return data, space, replace(space.training, max_epochs=epochs, patience=epochs)
    space = load_space("quick")
    path = options.data / name / f"{name}.parquet"
    return prepare(path, DataOptions(target="class")), space, TrainingConfig(max_epochs=30)


def measured(name: str, options: argparse.Namespace) -> list[str]:
    """Return the rows of the table of a set."""
    data, space, training = opened(name, options)
    facts, losses = ClassFacts(data.class_counts, task=data.task.kind), LOSSES[name]
    divisions = Divisions.of(
        data.folds[:1],
        data.task.n_outputs,
        space.network.sized(data.n_rows, data.task.n_outputs),
        training,
        device=torch.device("cpu"),
        seed=0,
        facts=facts,
        augment=space.augment,
    )
    [job] = divisions.jobs
    seeds = range(options.seeds)
    candidates = [Candidate(loss, seed=seed, **SETTINGS) for seed in seeds for loss in losses]
    outcomes = train(job, candidates)
    scores = Scorer(job.classes, resolve_metric(None, facts=facts), 0).score(
        torch.stack([one.logits for one in outcomes]),
        Items.of(job.valid.targets, job.classes),
        [one.spec for one in candidates],
        folds=job.folds,
    )
    print(
        f"\n{name}: {len(data.train):,} training and {len(data.valid):,} validation rows, "
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}\n"
    )
    rows = [scores.row(place) for place in range(len(candidates))]
    count = len(losses)
    return [
        _line(loss, [sum(one[key] for one in rows[i::count]) / len(seeds) for key in FIGURES])
        for i, loss in enumerate(losses)
    ]


def _line(loss: LossSpec, figures: Sequence[float]) -> str:
    """Return a row of the table: the target, its share, and the figures."""
    own, (error, raw, refined, calibration, smooth, temperature) = loss.to_dict(), figures
    target = str(own.get("target", "none"))
    if target == "none":
        name, share = "hard labels", ""
    else:
        name = f"{target} {own[f'{target}.alpha']:g}"
        share = "an example" if own.get(f"{target}.per_example") else "a batch"
    return (
        f"| {name} | {share} | {error:.2%} | {raw:.4f} | {refined:.4f} "
        f"| {round(calibration, 4) + 0.0:.4f} | {smooth:.4f} | {temperature:.2f} |"
    )


def main() -> None:
    """Train the settings of each set and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sets", nargs="*", metavar="SET", default=list(SETS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=5_000, help="pictures")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of images")
    options = parser.parse_args()
    for name in options.sets:
        if name not in SETS:
            parser.error(f"SET must be one of {', '.join(SETS)}, but got {name}.")
        lines = measured(name, options)
        print(HEAD, "|---|---|---|---|---|---|---|---|", *lines, sep="\n")


if __name__ == "__main__":
    main()
