"""Several labels a row: autoloss beside logistic regression and boosting of each label alone.

    python -m benchmarks.labels --data DIR [NAME ...] [--trials 128] [--space default] [--seed 0]
        [--log FILE] [--print]

Every set has its own training and test rows, in the column ``split``. All see the training rows
alone and are judged on the test rows: by the probability that they give each label, by decisions
at a half, and by F1 at thresholds that the training rows decide. `autoloss` fits the thresholds on
the rows that its training runs held out, the others by 5-fold cross-validation. Each (set, model,
settings) is a line of JSON in `--log`; a line that is there is not made again. The table is
written to ``reports/quality/labels.md``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import special
from sklearn import metrics
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import autoloss
from autoloss.losses import ClassFacts
from autoloss.metrics.label_places import LabelPlaces
from autoloss.metrics.label_thresholds import f1_thresholds
from autoloss.readout import Items
from benchmarks.log import add, read

LOG, PAGE = Path("reports/quality/labels.jsonl"), Path("reports/quality/labels.md")
SETS = ("ml_yeast", "ml_emotions")
SPLIT = "split"
FLOOR = 1e-7
FloatArray = NDArray[np.float64]
PEERS: dict[str, Callable[[], ClassifierMixin]] = {
    "logistic regression": lambda: make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=2_000)
    ),
    "gradient boosting": lambda: HistGradientBoostingClassifier(random_state=0),
}
FIGURES = {
    "hamming": "Hamming accuracy",
    "auroc": "AUROC (macro)",
    "precision": "average precision (macro)",
    "log_loss": "log loss",
    "f1": "F1 (macro) at thresholds",
    "f1_half": "F1 (macro) at a half",
    "micro": "F1 (micro) at thresholds",
    "seconds": "seconds",
}


@dataclass(frozen=True)
class Labels:
    """The rows of a set: inputs and answers, to train on and to test on."""

    names: tuple[str, ...]
    train: pd.DataFrame
    train_answers: NDArray[np.int64]
    test: pd.DataFrame
    test_answers: NDArray[np.int64]

    @classmethod
    def read(cls, name: str, data: Path) -> Labels:
        """Return a set."""
        names = json.loads((data / name / "meta.json").read_text(encoding="utf-8"))["targets"]
        table = pd.read_parquet(data / name / f"{name}.parquet")
        is_test = (table[SPLIT] == "test").to_numpy()
        inputs = table.drop(columns=[*names, SPLIT])
        answers = table[names].to_numpy(dtype=np.int64)
        return cls(
            tuple(names), inputs[~is_test], answers[~is_test], inputs[is_test], answers[is_test]
        )


@dataclass(frozen=True)
class Predicted:
    """Probabilities of the test rows (N, L), and the threshold of each label (L,)."""

    probs: FloatArray
    thresholds: FloatArray


def by_autoloss(labels: Labels, *, trials: int, space: str, seed: int) -> tuple[Predicted, Any]:
    """Search on the training rows and predict the test rows; return the study's facts too."""
    answers = pd.DataFrame(labels.train_answers, labels.train.index, list(labels.names))
    with tempfile.TemporaryDirectory() as out:
        result = autoloss.search(
            pd.concat([labels.train, answers], axis=1),
            ",".join(labels.names),
            trials=trials,
            space=space,
            seed=seed,
            label_decision="f1",
            track="off",
            out=out,
        )
        assert result.model is not None
        assert result.model.thresholds is not None
        probs = result.model.predict_proba(labels.test)
    summary = result.summary
    facts = {
        "verdict": summary.verdict.decision,
        "recommends": summary.trial(summary.recommended).label,
        "challenger": summary.trial(summary.verdict.challenger).label,
    }
    return Predicted(probs, result.model.thresholds.numpy()), facts


def by_label(labels: Labels, make: Callable[[], ClassifierMixin]) -> Predicted:
    """Fit a model of each label, and its threshold by cross-validation."""
    probs, held = np.empty(labels.test_answers.shape), np.empty(labels.train_answers.shape)
    for place in range(len(labels.names)):
        own = labels.train_answers[:, place]
        held[:, place] = cross_val_predict(
            make(), labels.train, own, cv=5, method="predict_proba"
        )[:, 1]
        probs[:, place] = make().fit(labels.train, own).predict_proba(labels.test)[:, 1]
    items = Items.of(torch.from_numpy(labels.train_answers), facts := _facts(labels.train_answers))
    places = LabelPlaces.of(items, facts)
    assert places is not None
    log_odds = special.logit(np.clip(held, FLOOR, 1 - FLOOR)).ravel()
    found = f1_thresholds(log_odds, labels.train_answers.ravel() == 1, places)
    return Predicted(probs, special.expit(found))


def figures(predicted: Predicted, answers: NDArray[np.int64]) -> dict[str, float]:
    """Return the figures on the test rows."""
    probs, half = predicted.probs, predicted.probs > 0.5
    at = probs > predicted.thresholds
    varies = (answers.min(0) == 0) & (answers.max(0) == 1)
    safe = np.clip(probs, FLOOR, 1 - FLOOR)
    return {
        "hamming": float((half == answers).mean()),
        "auroc": float(metrics.roc_auc_score(answers[:, varies], probs[:, varies])),
        "precision": float(metrics.average_precision_score(answers[:, varies], probs[:, varies])),
        "log_loss": float(-np.where(answers == 1, np.log(safe), np.log1p(-safe)).mean()),
        "f1": float(metrics.f1_score(answers, at, average="macro", zero_division=0)),
        "f1_half": float(metrics.f1_score(answers, half, average="macro", zero_division=0)),
        "micro": float(metrics.f1_score(answers, at, average="micro", zero_division=0)),
    }


def run(name: str, data: Path, *, trials: int, space: str, seed: int, log: Path) -> None:
    """Add the missing lines of a set to the log."""
    known = {(one["set"], one["model"], one.get("settings")) for one in read(log)}
    labels = Labels.read(name, data)
    for model, make in PEERS.items():
        if (name, model, None) not in known:
            started = time.monotonic()
            found = figures(by_label(labels, make), labels.test_answers)
            seconds = time.monotonic() - started
            add(log, {"set": name, "model": model, **found, "seconds": seconds})
    settings = f"{space}, {trials} trials, seed {seed}"
    if (name, "autoloss", settings) not in known:
        started = time.monotonic()
        predicted, facts = by_autoloss(labels, trials=trials, space=space, seed=seed)
        seconds = time.monotonic() - started
        line = {"set": name, "model": "autoloss", "settings": settings, **facts}
        found = figures(predicted, labels.test_answers)
        add(log, {**line, **found, "seconds": seconds})


def page(log: Path) -> str:
    """Return the table of a log as Markdown."""
    lines = [
        "# Several labels per row",
        "",
        "All models are trained on the same rows and judged on the same test rows.",
        "Logistic regression and gradient boosting train a model for each label, and their",
        "seconds include the cross-validation of the thresholds; the times are from a shared",
        "machine with 2 cores. `python -m benchmarks.labels --data DIR` makes the table.",
        "",
        f"| set | model | {' | '.join(FIGURES.values())} |",
        f"|:--|:--|{'--:|' * len(FIGURES)}",
    ]
    for one in read(log):
        shown = one["model"]
        if one.get("settings"):
            shown += f" ({one['settings']}; {one['verdict']}; recommends {one['recommends']})"
        cells = [f"{one[key]:.0f}" if key == "seconds" else f"{one[key]:.4f}" for key in FIGURES]
        lines.append(f"| {one['set']} | {shown} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _facts(answers: NDArray[np.int64]) -> ClassFacts:
    counts = torch.from_numpy(np.stack([(answers == 0).sum(0), (answers == 1).sum(0)], 1))
    return ClassFacts(counts, task="multilabel")


def main(words: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(SETS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=128)
    parser.add_argument("--space", default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--print", action="store_true")
    given = parser.parse_args(words)
    given.log.parent.mkdir(parents=True, exist_ok=True)
    for name in given.names or SETS:
        if not given.print:
            how = {"trials": given.trials, "space": given.space, "seed": given.seed}
            run(name, given.data, **how, log=given.log)
    text = page(given.log)
    print(text)
    if given.log == LOG:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
