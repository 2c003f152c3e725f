"""Whether the verdict can be trusted: equal losses, planted differences, wrong labels, a constant.

    python -m benchmarks.verdict [aa|limits|nested|out_of_fold|planted|power|noise|constant ...]

- aa: studies of cross-entropy against a copy of it under another name, each on its own rows.
  "better" is then wrong; at a true rate of 5 % at most 16 of 200 studies say it.
- limits: the same under time limits of 5, 20, 50 and 80 % of the time of a whole study.
- nested: the same with 300 rows, where nested cross-validation reaches the verdict.
- out_of_fold: the same with 300, 1 000 and 3 000 rows, judged on all rows by training runs that
held
  them out.
- planted: studies of cross-entropy against its distillation from the true posterior, a truly
  better loss, judged out of fold and by the earlier rule.
- power: predictions with a known difference in error, against the power that is stated.
- noise: digits with 20 and 40 % wrong labels, judged on rows with correct labels.
- constant: the class priors among the trials of a study, which must not reach the front.

The figures are written to ``--out FILE`` as JSON, and the tables to README.md beside it; other
parts keep their figures. Every study of out_of_fold and planted is a line in ``--log FILE`` and is
not made twice, so several processes can share them by ``--first-seed`` and ``--studies``. All
parts take some hours on one thread.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from autoloss import Study, search
from autoloss.search import Trial
from benchmarks import held_out
from benchmarks.equal_losses import TARGET, equal_losses, limited_equal_losses
from benchmarks.planted import planted_differences

Figures = dict[str, Any]
OUT = Path("reports/verdict/figures.json")
LOG = Path("reports/verdict/studies.jsonl")
ROBUST = ("generalized_cross_entropy", "poly1", "bi_tempered")

NOISY = """
bases = ["cross_entropy", "generalized_cross_entropy", "poly1", "bi_tempered"]
lr = { low = 3e-4, high = 2e-2, log = true, default = 2e-3 }
weight_decay = { low = 1e-5, high = 1.0, log = true, default = 1e-2 }
dropout = { low = 0.0, high = 0.6, default = 0.1 }
[network]
width = 128
depth = 2
bins = 8
[training]
max_epochs = 20
patience = 6
[protocol]
folds = 2
"""


def noisy_digits(share: float, *, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return digits with wrong labels, and test rows with correct labels.

    A wrong label is each of the nine others with equal probability.
    """
    from sklearn.datasets import load_digits

    data = load_digits(as_frame=True)
    table = data.data.assign(**{TARGET: data.target}).sample(frac=1.0, random_state=seed)
    test, rest = table.iloc[:600], table.iloc[600:].copy()
    draw = np.random.default_rng([3, seed])
    labels = rest[TARGET].to_numpy().copy()
    wrong = np.flatnonzero(draw.random(len(rest)) < share)
    labels[wrong] = (labels[wrong] + draw.integers(1, 10, len(wrong))) % 10
    return rest.assign(**{TARGET: labels}), test


def wrong_labels(share: float, *, trials: int, seed: int = 0) -> Figures:
    """Search on noisy digits, and compare the challenger with cross-entropy on clean rows."""
    table, test = noisy_digits(share, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder) / "noisy.toml"
        space.write_text(NOISY, encoding="utf-8")
        result = search(
            table,
            TARGET,
            test=test,
            space=space,
            trials=trials,
            seed=seed,
            device="cpu",
            track="off",
            out=folder,
        )
    summary, verdict = result.summary, result.verdict
    challenger, baseline = summary.trial(verdict.challenger), summary.trial(verdict.baseline)
    rows = {one.metric: one for one in verdict.comparisons}
    found = {
        "wrong labels": share,
        "seed": seed,
        "trials": trials,
        "challenger": challenger.label,
        "its lr": float(f"{challenger.nuisance['lr']:.2g}"),
        "lr of cross-entropy": float(f"{baseline.nuisance['lr']:.2g}"),
        "robust": challenger.family in ROBUST,
        "verdict": verdict.decision,
        **{
            metric: {
                "cross-entropy": round(rows[metric].baseline, 4),
                "challenger": round(rows[metric].challenger, 4),
                "difference": round(rows[metric].difference, 4),
                "low": round(rows[metric].low, 4),
                "high": round(rows[metric].high, 4),
            }
            for metric in ("error", "log_loss")
        },
    }
    print(found, flush=True)
    return found


def constant_among_trials(studies: int, *, trials: int = 24, n_rows: int = 1000) -> Figures:
    """Count how often the class priors reach the front of a study."""
    rows = []
    for positives, apart in itertools.product((0.5, 0.1, 0.02), (1.0, 0.4)):
        reached = lowest = 0
        for seed in range(studies):
            found = _constant_among(
                positives=positives, apart=apart, seed=seed, trials=trials, n_rows=n_rows
            )
            reached += found[0]
            lowest += found[1]
        rows.append(
            {
                "positives": positives,
                "classes apart": apart,
                "studies": studies,
                "constant on the front": reached,
                "constant has the lowest error": lowest,
            }
        )
        print(rows[-1], flush=True)
    return {"trials": trials, "rows": n_rows, "table": rows}


def _constant_among(
    *, positives: float, apart: float, seed: int, trials: int, n_rows: int
) -> tuple[bool, bool]:
    """Return whether the constant is on the front, and whether no trial has a lower error.

    Args:
        positives: Share of the positives.
        apart: Distance of the two classes in each of four columns, in standard deviations.
        seed: Seed of rows and study.
        trials: The number of trials, every fourth of which is the constant.
        n_rows: Number of training rows, and of validation rows.
    """
    draw = np.random.default_rng([4, seed])
    targets = (np.arange(2 * n_rows) % n_rows < round(positives * n_rows)).astype(int)
    values = draw.normal(size=(2 * n_rows, 4)) + apart * targets[:, None]
    inputs, classes = torch.from_numpy(values).float(), torch.from_numpy(targets)
    train, valid = slice(0, n_rows), slice(n_rows, None)
    counts = torch.bincount(classes[train])
    priors = (counts / counts.sum()).log().expand(n_rows, 2)
    constants = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Study("s", counts, trials=trials, space="quick", seed=seed, out=folder) as study,
    ):
        while not study.done:
            trial = study.ask()
            if trial.number % 4 == 3:
                constants.append(trial.number)
                study.tell(trial, priors, classes[valid])
                continue
            logits = _fitted(trial, inputs[train], classes[train], inputs[valid])
            study.tell(trial, logits, classes[valid])
        front = study.finalists().front
        errors = {one.number: one.metrics["error"] for one in study.trials}
    learnt = min(error for number, error in errors.items() if number not in constants)
    return bool(set(constants) & set(front)), errors[constants[0]] <= learnt


def _fitted(trial: Trial, inputs: Tensor, classes: Tensor, others: Tensor) -> Tensor:
    """Return the logits of a linear model trained with a trial's loss and settings."""
    torch.manual_seed(trial.seed)
    model = torch.nn.Linear(inputs.shape[1], 2)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=10 * trial.lr, weight_decay=trial.weight_decay
    )
    for _ in range(60):
        optimiser.zero_grad()
        trial.loss(model(inputs), classes).backward()
        optimiser.step()
    with torch.no_grad():
        logits: Tensor = model(others)
    return logits


def markdown(found: Mapping[str, Any]) -> str:
    """Return the figures of all parts as a page."""
    pieces = [
        "# Error rates and power of the verdict",
        "```console\n$ python -m benchmarks.verdict\n```",
    ]
    for part, (title, text) in TEXTS.items():
        if part in found:
            figures = found[part]
            rows = figures if isinstance(figures, list) else figures.get("table", [figures])
            facts = {} if isinstance(figures, list) else figures
            pieces += [f"## {title}", text.format(**facts), _table(rows)]
    return "\n\n".join(pieces) + "\n"


TEXTS = {
    "aa": (
        "Equal losses",
        "Cross-entropy against a copy of it; every study has its own rows. Brier and smoothed "
        "cross-entropy always run, so the table counts all verdicts and the verdicts on the "
        "copy. Chance alone gives \"better\" in at most 2.5 %. Each name draws its own settings, "
        "which adds to the chance: the models then differ by thousandths of a nat.",
    ),
    "limits": (
        "Equal losses under a time limit",
        "The same under time limits, each a share of the time of a whole study of {rows} rows: "
        "{better} of {studies} said \"better\"; at a true rate of 2.5 %, 3 % of such series "
        "have more than {allowed}. A limit that is too short for any training is refused, "
        "without a verdict.",
    ),
    "nested": ("Equal losses, few rows", "The same, judged by nested cross-validation."),
    "out_of_fold": (
        "Equal losses on held-out rows",
        "The same with {trials} racing trials of {epochs} epochs, judged on all rows by the final "
        "training runs that held them out. Smoothed cross-entropy and Brier always run and can be "
        "truly better, so the two models of a verdict \"better\" or \"worse\" also predict "
        "{fresh} fresh rows: they contradict a verdict unless their 95 % interval agrees with it.",
    ),
    "planted": (
        "A better loss on held-out rows",
        "Cross-entropy against its distillation from the true posterior, {trials} trials of "
        "{epochs} epochs, without racing. The earlier rule is nested cross-validation under 1 000 "
        "rows and a locked fifth otherwise. The differences are those of the verdict in log loss.",
    ),
    "power": (
        "Planted differences",
        "Share of \"better\" in {repetitions} test sets of {rows} rows; on 4 % of the rows "
        "exactly one model is wrong. The verdict finds a difference of the size that a report "
        "names in half of all cases, and 1.35 times that size in 80 %, if it shows in the error "
        "alone and must pass Holm's first threshold of 5 % / 3. If it also shows in log loss, "
        "the share is higher.",
    ),
    "noise": (
        "Wrong labels",
        "Digits, judged on 600 rows with correct labels. Read-outs are fitted on wrong labels "
        "too, so all probabilities are underconfident on correct labels, which the log loss "
        "shows.",
    ),
    "constant": (
        "A constant predictor",
        "Every fourth of {trials} trials predicts the class priors, on {rows} rows. If no trial "
        "has a lower error, a trial with the same error has a lower log loss.",
    ),
}  # fmt: skip


def _table(rows: Iterable[Mapping[str, Any]]) -> str:
    rows = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([row.get(name, "") for name in names] for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _flat(row: Mapping[str, Any]) -> Figures:
    """Return a row with each comparison as a cell."""
    return {
        name: "{cross-entropy} → {challenger} ({low:+} to {high:+})".format(**value)
        if isinstance(value, dict)
        else value
        for name, value in row.items()
    }


def main() -> None:
    """Run the named parts; print and write their figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"{', '.join(TEXTS)}; by default all")
    parser.add_argument("--studies", type=int, help="by default 200, and 30 of nested")
    parser.add_argument(
        "--first-seed", type=int, default=0, help="of the studies of out_of_fold and planted"
    )
    parser.add_argument("--repeats", type=int, default=2, help="studies of noise for each share")
    parser.add_argument("--out", type=Path, default=OUT, help="the figures as JSON")
    parser.add_argument("--log", type=Path, default=LOG, help="studies, a line of JSON each")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(TEXTS):
        parser.error(f"a part must be one of {', '.join(TEXTS)}, but got {' '.join(unknown)}.")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    torch.set_num_threads(1)
    seeds = range(options.first_seed, options.first_seed + (options.studies or 200))
    run: dict[str, Callable[[], Any]] = {
        "aa": lambda: equal_losses(options.studies or 200, n_rows=2500, trials=12, epochs=6),
        "limits": lambda: limited_equal_losses(options.studies or 200, n_rows=2500),
        "nested": lambda: equal_losses(
            options.studies or 30, n_rows=300, trials=12, epochs=20, judge="nested"
        ),
        "out_of_fold": lambda: held_out.equal(seeds, options.log),
        "planted": lambda: held_out.planted(seeds, options.log),
        "power": lambda: planted_differences(400),
        "noise": lambda: [
            wrong_labels(share, trials=48, seed=seed)
            for share in (0.2, 0.4)
            for seed in range(options.repeats)
        ],
        "constant": lambda: constant_among_trials(10),
    }
    for part in options.parts or run:
        figures = run[part]()
        print(json.dumps(figures, indent=2))
        write(options.out, {part: figures})


def write(file: Path, figures: Mapping[str, Any]) -> None:
    """Add figures to a file, and write the page beside it."""
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    found = {**before, **figures}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    (file.parent / "README.md").write_text(markdown(found), encoding="utf-8")


if __name__ == "__main__":
    main()
