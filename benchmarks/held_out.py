"""Studies judged on held-out rows: equal losses, and a better loss against the earlier rule.

Every study adds a line to a log and is not made twice, so that an interrupted run goes on where it
was, and several processes can share the seeds.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import autoloss
from autoloss import SearchResult, search
from autoloss.experiment.conclusion import finalist_folder
from autoloss.records import Comparison
from benchmarks.equal_losses import (
    CENTRES,
    N_CLASSES,
    N_COLUMNS,
    TARGET,
    challenger_of,
    drawn_rows,
    make_copy,
    most_allowed,
)
from benchmarks.log import add, read

Figures = dict[str, Any]
ROWS = (300, 1_000, 3_000)
OUT_OF_FOLD, EARLIER = "out_of_fold", "nested"
"""The rule of today, and the rule before it: nested under 1 000 rows, else a locked fifth."""
TRIALS, EPOCHS = 12, 20
FRESH = 60_000
"""Rows that show which of two models is better."""
SPACE = """
{losses}
[network]
width = 16
depth = 1
bins = 0
[training]
max_epochs = {epochs}
[protocol]
judge = "{judge}"
racing = {racing}
"""
LOSSES = {
    "equal": 'bases = ["cross_entropy", "cross_entropy_again"]',
    "planted": 'bases = ["cross_entropy"]\ntargets = ["none", "distillation"]',
}


@dataclass(frozen=True)
class Case:
    """A study of the benchmark.

    Args:
        losses: ``"equal"`` for cross-entropy and its copy, ``"planted"`` for cross-entropy and
            its distillation from the true posterior.
        judge: The judge that the space asks for.
        rows: Rows of the table.
        seed: Seed of rows and study.
    """

    losses: str
    judge: str
    rows: int
    seed: int


class Posterior:
    """The true posterior of `drawn_rows`, a teacher for distillation."""

    classes_ = np.arange(N_CLASSES)

    def fit(self, inputs: ArrayLike, targets: ArrayLike) -> Posterior:
        """Learn nothing."""
        return self

    def predict_proba(self, inputs: ArrayLike) -> NDArray[np.float64]:
        """Return the probabilities of the classes, (N, D) -> (N, C)."""
        values = np.asarray(inputs, dtype=np.float64)[:, :N_COLUMNS]
        scores = -0.5 * ((values[:, None] - CENTRES) ** 2).sum(axis=-1)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        found: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
        return found


def cases(losses: str, judges: Sequence[str], seeds: Iterable[int]) -> list[Case]:
    """Return the studies of a part, all judges and sizes of a seed together."""
    return [Case(losses, judge, rows, seed) for seed in seeds for rows in ROWS for judge in judges]


def study(case: Case, *, trials: int = TRIALS, epochs: int = EPOCHS) -> Figures:
    """Return the verdict of a study as a line of the log."""
    started = time.monotonic()
    options: Figures = (
        {"losses": make_copy()} if case.losses == "equal" else {"teacher": Posterior()}
    )
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder) / "small.toml"
        text = SPACE.format(
            losses=LOSSES[case.losses],
            judge=case.judge,
            epochs=epochs,
            # As in the default space. Planted differences were measured without it.
            racing=str(case.losses == "equal").lower(),
        )
        space.write_text(text, encoding="utf-8")
        result: SearchResult = search(
            drawn_rows(case.rows, case.seed),
            TARGET,
            space=space,
            trials=trials,
            seed=case.seed,
            device="cpu",
            track="off",
            out=folder,
            **options,
        )
        true = (
            true_difference(result, Path(folder), case.seed)
            if result.verdict.decision in ("better", "worse")
            else {}
        )
    resampling = result.summary.resampling
    compared = {one.metric: one for one in result.verdict.comparisons}
    # No other loss may have learnt.
    log_loss = compared.get("log_loss", Comparison("log_loss", *[float("nan")] * 4))
    return {
        **asdict(case),
        "judged by": resampling.verdict if resampling else "",
        "decision": result.verdict.decision,
        "challenger": challenger_of(result),
        "is copy": challenger_of(result) == "cross_entropy_again",
        "difference": round(log_loss.difference, 5),
        "low": round(log_loss.low, 5),
        "high": round(log_loss.high, 5),
        **true,
        "seconds": round(time.monotonic() - started, 1),
    }


def true_difference(result: SearchResult, out: Path, seed: int) -> Figures:
    """Return the difference in log loss of the two models of a verdict on fresh rows.

    Args:
        result: The search.
        out: The folder that has the study's.
        seed: Seed of the rows that the search had; fresh rows have another.

    Returns:
        The mean over `FRESH` rows of the same population, challenger minus tuned cross-entropy in
        nats, and half of its 95 % interval.
    """
    rows = drawn_rows(FRESH, FRESH + seed)
    place = np.arange(FRESH), rows[TARGET].to_numpy()
    inputs, folder = rows.drop(columns=TARGET), out / result.summary.name
    challenger, baseline = (
        -np.log(autoloss.load(finalist_folder(folder, number)).predict_proba(inputs)[place])
        for number in (result.verdict.challenger, result.verdict.baseline)
    )
    difference = challenger - baseline
    half = 1.96 * difference.std() / FRESH**0.5
    return {"true": round(float(difference.mean()), 5), "half": round(float(half), 5)}


def make(wanted: Iterable[Case], log: Path, **options: int) -> None:
    """Make the studies that the log lacks, and print and log each."""
    log.parent.mkdir(parents=True, exist_ok=True)
    done = {_case(line) for line in read(log)}
    for case in wanted:
        if case in done:
            continue
        print(add(log, study(case, **options)), end="", flush=True)


def equal(seeds: Iterable[int], log: Path, **options: int) -> Figures:
    """Judge equal losses out of fold, and count the verdicts of all studies in the log."""
    make(cases("equal", (OUT_OF_FOLD,), seeds), log, **options)
    return equal_table(read(log))


def planted(seeds: Iterable[int], log: Path, **options: int) -> Figures:
    """Judge a better loss by both rules, and count the verdicts of all studies in the log."""
    make(cases("planted", (OUT_OF_FOLD, EARLIER), seeds), log, **options)
    return planted_table(read(log))


def _case(line: Figures) -> Case:
    return Case(line["losses"], line["judge"], line["rows"], line["seed"])


def equal_table(lines: Sequence[Figures]) -> Figures:
    """Count the verdicts on equal losses by the number of rows."""
    table = []
    for rows in ROWS:
        found = [
            line
            for line in lines
            if (line["losses"], line["judge"], line["rows"]) == ("equal", OUT_OF_FOLD, rows)
        ]
        on_copy = [line["decision"] for line in found if line["is copy"]]
        decisions = [line["decision"] for line in found]
        table.append(
            {
                "rows": rows,
                "studies": len(found),
                "better": decisions.count("better"),
                "worse": decisions.count("worse"),
                "undecided": decisions.count("undecided"),
                "copy challenges": len(on_copy),
                "better of these": on_copy.count("better"),
                "worse of these": on_copy.count("worse"),
                "better, but not on fresh rows": _contradicted(found, "better"),
                "worse, but not on fresh rows": _contradicted(found, "worse"),
                "allowed": most_allowed(len(found)) if found else 0,
            }
        )
    return {"trials": TRIALS, "epochs": EPOCHS, "fresh": FRESH, "table": table}


def _contradicted(lines: Iterable[Figures], decision: str) -> int:
    """Count decisions whose models do not differ in that direction on fresh rows."""
    sign = -1 if decision == "better" else 1
    return sum(
        sign * line["true"] < line["half"] for line in lines if line["decision"] == decision
    )


def planted_table(lines: Sequence[Figures]) -> Figures:
    """Count how often either rule finds a better loss, on the seeds that both have judged."""
    table = []
    for rows in ROWS:
        own, earlier = (
            {
                line["seed"]: line
                for line in lines
                if (line["losses"], line["judge"], line["rows"]) == ("planted", judge, rows)
            }
            for judge in (OUT_OF_FOLD, EARLIER)
        )
        seeds = sorted(own.keys() & earlier.keys())
        table.append(
            {
                "rows": rows,
                "studies": len(seeds),
                "earlier rule": ", ".join(sorted({earlier[seed]["judged by"] for seed in seeds})),
                "found out of fold": _count(own, seeds),
                "found by the earlier rule": _count(earlier, seeds),
                "by both": sum(
                    own[seed]["decision"] == earlier[seed]["decision"] == "better"
                    for seed in seeds
                ),
                "mean difference": _mean(own, seeds),
                "by the earlier rule": _mean(earlier, seeds),
            }
        )
    return {"trials": TRIALS, "epochs": EPOCHS, "table": table}


def _count(lines: dict[int, Figures], seeds: Sequence[int]) -> int:
    return sum(lines[seed]["decision"] == "better" for seed in seeds)


def _mean(lines: dict[int, Figures], seeds: Sequence[int]) -> float | str:
    """Return the mean difference in log loss, in nats."""
    return round(float(np.mean([lines[s]["difference"] for s in seeds])), 4) if seeds else ""
