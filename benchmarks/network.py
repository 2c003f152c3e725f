"""Tuned cross-entropy alone, by the parts of the network and of its training: an ablation.

    python -m benchmarks.network --data DIR [SET ...] [--variants NAME ...] [--seeds 2]

DIR holds a folder for each table, with ``NAME/NAME.parquet``. For each set, seed and variant the
same settings of learning rate, weight decay and dropout train together, each on two seeds of the
weights, and are ranked by their log loss on the held-out quarter after calibration. The mean of
the probabilities of the best three, each with its own temperature, is judged on the rows that were
kept apart. A line of JSON in `--log` is a set, seed and variant; a line that is there is not made
again. `--print` trains nothing and writes the page.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import qmc
from torch import Tensor

from autoloss.core.settings import NetworkConfig, ProtocolConfig, TrainingConfig
from autoloss.data import DataOptions, prepare
from autoloss.losses import LossSpec
from autoloss.readout import fit_temperature, fold_numbers
from autoloss.training import Candidate, Job, Outcome, train
from autoloss.training.rows import logits_of
from benchmarks.log import add, read
from benchmarks.network_variants import Course, Parts, Variant, VariedNetwork, varied
from benchmarks.ship_studies import SETS, Set

Figures = dict[str, Any]
LOG, OUT = Path("reports/quality/network.jsonl"), Path("reports/quality/network.md")
ROWS, FRESH, FEWEST = 4_000, 4_000, 30
"""The most rows to train and choose on, the most rows kept apart, and the fewest of a class."""
SHARE = 0.6
"""The share of a small table to train and choose on."""
DRAWS, SEEDS_OF_A_DRAW, SHIPPED = 8, 2, 3
CPU = torch.device("cpu")

_NETWORK, _TRAINING = NetworkConfig(), TrainingConfig()


BASE = "default"
"""The default network, of which each variant changes one part."""


def _of_network(meaning: str, **settings: Any) -> Variant:
    return Variant(meaning, network=NetworkConfig(**settings))


def _of_parts(meaning: str, **settings: Any) -> Variant:
    return Variant(meaning, parts=Parts(**settings))


def _of_training(meaning: str, **settings: Any) -> Variant:
    return Variant(meaning, training=TrainingConfig(**settings))


def _of_course(meaning: str, **settings: Any) -> Variant:
    return Variant(meaning, course=Course(**settings))


VARIANTS: Mapping[str, Variant] = {
    BASE: Variant("the default network: of all columns together, a bin for 20 rows"),
    "any_all": _of_course("any number of bins of all columns together", rows_of_any_bin=None),
    "any_10": _of_course("of all columns together, a bin for 10 rows", rows_of_any_bin=10),
    "any_40": _of_course("of all columns together, a bin for 40 rows", rows_of_any_bin=40),
    "plain": _of_network("numbers alone, without quantile bins", bins=0),
    "bins_2": _of_network("at most 2 bins of a column", bins=2),
    "bins_4": _of_network("at most 4 bins of a column", bins=4),
    "bins_8": _of_network("at most 8 bins of a column", bins=8),
    "waves": _of_parts("sines and cosines of 8 fixed frequencies beside the bins", waves=8),
    "periodic": _of_parts("learnt frequencies beside the bins (PBLD)", periodic=16),
    "learnt": _of_network("learnt frequencies in place of bins", numbers="waves"),
    "scale": _of_parts("a learnt scale of each input, 6 times the rate", scale=6.0),
    "skip": _of_parts("a linear term of the inputs", skip=True),
    "heads": _of_parts("4 heads that share the weights (TabM-mini)", heads=4),
    "silu": _of_parts("SiLU in place of ReLU", activation="silu"),
    "gelu": _of_parts("GELU in place of ReLU", activation="gelu"),
    "mish": _of_parts("Mish in place of ReLU", activation="mish"),
    "selu": _of_parts("SELU in place of ReLU", activation="selu"),
    "no_norm": _of_network("without layer normalisation", normalise=False),
    "affine": _of_parts("normalisation with a learnt scale and shift", affine=True),
    "zero": _of_parts("a last layer that begins at 0", zero=True),
    "bias": _of_parts("initial biases from -1 to 1 in place of 0", bias=1.0),
    **{
        f"width_{width}": _of_network(f"width {width}", width=width)
        for width in (64, 96, 128, 256, 384)
    },
    "depth_3": _of_network("3 hidden layers", depth=3),
    "residual": Variant(
        "3 hidden layers, the second and third residual",
        network=NetworkConfig(depth=3),
        parts=Parts(residual=True),
    ),
    "beta2_95": _of_course("second moments that decay by 0.95", beta2=0.95),
    "average": _of_course("an average of the weights, decay 0.98 a step", average=0.98),
    "falling_dropout": _of_course("dropout that falls to 0", falling_dropout=True),
    "decay_all": _of_training("a learning rate that falls from the first step", decay=1.0),
    "cosine": _of_course("a cosine schedule", schedule="cosine"),
    "coslog4": Variant(
        "four cycles of the learning rate, without early stopping",
        training=TrainingConfig(patience=_TRAINING.max_epochs),
        course=Course(schedule="coslog4"),
    ),
    "patient": _of_training("no early stopping", patience=_TRAINING.max_epochs),
    **{
        f"epochs_{epochs}": _of_training(f"{epochs} epochs", max_epochs=epochs)
        for epochs in (24, 64, 100)
    },
}


def draws(count: int = DRAWS) -> list[tuple[float, float, float]]:
    """Return learning rates, weight decays and dropout rates, the default space's defaults first.

    The others are a Sobol sequence over the ranges of the space.
    """
    place = qmc.Sobol(3, seed=1234).random(count)
    rate = 3e-4 * (1e-2 / 3e-4) ** place[:, 0]
    decay = 1e-5 * (0.3 / 1e-5) ** place[:, 1]
    found = np.stack([rate, decay, 0.5 * place[:, 2]], axis=1)
    found[0] = 2e-3, 1e-2, 0.1
    return [(float(one), float(two), float(three)) for one, two, three in found]


def rows_of(one: Set, data: Path, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to train and choose on, and rows kept apart; each seed has its own."""
    frame = one.frame(data).sample(frac=1, random_state=seed)
    counts = frame[one.target].value_counts()
    frame = frame[frame[one.target].isin(counts.index[counts >= FEWEST])]
    count = min(ROWS, int(SHARE * len(frame)))
    fresh = frame.iloc[count : count + FRESH]
    return frame.iloc[:count], fresh[fresh[one.target].isin(set(frame[one.target].iloc[:count]))]


def measured(one: Set, data: Path, name: str, seed: int) -> Figures:
    """Return the figures of a variant on a set."""
    variant = VARIANTS[name]
    own, fresh = rows_of(one, data, seed)
    with varied(variant):
        options = DataOptions(target=one.target, test=fresh, seed=seed)
        # One holdout, and no locked rows but the ones kept apart.
        protocol = ProtocolConfig(folds=1, judge="locked")
        found = prepare(own, options, bins=max(variant.network.bins, 1), protocol=protocol)
        fold, locked = found.folds[0], found.locked
        assert locked is not None
        network = VariedNetwork(fold.encoding.schema, len(fold.class_counts), variant.network)
        job = Job.prepare(
            network,
            fold.train,
            fold.valid,
            class_counts=fold.class_counts,
            folds=fold_numbers(fold.valid.targets, seed=seed),
            config=variant.training,
            device=CPU,
        )
        started = time.process_time()
        candidates = [
            Candidate(LossSpec(), lr=lr, weight_decay=decay, dropout=rate, seed=100 * seed + again)
            for again in range(SEEDS_OF_A_DRAW)
            for lr, decay, rate in draws()
        ]
        outcomes = train(job, candidates)
        seconds = time.process_time() - started
        part = locked.open()
        logits = torch.cat(
            [
                logits_of(network, one.weights[None], [LossSpec()], job.encoded(part))
                for one in outcomes
            ]
        )
    return {
        "set": one.name,
        "variant": name,
        "seed": seed,
        "train": len(fold.train),
        "fresh": len(part),
        "inputs": network.encoded_width,
        "weights": network.layout.size,
        "seconds": round(seconds, 2),
        "epochs": sum(outcome.report.epochs for outcome in outcomes) / len(outcomes),
        **_judged(outcomes, logits, job.valid.targets, part.targets),
    }


def _judged(outcomes: Sequence[Outcome], logits: Tensor, valid: Tensor, fresh: Tensor) -> Figures:
    """Return the log loss on fresh rows: of the best setting, and of the mean of the best three.

    Shape:
        - logits: ``(K, N, C)``
    """
    beta = torch.stack(
        [fit_temperature(one.logits.log_softmax(-1)[None], valid)[0].exp() for one in outcomes]
    )
    log_probs = (logits * beta[:, None, None]).log_softmax(-1)
    held_out = np.array(
        [
            min((point.refined_log_loss for point in one.report.curve), default=math.inf)
            for one in outcomes
        ]
    ).reshape(SEEDS_OF_A_DRAW, -1)
    order = held_out.mean(0).argsort()
    rows = torch.arange(len(fresh))

    def loss(places: np.ndarray) -> float:
        mean = log_probs[places.tolist()].logsumexp(0) - math.log(len(places))
        return round(-float(mean[rows, fresh].mean()), 5)

    def trainings(best: int) -> np.ndarray:
        return (order[:best] + DRAWS * np.arange(SEEDS_OF_A_DRAW)[:, None]).ravel()

    return {
        "draw": int(order[0]),
        "valid": round(float(held_out.mean(0)[order[0]]), 5),
        "best": loss(trainings(1)),
        "shipped": loss(trainings(SHIPPED)),
    }


def run(
    sets: Sequence[str],
    variants: Sequence[str],
    seeds: int,
    data: Path,
    log: Path,
    limit: float,
) -> bool:
    """Make the lines that the log lacks, until the time is up; return whether all are there."""
    done = {(line["set"], line["variant"], line["seed"]) for line in read(log)}
    log.parent.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + limit
    for seed in range(seeds):
        for one in SETS:
            for name in variants if one.name in sets else ():
                if (one.name, name, seed) in done:
                    continue
                if time.monotonic() > ends:
                    return False
                print(add(log, measured(one, data, name, seed)), end="", flush=True)
    return True


def ratios(lines: Sequence[Figures]) -> list[Figures]:
    """Return each variant against the default network, over the sets and seeds that both have."""
    by_key = {(line["set"], line["seed"], line["variant"]): line for line in lines}
    rows = []
    for name, variant in VARIANTS.items():
        pairs = [
            (line, by_key[line["set"], line["seed"], BASE])
            for line in lines
            if line["variant"] == name and (line["set"], line["seed"], BASE) in by_key
        ]
        if not pairs:
            continue
        logs = [math.log(own["shipped"] / base["shipped"]) for own, base in pairs]
        alone = [math.log(own["best"] / base["best"]) for own, base in pairs]
        # Half the width of a 95 % interval, from the spread between sets and seeds.
        half = 1.96 * statistics.stdev(logs) / math.sqrt(len(logs)) if len(logs) > 2 else math.nan
        rows.append(
            {
                "variant": name,
                "meaning": variant.meaning,
                "sets": len({own["set"] for own, _ in pairs}),
                "pairs": len(pairs),
                "log loss, %": _percent(statistics.fmean(logs)),
                "±": "-" if math.isnan(half) else f"{100 * half:.1f}",
                "of one setting, %": _percent(statistics.fmean(alone)),
                "lower in": sum(value < 0 for value in logs),
                "seconds, %": _percent(
                    statistics.median(
                        math.log(own["seconds"] / base["seconds"]) for own, base in pairs
                    )
                ),
            }
        )
    return rows


def _percent(log_ratio: float) -> str:
    return f"{100 * math.expm1(log_ratio):+.1f}"


def by_set(lines: Sequence[Figures]) -> list[Figures]:
    """Return the log loss of the shipped model, its mean over the seeds, a row for each set."""
    names = [name for name in VARIANTS if any(line["variant"] == name for line in lines)]
    rows = []
    for one in SETS:
        own = [line for line in lines if line["set"] == one.name]
        if own:
            row: Figures = {"set": one.name, "rows": own[0]["train"]}
            for name in names:
                found = [line["shipped"] for line in own if line["variant"] == name]
                row[name] = f"{statistics.fmean(found):.4f}" if found else "-"
            rows.append(row)
    return rows


def markdown(lines: Sequence[Figures]) -> str:
    """Return the figures as a page."""
    return "\n\n".join(
        [
            "# The default network",
            "```console\n$ python -m benchmarks.network --data DIR\n```",
            f"Cross-entropy without a search of losses, on at most {ROWS:,} rows of a table, a "
            f"quarter of them held out: {DRAWS} settings of learning rate, weight decay and "
            f"dropout train together, each on {SEEDS_OF_A_DRAW} seeds of the weights. The model "
            f"is the mean of the probabilities of the best {SHIPPED}. Figures are from unseen "
            f"rows, at most {FRESH:,}; each variant changes one part of the default network or "
            "of its training.",
            "## Each part by itself",
            "The geometric mean of the log loss relative to `default`, over sets and seeds, of "
            "the model and of the best setting by itself; ± is half of a 95 % interval. Seconds "
            "are of one core of a busy machine, the median of the pairs.",
            _table(ratios(lines)),
            "## By set",
            "Log loss in nats, the mean over the seeds.",
            _table(by_set(lines)),
        ]
    ) + "\n"  # fmt: skip


def _table(rows: Sequence[Figures]) -> str:
    """Return rows as a table in Markdown."""
    if not rows:
        return "None."
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main() -> None:
    """Make the lines that are missing; write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = [one.name for one in SETS]
    parser.add_argument("sets", nargs="*", default=known, help=", ".join(known))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--limit", type=float, default=math.inf, help="seconds for this call")
    parser.add_argument("--print", action="store_true", help="train nothing")
    parser.add_argument("--log", type=Path, default=LOG, help="a line of JSON for each training")
    parser.add_argument("--out", type=Path, default=OUT, help="the page")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.print:
        names = [BASE, *(name for name in options.variants if name != BASE)]
        is_whole = run(
            options.sets, names, options.seeds, options.data, options.log, options.limit
        )
        print("complete" if is_whole else "time is up: run again to continue")
    page = markdown(read(options.log))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
