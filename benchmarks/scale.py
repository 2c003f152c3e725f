"""The cost of a search of many trials, rows, classes or columns.

    python -m benchmarks.scale --what trials|rows|classes|columns [--size N] [--track all|off]
    python -m benchmarks.scale --report [--what ...]

Each makes its data in a temporary folder and runs `autoloss search` on them in a process of its
own, whose time and largest resident memory are those that the system counts. With `--report` what
was found is written to reports/speed/scale.json, beside what stands there. A smaller `--size`
tries the script itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

OUT = Path("reports/speed")
_TINY = """
description = "A tiny training, beside which everything else weighs most."
bases = ["cross_entropy", "brier", "focal", "poly1", "generalized_cross_entropy"]
targets = ["none", "smoothing"]
lr = { low = 5e-4, high = 1e-2, log = true, default = 2e-3 }
weight_decay = { low = 1e-4, high = 0.1, log = true, default = 1e-2 }
dropout = { low = 0.0, high = 0.4, default = 0.1 }
together = 32
[network]
width = 16
depth = 1
bins = 0
[training]
batch_size = 256
max_epochs = 4
[protocol]
folds = 1
outer_folds = 0
finalists = 3
replicates = 2
"""
_SHORT = """
description = "A small network, few epochs, large batches."
bases = ["cross_entropy", "brier", "focal", "poly1", "generalized_cross_entropy"]
priors = ["none", "class_weight", "logit_adjust"]
targets = ["none", "smoothing"]
min_imbalance = 3.0
lr = { low = 5e-4, high = 1e-2, log = true, default = 2e-3 }
weight_decay = { low = 1e-4, high = 0.1, log = true, default = 1e-2 }
dropout = { low = 0.0, high = 0.4, default = 0.1 }
together = 32
[network]
width = 64
depth = 1
bins = 0
[training]
batch_size = 8192
max_epochs = 2
[protocol]
finalists = 2
replicates = 2
"""


@dataclass(frozen=True)
class Look:
    """A process at one moment.

    Args:
        at: The moment, in seconds since 1970.
        resident: Its resident memory, in bytes.
        worked: Its processor time so far, in seconds.
    """

    at: float
    resident: int
    worked: float


@dataclass(frozen=True)
class Taken:
    """Time and memory of a search.

    Args:
        seconds: Wall time.
        worked: Processor time, in seconds.
        peak: Largest resident memory, in bytes.
        looks: The process over time, on systems with /proc.
    """

    seconds: float
    worked: float
    peak: int
    looks: tuple[Look, ...]

    def at(self, when: float) -> Look:
        """Return the last look before a moment."""
        return [look for look in self.looks if look.at <= when or look is self.looks[0]][-1]


def run_search(arguments: list[str], folder: Path) -> Taken:
    """Run `autoloss search` as a process in a folder.

    Raises:
        RuntimeError: If it fails.
    """
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "autoloss", "search", *arguments]
    started = time.monotonic()
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        looks: list[Look] = []
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(process.pid, looks, ended))
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        ended.set()
        watch.join()
    seconds = time.monotonic() - started
    text = (folder / "log.txt").read_text(encoding="utf-8")
    print(text[-3000:])
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{text[-3000:]}")
    worked = usage.ru_utime + usage.ru_stime
    return Taken(seconds, worked, usage.ru_maxrss * 1024, tuple(looks))


def _watch(pid: int, looks: list[Look], ended: threading.Event) -> None:
    """Look at a process five times a second, on systems with /proc."""
    page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    while not ended.wait(0.2):
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
        except (OSError, IndexError):
            continue
        worked = sum(map(int, fields.split()[11:13])) / tick
        looks.append(Look(time.time(), pages * page, worked))


def many_trials(folder: Path, size: int, track: str) -> dict[str, Any]:
    """Return the cost of a trial at the end of a study of `size` trials and at its start."""
    rng = np.random.default_rng(0)
    import pandas as pd

    values = rng.normal(size=(2_000, 8)).astype(np.float32)
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(8)])
    frame["y"] = (values[:, 0] + values[:, 1] ** 2 + rng.normal(size=2_000) > 1).astype(int)
    frame.to_csv(folder / "data.csv", index=False)
    (folder / "tiny.toml").write_text(_TINY, encoding="utf-8")
    arguments = ["data.csv", "--target", "y", "--space", "tiny.toml", "--name", "many"]
    arguments += ["--trials", str(size), "--track", track, "--device", "cpu"]
    taken = run_search(arguments, folder)
    journal = folder / "reports/many/study.journal"
    ended, bounds = ends_of_trials(journal), populations(journal)
    # Trials of a population end together, so only whole populations give the cost of a trial.
    window = max(size // 10, 256)
    first = next(bound for bound in bounds if bound >= 100)
    early = _cost(taken, ended, first, next(b for b in bounds if b >= first + window))
    late = _cost(taken, ended, [b for b in bounds if b <= size - window][-1], bounds[-1])
    before = taken.at(ended[min(1_000, size // 10)]).resident
    after = taken.at(ended[-1]).resident
    found = {
        "trials": size,
        "track": track,
        "seconds": taken.seconds,
        "seconds_after_the_search": taken.looks[-1].at - ended[-1],
        "ms_at_100": 1e3 * early[0],
        "ms_at_end": 1e3 * late[0],
        "work_ms_at_100": 1e3 * early[1],
        "work_ms_at_end": 1e3 * late[1],
        "ratio": late[0] / early[0],
        "work_ratio": late[1] / early[1],
        "mb_at_1000": before / 2**20,
        "mb_at_end": after / 2**20,
        "memory_ratio": after / before,
        "peak_mb": taken.peak / 2**20,
    }
    found["memory"] = f"{found['memory_ratio']:.2f}× ({after / 2**20:.0f} MB)"
    found["measured"] = (
        f"{found['ratio']:.2f}× of wall time, {found['work_ratio']:.2f}× of processor time "
        f"({found['ms_at_100']:.0f} and {found['ms_at_end']:.0f} ms a trial of the smallest "
        f"training; {size} trials)"
    )
    return found


def _cost(taken: Taken, ended: Sequence[float], first: int, last: int) -> tuple[float, float]:
    """Return wall time and processor time per trial between two trials, in seconds."""
    one, other = taken.at(ended[first - 1]), taken.at(ended[last - 1])
    wall = (ended[last - 1] - ended[first - 1]) / (last - first)
    return wall, (other.worked - one.worked) / (last - first)


def populations(journal: Path) -> list[int]:
    """Return the number of trials after each population of a study."""
    found = set()
    with journal.open(encoding="utf-8") as lines:
        for line in lines:
            if '"batch_end"' in line:
                found.add(json.loads(line)["user_attrs"]["batch_end"])
    return sorted(found)


def figures_of(taken: Taken) -> dict[str, Any]:
    """Return time and memory of a search as JSON values, and in words."""
    peak = taken.peak / 1e9
    return {
        "seconds": taken.seconds,
        "work_seconds": taken.worked,
        "peak_gb": peak,
        "measured": f"{peak:.1f} GB; {taken.seconds / 60:.0f} min, of which "
        f"{taken.worked / 60:.0f} min of processor time",
    }


def ends_of_trials(journal: Path) -> list[float]:
    """Return the times at which the trials of a study ended, in order, in seconds since 1970."""
    found = []
    with journal.open(encoding="utf-8") as lines:
        for line in lines:
            if '"datetime_complete"' in line and '"state"' in line:
                when = json.loads(line)["datetime_complete"]
                found.append(datetime.fromisoformat(when).timestamp())
    return sorted(found)


def many_rows(folder: Path, size: int, track: str) -> dict[str, Any]:
    """Return time and memory of a search of `size` rows of 40 numbers and 10 categories."""
    if not (folder / "data.parquet").is_file():
        write_rows(folder / "data.parquet", size)
    (folder / "short.toml").write_text(_SHORT, encoding="utf-8")
    arguments = ["data.parquet", "--target", "y", "--space", "short.toml", "--name", "rows"]
    arguments += ["--trials", "8", "--time-limit", "60m", "--track", track, "--device", "cpu"]
    taken = run_search(arguments, folder)
    return {"rows": size} | figures_of(taken)


def write_rows(path: Path, size: int, *, at_once: int = 100_000) -> None:
    """Write a table of 50 mixed columns and a target with a fifth of positives, in chunks."""
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    writer = None
    for start in range(0, size, at_once):
        n = min(at_once, size - start)
        values = rng.normal(size=(n, 40))
        columns: dict[str, Any] = {}
        for i in range(40):
            mask = rng.random(n) < 0.05 if i % 4 == 0 else None
            columns[f"x{i}"] = pa.array(values[:, i], mask=mask)
        score = values[:, 0] + values[:, 1] * values[:, 2] + 0.5 * np.abs(values[:, 3])
        for i, levels in enumerate((5, 8, 12, 20, 30, 50, 80, 120, 150, 200)):
            codes = rng.integers(levels, size=n)
            score += 0.3 * np.cos(codes) * (i < 3)
            names = pa.array([f"level {code}" for code in range(levels)])
            mask = rng.random(n) < 0.03 if i % 3 == 0 else None
            labels = pa.DictionaryArray.from_arrays(
                pa.array(codes.astype(np.int16), mask=mask), names
            )
            columns[f"c{i}"] = labels.cast(pa.string())
        noisy = score + rng.normal(size=n)
        columns["y"] = pa.array((noisy > 1.75).astype(np.int64))
        table = pa.table(columns)
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def many_classes(folder: Path, size: int, track: str) -> dict[str, Any]:
    """Return the time and memory of a search of a number of classes, 100 rows each."""
    import pandas as pd

    rng = np.random.default_rng(0)
    n_rows = 100 * size
    centres = rng.normal(size=(size, 64)).astype(np.float32)
    codes = rng.integers(size, size=n_rows)
    values = centres[codes] + 2.0 * rng.normal(size=(n_rows, 64)).astype(np.float32)
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(64)])
    frame["y"] = [f"class {code:04d}" for code in codes]
    frame.to_parquet(folder / "data.parquet")
    arguments = ["data.parquet", "--target", "y", "--space", "quick", "--name", "classes"]
    arguments += ["--trials", "8", "--time-limit", "60m", "--track", track, "--device", "cpu"]
    taken = run_search(arguments, folder)
    return {"classes": size, "rows": n_rows} | figures_of(taken)


def many_columns(folder: Path, size: int, track: str) -> dict[str, Any]:
    """Return time and memory of a search of `size` numeric columns in 2 000 rows of CSV."""
    import pandas as pd

    rng = np.random.default_rng(0)
    values = rng.normal(size=(2_000, size)).astype(np.float32)
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(size)])
    frame["y"] = (values[:, :10].sum(1) + rng.normal(size=2_000) > 0).astype(int)
    frame.to_csv(folder / "data.csv", index=False)
    del frame
    arguments = ["data.csv", "--target", "y", "--space", "quick", "--name", "columns"]
    arguments += ["--trials", "8", "--time-limit", "60m", "--track", track, "--device", "cpu"]
    taken = run_search(arguments, folder)
    return {"columns": size} | figures_of(taken)


WHAT: dict[str, tuple[Callable[[Path, int, str], dict[str, Any]], int]] = {
    "trials": (many_trials, 10_000),
    "rows": (many_rows, 5_000_000),
    "classes": (many_classes, 1_000),
    "columns": (many_columns, 10_000),
}
"""The measurements, each with the size that its bar refers to."""


def write_found(file: Path, what: str, found: Mapping[str, Any]) -> None:
    """Add figures to a file."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    known.setdefault("figures", {})[what] = found
    words = found["measured"]
    known |= {"measured": words, "memory": found["memory"]} if what == "trials" else {what: words}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, and print or write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--what", choices=WHAT, action="append")
    parser.add_argument("--size", type=int, help="the size; by default that of the bar")
    parser.add_argument("--track", choices=("all", "off"), default="off", help="runs in MLflow")
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")
    parser.add_argument("--report", action="store_true", help="write reports/speed/scale.json")
    options = parser.parse_args()
    for what in options.what or WHAT:
        measure, usual = WHAT[what]
        with tempfile.TemporaryDirectory() as name:
            folder = options.keep or Path(name)
            folder.mkdir(parents=True, exist_ok=True)
            found = measure(folder, options.size or usual, options.track)
        print(json.dumps({what: found}, indent=1))
        if options.report:
            write_found(OUT / "scale.json", what, found)


if __name__ == "__main__":
    main()
