"""Results of searches on real tables: error, log loss, verdict, and gradient boosting.

    python -m benchmarks.quality --data DIR [NAME ...] [--trials 64] [--space default] [--out FILE]

DIR holds a folder for each table, with ``NAME/NAME.parquet``. Each search is `autoloss search`
with the settings below. The results are written as a Markdown table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import autoloss
from autoloss.records import Summary

HEADER = (
    "| data | rows | verdict on | verdict | default CE | tuned CE | challenger "
    "| gradient boosting | challenger | luck | minutes |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class SearchedTable:
    """A table, its target and the settings of its search."""

    name: str
    target: str
    settings: dict[str, Any]


TABLES = (
    SearchedTable("mammography", "class", {"metric": "average_precision"}),
    SearchedTable("telco_churn", "Churn", {"drop": ["customerID"]}),
    SearchedTable("crowdsourced_mapping", "class", {"space": "noisy_labels"}),
    SearchedTable("wine_quality", "quality", {}),
    SearchedTable("letter", "lettr", {}),
    SearchedTable("adult", "income", {}),
    SearchedTable("satimage", "class", {}),
    SearchedTable("magic_gamma", "class", {}),
)


def run(
    table: SearchedTable, data: Path, *, trials: int, space: str, seed: int
) -> tuple[Summary, float]:
    """Search on a table; return the study and its minutes."""
    started = time.monotonic()
    settings = {"space": space, **table.settings}
    with tempfile.TemporaryDirectory() as out:
        result = autoloss.search(
            data / table.name / f"{table.name}.parquet",
            table.target,
            trials=trials,
            seed=seed,
            track="off",
            name=table.name,
            out=out,
            **settings,
        )
    return result.summary, (time.monotonic() - started) / 60.0


def row(summary: Summary, minutes: float) -> str:
    """Return a study as a row of the table."""
    steps = {gain.step: gain for gain in summary.gains}
    roles = ("default cross-entropy", "tuned", "another loss")
    metric = [f"{steps[role].metric:.4f}" if role in steps else "-" for role in roles]
    other, luck = summary.reference, summary.optimism
    where = summary.resampling.verdict if summary.resampling else ""
    return " | ".join(
        [
            f"| {summary.name} ({summary.metric.replace('_', ' ')})",
            f"{sum(summary.data.class_counts)}",
            f"{summary.verdict.n_test} {where}",
            summary.verdict.decision.replace("_", " "),
            *metric,
            "-" if other is None else f"{other.metric:.4f}",
            summary.trial(summary.verdict.challenger).label,
            "-" if luck is None else f"{luck.metric_honest - luck.metric:+.4f}",
            f"{minutes:.1f} |",
        ]
    )


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = [table.name for table in TABLES]
    parser.add_argument("names", nargs="*", default=known[:5], help=", ".join(known))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--space", default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    lines = [HEADER]
    print(HEADER)
    for table in TABLES:
        if table.name in options.names:
            found = run(
                table, options.data, trials=options.trials, space=options.space, seed=options.seed
            )
            lines.append(row(*found))
            print(lines[-1], flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
