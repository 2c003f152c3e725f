"""The time of a default search outside training: ask, tell, metrics, tracking and report.

    python -m benchmarks.outside [--trials 128] [--rows 10000] [--out reports/speed/outside.json]

The search is `autoloss search TABLE` with its defaults and all trials in MLflow, on a synthetic
table of 20 numeric columns and two classes.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from autoloss.bench import searches


def main() -> None:
    """Search, and print the seconds of its parts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--trials", type=int, default=128)
    parser.add_argument("--rows", type=int, default=searches.TABLE_ROWS)
    parser.add_argument("--space", default="default")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        spent = searches.search_seconds(
            searches.write_table(folder / "table.csv", options.rows),
            folder / "search",
            space=options.space,
            trials=options.trials,
        )
    share = spent["outside"] / spent["total"]
    seconds = f"{spent['outside']:.0f} s of {spent['total']:.0f} s"
    measured = f"{share:.1%} ({seconds}; {options.trials} trials)"
    print(measured)
    if options.out:
        found = {"measured": measured, "trials": options.trials, "rows": options.rows, **spent}
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
