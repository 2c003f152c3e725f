"""Verdicts on cross-entropy against a copy of it, of which none may be "better" or "worse"."""

from __future__ import annotations

import functools
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from torch import Tensor

from autoloss import SearchResult, search
from autoloss.core.errors import AutolossError
from autoloss.losses import Loss, declare

Figures = dict[str, Any]
TARGET = "label"
# Trials and epochs of a whole study, by the allowed share of its time.
LIMITS = dict.fromkeys((0.05, 0.2, 0.5, 0.8), (96, 40))
DECISIONS = ("better", "worse", "no_evidence", "undecided", "refused")
N_CLASSES, N_COLUMNS = 3, 8
CENTRES = 0.6 * np.random.default_rng(0).normal(size=(N_CLASSES, N_COLUMNS))
"""The means of the classes, each with unit variance in every column."""
SMALL = """
bases = ["cross_entropy", "cross_entropy_again"]
[network]
width = 16
depth = 1
bins = 0
[training]
max_epochs = {epochs}
[protocol]
judge = "{judge}"
folds = 1
replicates = 5
"""


def make_copy() -> Loss:
    """Return cross-entropy under a new name."""

    @declare(source="this benchmark", family="proper", proper=True, local=True)
    def cross_entropy_again(log_p: Tensor) -> Tensor:
        """Cross-entropy under another name, in nats per example. ``L = -log p``."""
        return -log_p

    return cross_entropy_again


def drawn_rows(n_rows: int, seed: int) -> pd.DataFrame:
    """Return rows of a fixed population: three overlapping normal clouds in eight dimensions."""
    draw = np.random.default_rng([1, seed])
    classes = draw.integers(0, N_CLASSES, n_rows)
    values = CENTRES[classes] + draw.normal(size=(n_rows, N_COLUMNS))
    table = pd.DataFrame(values, columns=[f"x{i}" for i in range(N_COLUMNS)])
    return table.assign(**{TARGET: classes})


def equal_losses(
    studies: int, *, n_rows: int, trials: int, epochs: int, judge: str = "locked"
) -> Figures:
    """Count the verdicts on cross-entropy against its copy.

    Brier and smoothed cross-entropy always run; if one of them is the challenger, the verdict may
    be right. So two counts are returned: of all verdicts, and of verdicts on the copy.
    """
    copy = make_copy()
    every: Counter[str] = Counter()
    on_copy: Counter[str] = Counter()
    for seed in range(studies):
        result = study_of_copy(
            copy, seed, n_rows=n_rows, trials=trials, epochs=epochs, judge=judge
        )
        decision = result.verdict.decision
        every[decision] += 1
        on_copy[decision] += challenger_of(result) == copy.name
        print(f"{seed + 1:4d} of {studies}: {dict(every)}", flush=True)
    n_copy = on_copy.total()
    return {
        "studies": studies,
        "rows": n_rows,
        "trials": trials,
        "epochs": epochs,
        "judged by": result.summary.resampling.verdict if result.summary.resampling else "",
        "better": every["better"],
        "worse": every["worse"],
        "copy challenges": n_copy,
        "better of these": on_copy["better"],
        "worse of these": on_copy["worse"],
        "allowed": most_allowed(studies),
    }


def study_of_copy(
    copy: Loss,
    seed: int,
    *,
    n_rows: int,
    trials: int,
    epochs: int,
    judge: str = "locked",
    time_limit: float | None = None,
) -> SearchResult:
    """Return a study of cross-entropy and its copy, on its own rows."""
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder) / "small.toml"
        space.write_text(SMALL.format(epochs=epochs, judge=judge), encoding="utf-8")
        return search(
            drawn_rows(n_rows, seed),
            TARGET,
            space=space,
            trials=trials,
            time_limit=time_limit,
            losses=copy,
            seed=seed,
            device="cpu",
            track="off",
            out=folder,
        )


def limited_equal_losses(
    studies: int, *, n_rows: int, sizes: Mapping[float, tuple[int, int]] = LIMITS
) -> Figures:
    """Count the verdicts on cross-entropy against its copy under short time limits.

    A limit that is refused as too short is counted apart.

    Args:
        studies: The number of studies, a quarter under each limit.
        n_rows: Rows of each study.
        sizes: Trials and epochs of a whole study, by the allowed share of its time.
    """
    copy = make_copy()

    @functools.cache
    def seconds_of(trials: int, epochs: int) -> float:
        whole = [
            study_of_copy(copy, 10_000 + seed, n_rows=n_rows, trials=trials, epochs=epochs)
            for seed in range(3)
        ]
        return float(np.median([one.summary.seconds["total"] for one in whole]))

    rows = []
    for part, (share, (trials, epochs)) in enumerate(sizes.items()):
        options: Figures = {"n_rows": n_rows, "trials": trials, "epochs": epochs}
        seconds = seconds_of(trials, epochs)
        decisions: Counter[str] = Counter()
        ended, took = [], []
        for seed in range(part * studies // len(sizes), (part + 1) * studies // len(sizes)):
            started = time.monotonic()
            try:
                result = study_of_copy(copy, seed, time_limit=share * seconds, **options)
            except AutolossError:
                decisions["refused"] += 1
                continue
            took.append((time.monotonic() - started) / (share * seconds))
            decisions[result.verdict.decision] += 1
            coverage = result.summary.coverage
            ended.append(0 if coverage is None else coverage.trials)
        count = sum(decisions.values())
        rows.append(
            {
                "limit": f"{share:.0%}",
                "of trials and epochs": f"{trials}, {epochs}",
                "seconds": round(share * seconds, 1),
                "studies": count,
                "trials ended, median": float(np.median(ended)) if ended else 0.0,
                "time taken / limit, median": round(float(np.median(took)), 2) if took else "",
                **{name: decisions[name] for name in DECISIONS},
            }
        )
        print(rows[-1], flush=True)
    return {
        "rows": n_rows,
        "better": sum(row["better"] for row in rows),
        "studies": sum(row["studies"] for row in rows),
        "allowed": most_allowed(studies, rate=0.025),
        "table": rows,
    }


def most_allowed(studies: int, *, rate: float = 0.05) -> int:
    """Return the number of verdicts "better" that such a rate rarely exceeds."""
    return int(stats.binom.ppf(0.97, studies, rate))


def challenger_of(result: SearchResult) -> str:
    """Return the family of the challenger."""
    return result.summary.trial(result.verdict.challenger).family
