"""Structure of proteins: the effect of the smoothness of neighbours on error and segments.

    python -m benchmarks.segments weights|search --data DIR [--trials 32]

DIR holds ``protein_ts115/protein_ts115.parquet``; all figures are of chains that a training run
held out, in five folds. `weights` trains cross-entropy by the weight of the penalty `jsd`, at one
learning rate. `search` compares the trials of a search with the penalty and without it: its space
has cross-entropy, Brier, and focal with gamma 0, which is cross-entropy as a family that draws a
penalty. Only the quotas of the families count, because they share their learning rates, weight
decays and dropout rates. It draws ``reports/quality/segments.svg``. Each prints a line of JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import autoloss
from autoloss.data import DataOptions, prepare
from autoloss.experiment import conclusion
from autoloss.experiment.replication import replicate
from autoloss.losses import ClassFacts, LossSpec
from autoloss.metrics import resolve_metric
from autoloss.metrics.segments import Segments
from autoloss.metrics.token_places import TokenPlaces
from autoloss.readout import Items
from autoloss.records import REFINED_LOG_LOSS, TrialRecord
from autoloss.training import Candidate, train
from autoloss.verdict.finalists import FinalistChoice
from autoloss.verdict.metric_rows import metric_on_rows
from autoloss.verdict.resampling import resamples_of
from benchmarks.segments_figure import draw
from benchmarks.sequences import divisions_of

ASIDE = ("q3", "ordered", "evaluate", "id")
WEIGHTS = (0.0, 0.1, 0.3, 1.0)
METRICS = ("error", "segment_overlap", "log_loss")
SEGMENTS = "segments of a chain"
RESAMPLES = 500
FIGURE = Path("reports/quality/segments.svg")
FloatArray = NDArray[np.float64]


def proteins(folder: Path) -> pd.DataFrame:
    """Return the chains with their residues and their structure in eight classes."""
    frame = pd.read_parquet(folder / "protein_ts115" / "protein_ts115.parquet")
    found: pd.DataFrame = frame.drop(columns=list(ASIDE), errors="ignore")
    return found


@dataclass(frozen=True, eq=False)
class Judge:
    """Computes figures of predictions for tokens that training runs held out, by whole chains.

    Args:
        items: The tokens.
        facts: The counts of their tags.
    """

    items: Items
    facts: ClassFacts

    def values(self, probs: FloatArray) -> dict[str, FloatArray]:
        """Return each figure, on all chains first and then on the resamples."""
        labels = self.items.labels.numpy()
        every = np.arange(len(labels))
        drawn = resamples_of(
            labels, resamples=RESAMPLES, seed=0, clusters=self.items.cluster_numbers
        )
        rows = [every, *drawn]
        found = {}
        for name in METRICS:
            metric = metric_on_rows(resolve_metric(name), self.facts, self.items)
            found[name] = np.array([metric.among(own).fn(probs[own], labels[own]) for own in rows])
        chains = self.items.cluster_numbers
        assert chains is not None
        of_chain, first = self.segments(probs.argmax(-1)), np.unique(chains, return_index=True)[1]
        # A chain is drawn as often as its first token.
        times = [np.bincount(own, minlength=len(labels))[first] for own in rows]
        found[SEGMENTS] = np.array([(of_chain * one).sum() / one.sum() for one in times])
        return found

    def segments(self, tags: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the segments of each chain."""
        places = TokenPlaces.of(self.items, self.facts)
        assert places is not None
        runs = places.runs
        starts = Segments.of(tags[runs.index], runs.follows).starts
        return np.bincount(places.rows[runs.index][starts], minlength=self.items.n_rows)


def interval(values: FloatArray) -> list[float]:
    """Return a figure with its 95 % interval, from its value and those of the resamples."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return [float(values[0]), float(low), float(high)]


def weights(folder: Path) -> dict[str, Any]:
    """Return the figures of cross-entropy by the weight of smoothness, the mean of two seeds."""
    data = prepare(proteins(folder), DataOptions(target="q8", tokens="residues"))
    divisions = divisions_of(data)
    specs = [
        LossSpec.from_dict({"base": "cross_entropy", "penalty": "jsd", "jsd.weight": weight})
        if weight
        else LossSpec()
        for weight in WEIGHTS
    ]
    candidates = [
        Candidate(spec, lr=4e-3, weight_decay=0.05, dropout=0.3, seed=seed, fold=fold)
        for spec, seed, fold in itertools.product(specs, range(2), range(len(divisions)))
    ]
    outcomes = train(divisions.jobs, candidates)
    facts = ClassFacts(data.class_counts, task="sequence", names=data.task.tags)
    judge, n = Judge(Items.of(divisions.targets, facts), facts), len(divisions)
    found = {}
    for number, weight in enumerate(WEIGHTS):
        own = outcomes[number * 2 * n : (number + 1) * 2 * n]
        probs = [
            torch.cat([one.logits.softmax(-1) for one in own[start : start + n]], 1)
            for start in (0, n)
        ]
        mean = judge.items.scores(torch.stack(probs).mean(0)[None])[0]
        values = judge.values(mean.double().numpy())
        found[str(weight)] = {name: interval(one) for name, one in values.items()}
    return found


class _Done(Exception):
    """The training runs that the benchmark needs have ended."""


def search(folder: Path, trials: int) -> dict[str, Any]:
    """Return the figures of the best trials with the penalty and without it, and draw them."""
    frame = proteins(folder)
    data = prepare(frame, DataOptions(target="q8", tokens="residues"))
    facts = ClassFacts(data.class_counts, task="sequence", names=data.task.tags)
    found: dict[str, Any] = {"trials": trials}
    judged: dict[str, dict[str, FloatArray]] = {}
    for name, own in finalists(frame, trials).items():
        judge = Judge(Items.pooled(own.pop("keys"), own.pop("tags")), facts)
        judged[name] = judge.values(own.pop("probs"))
        found[name] = own
        found["true segments of a chain"] = judge.segments(judge.items.labels.numpy()).mean()
    first = next(iter(judged.values()))
    for name, values in judged.items():
        found[name]["figures"] = {key: interval(one) for key, one in values.items()}
        found[name]["differences"] = {
            key: interval(one - first[key]) for key, one in values.items()
        }
    figures = {name: found[name]["figures"] for name in judged}
    FIGURE.write_text(draw(figures, found["true segments of a chain"]), encoding="utf-8")
    return found


def finalists(frame: pd.DataFrame, trials: int) -> dict[str, dict[str, Any]]:
    """Return the trials of each role after a search, with their held-out predictions."""
    found: dict[str, dict[str, Any]] = {}

    def keep(session: Any, picked: Any, *, baseline: int) -> None:
        """Train the trials of each role again, on five fresh folds, and keep their predictions."""
        study = session.study
        chosen = roles(study.trials)
        numbers = dict.fromkeys((baseline, *(one.number for one in chosen.values())))
        again = replicate(
            session, [FinalistChoice(n, ("benchmark",)) for n in numbers], baseline=baseline
        )
        for role, one in chosen.items():
            held_out = again.held_out[one.number]
            found[role] = {
                "label": one.label,
                "trial": one.number,
                "search": {name: one.metrics[name] for name in METRICS if name in one.metrics},
                "probs": np.exp(held_out.calibrated(study.seed)),
                "keys": torch.from_numpy(held_out.pooled.rows),
                "tags": torch.from_numpy(held_out.pooled.targets),
            }
        raise _Done

    with tempfile.TemporaryDirectory() as out, mock.patch.object(conclusion, "replicate", keep):
        path = Path(out) / "proteins.toml"
        path.write_text(make_space(), encoding="utf-8")
        try:
            autoloss.search(
                frame,
                "q8",
                tokens="residues",
                metric="segment_overlap",
                space=path,
                trials=trials,
                workers=1,
                track="off",
                refit=False,
                out=out,
            )
        except _Done:
            return found
    raise AssertionError("A search must train its finalists again.")


def make_space() -> str:
    """Return the space of cross-entropy and Brier with the penalty, by both objectives."""
    text = Path("search_spaces/sequence.toml").read_text(encoding="utf-8")
    lists = {
        "bases": ("cross_entropy", "brier", "focal"),
        "priors": ("none",),
        "targets": ("none",),
        "penalties": ("none", "jsd"),
    }
    for key, names in lists.items():
        line = f"{key} = {json.dumps(names)}"
        text, count = re.subn(rf"^{key} = \[[^]]*\]", line, text, flags=re.MULTILINE)
        assert count == 1, key
    head = 'objectives = ["refined_log_loss", "error"]\nfocal.gamma = 0.0\n'
    # Each chain is held out once by the last training runs.
    return f"{head}{text}\n[protocol]\nouter_repeats = 1\n"


def roles(trials: Sequence[TrialRecord]) -> Mapping[str, TrialRecord]:
    """Return the best trials of the quotas by log loss and by overlap, without and with `jsd`."""
    done = [one for one in trials if one.state == "complete" and one.origin != "sampler"]
    found = {}
    for name, is_smooth in (("without jsd", False), ("with jsd", True)):
        some = [one for one in done if (one.loss.get("penalty") == "jsd") == is_smooth]
        if some:
            found[f"{name}, by log loss"] = min(some, key=lambda t: t.metrics[REFINED_LOG_LOSS])
            found[f"{name}, by overlap"] = max(some, key=lambda t: t.metrics["segment_overlap"])
    return found


def main() -> None:
    """Run a part of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("part", choices=("weights", "search"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=32)
    given = parser.parse_args()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "weights": lambda: weights(given.data),
        "search": lambda: search(given.data, given.trials),
    }
    print(json.dumps(parts[given.part]()))


if __name__ == "__main__":
    main()
