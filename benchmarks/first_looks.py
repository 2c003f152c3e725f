"""The time of the searches that the README shows first.

    python -m benchmarks.first_looks [--repeats 3] [--seconds 3600] [--report]

They are those of `make demo`, without the installation, and of the README's first command, each
with verdict, models and report. Each run is a line in reports/speed/first_looks.jsonl, and a
further call continues there; after `--seconds` no further one begins. `--report` writes the
figures of the page of reports/speed. With the environment of `benchmarks.speed` the runs use AVX2
alone, and the files end with `_avx2`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.log import add, read
from benchmarks.speed_page import ending_here, write_page

OUT = Path("reports/speed")
LOOKS = {"demo": "sklearn:digits", "first": "sklearn:breast_cancer"}
"""The data of each search."""
WORDS = ["--space", "quick", "--trials", "64"]


def seconds_of(data: str) -> float:
    """Return the seconds of a search as a new user runs it."""
    with tempfile.TemporaryDirectory() as name:
        words = [sys.executable, "-m", "autoloss", "search", data, *WORDS]
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        started = time.perf_counter()
        subprocess.run(
            [*words, "--quiet"], cwd=name, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - started


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3600.0, help="no search begins later")
    parser.add_argument("--report", action="store_true", help="write reports/speed")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    ends = time.perf_counter() + options.seconds
    log = options.out / f"first_looks{ending_here()}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    runs = read(log)
    for repeat in range(options.repeats):
        for look, data in LOOKS.items():
            place = {"look": look, "repeat": repeat}
            if time.perf_counter() > ends or any(place.items() <= run.items() for run in runs):
                continue
            load = os.getloadavg()[0]
            runs.append(place | {"seconds": seconds_of(data), "load": load})
            add(log, runs[-1])
    found: dict[str, object] = {}
    for look in LOOKS:
        if spent := [run["seconds"] for run in runs if run["look"] == look]:
            loads = [run["load"] for run in runs if run["look"] == look]
            found[look] = statistics.median(spent)
            found[f"{look}_words"] = (
                f"{found[look]:.0f} s ({min(spent):.0f} s to {max(spent):.0f} s; "
                f"{len(spent)} {'run' if len(spent) == 1 else 'runs'}; "
                f"load {min(loads):.1f} to {max(loads):.1f})"
            )
    print(json.dumps(found, indent=1))
    if options.report and found:
        file = options.out / f"first_looks{ending_here()}.json"
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        write_page(options.out)


if __name__ == "__main__":
    main()
