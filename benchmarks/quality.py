"""What a search says on real tables: error, log loss, verdict, and gradient boosting beside it.

    python -m benchmarks.quality --data DIR [NAME ...] [--trials 64] [--space default] [--out FILE]

DIR holds a folder a table, ``NAME/NAME.parquet``. Every search is the one of the command line with
the settings below; a table is written as Markdown.
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
class Table:
    """A table and how it is searched."""

    name: str
    target: str
    settings: dict[str, Any]


TABLES = (
    Table("mammography", "class", {"metric": "average_precision"}),
    Table("telco_churn", "Churn", {"drop": ["customerID"]}),
    Table("crowdsourced_mapping", "class", {"space": "noisy_labels"}),
    Table("wine_quality", "quality", {}),
    Table("letter", "lettr", {}),
    Table("adult", "income", {}),
    Table("satimage", "class", {}),
    Table("magic_gamma", "class", {}),
)


def run(table: Table, data: Path, *, trials: int, space: str, seed: int) -> tuple[Summary, float]:
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
    parser.add_argument("--out", type=Path, help="where the table is written besides")
    given = parser.parse_args()
    lines = [HEADER]
    print(HEADER)
    for table in TABLES:
        if table.name in given.names:
            found = run(table, given.data, trials=given.trials, space=given.space, seed=given.seed)
            lines.append(row(*found))
            print(lines[-1], flush=True)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
