"""What a search takes where there is much of something: trials, rows, classes or columns.

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
from collections.abc import Callable
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
description = "The quick space with few epochs."
bases = ["cross_entropy", "brier", "focal", "poly1", "generalized_cross_entropy"]
priors = ["none", "class_weight", "logit_adjust"]
targets = ["none", "smoothing"]
min_imbalance = 3.0
lr = {{ low = 5e-4, high = 1e-2, log = true, default = 2e-3 }}
weight_decay = {{ low = 1e-4, high = 0.1, log = true, default = 1e-2 }}
dropout = {{ low = 0.0, high = 0.4, default = 0.1 }}
together = 32
[network]
width = 128
depth = 2
bins = 8
[training]
batch_size = {batch}
max_epochs = {epochs}
patience = 6
[protocol]
finalists = 2
replicates = {replicates}
"""


@dataclass(frozen=True)
class Taken:
    """What a search took.

    Args:
        seconds: Wall time.
        peak: Largest resident memory, in bytes.
        resident: Resident memory over time: seconds since 1970, and bytes.
    """

    seconds: float
    peak: int
    resident: tuple[tuple[float, int], ...]


def run_search(arguments: list[str], folder: Path) -> Taken:
    """Run `autoloss search` in a process of its own, in a folder.

    Raises:
        RuntimeError: It failed.
    """
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "autoloss", "search", *arguments]
    started = time.monotonic()
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        resident: list[tuple[float, int]] = []
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(process.pid, resident, ended))
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
    return Taken(seconds, usage.ru_maxrss * 1024, tuple(resident))


def _watch(pid: int, resident: list[tuple[float, int]], ended: threading.Event) -> None:
    """Note what a process holds in memory, twice a second, where the system tells it."""
    page = os.sysconf("SC_PAGE_SIZE")
    while not ended.wait(0.5):
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError):
            continue
        resident.append((time.time(), pages * page))


def many_trials(folder: Path, size: int, track: str) -> dict[str, Any]:
    """Return the cost of a trial at the end of a study of so many trials against at its start."""
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
    ended = ends_of_trials(folder / "reports/many/study.journal")
    window = max(size // 25, 32)
    early = (ended[100 + window] - ended[100]) / window
    late = (ended[-1] - ended[-1 - window]) / window
    begun, at_1000 = taken.resident[0][0], ended[min(1_000, size // 10)]
    del begun
    before = [held for at, held in taken.resident if at <= at_1000][-1]
    after = [held for at, held in taken.resident if at <= ended[-1]][-1]
    return {
        "trials": size,
        "seconds": taken.seconds,
        "after_search": taken.seconds - (ended[-1] - ended[0]),
        "ms_at_100": 1e3 * early,
        "ms_at_end": 1e3 * late,
        "ratio": late / early,
        "memory_at_1000_mb": before / 2**20,
        "memory_at_end_mb": after / 2**20,
        "memory_ratio": after / before,
        "peak_mb": taken.peak / 2**20,
    }


def ends_of_trials(journal: Path) -> list[float]:
    """Return when the trials of a study ended, in order, seconds since 1970."""
    found = []
    with journal.open(encoding="utf-8") as lines:
        for line in lines:
            if '"datetime_complete"' in line and '"state"' in line:
                when = json.loads(line)["datetime_complete"]
                found.append(datetime.fromisoformat(when).timestamp())
    return sorted(found)


def many_rows(folder: Path, size: int, track: str) -> dict[str, Any]:
    """Return what a search of so many rows of 40 numbers and 10 labels takes."""
    if not (folder / "data.parquet").is_file():
        write_rows(folder / "data.parquet", size)
    space = _SHORT.format(batch=4096, epochs=2, replicates=2)
    (folder / "short.toml").write_text(space, encoding="utf-8")
    arguments = ["data.parquet", "--target", "y", "--space", "short.toml", "--name", "rows"]
    arguments += ["--trials", "8", "--time-limit", "6m", "--track", track, "--device", "cpu"]
    taken = run_search(arguments, folder)
    return {"rows": size, "seconds": taken.seconds, "peak_gb": taken.peak / 1e9}


def write_rows(path: Path, size: int, *, at_once: int = 100_000) -> None:
    """Write a table of 50 mixed columns and a target of which a fifth is positive, in pieces."""
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
    """Return the time and memory of a search of so many classes, 100 rows each."""
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
    arguments += ["--trials", "8", "--time-limit", "8m", "--track", track, "--device", "cpu"]
    taken = run_search(arguments, folder)
    return {"classes": size, "rows": n_rows, "seconds": taken.seconds, "peak_gb": taken.peak / 1e9}


def many_columns(folder: Path, size: int, track: str) -> dict[str, Any]:
    """Return the time and memory of a search of so many numeric columns in 2 000 rows of CSV."""
    import pandas as pd

    rng = np.random.default_rng(0)
    values = rng.normal(size=(2_000, size)).astype(np.float32)
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(size)])
    frame["y"] = (values[:, :10].sum(1) + rng.normal(size=2_000) > 0).astype(int)
    frame.to_csv(folder / "data.csv", index=False)
    del frame
    arguments = ["data.csv", "--target", "y", "--space", "quick", "--name", "columns"]
    arguments += ["--trials", "8", "--time-limit", "8m", "--track", track, "--device", "cpu"]
    taken = run_search(arguments, folder)
    return {"columns": size, "seconds": taken.seconds, "peak_gb": taken.peak / 1e9}


WHAT: dict[str, tuple[Callable[[Path, int, str], dict[str, Any]], int]] = {
    "trials": (many_trials, 10_000),
    "rows": (many_rows, 5_000_000),
    "classes": (many_classes, 1_000),
    "columns": (many_columns, 10_000),
}
"""What can be measured, and how much of it the bars are about."""


def main() -> None:
    """Measure, and print or write what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--what", choices=WHAT, action="append")
    parser.add_argument("--size", type=int, help="how much of it; by default what the bar says")
    parser.add_argument("--track", choices=("all", "off"), default="off", help="runs in MLflow")
    parser.add_argument("--keep", type=Path, help="a folder to work in, which is kept")
    parser.add_argument("--report", action="store_true", help="write reports/speed/scale.json")
    given = parser.parse_args()
    for what in given.what or WHAT:
        measure, usual = WHAT[what]
        with tempfile.TemporaryDirectory() as name:
            folder = given.keep or Path(name)
            folder.mkdir(parents=True, exist_ok=True)
            found = measure(folder, given.size or usual, given.track)
        print(json.dumps({what: found}, indent=1))


if __name__ == "__main__":
    main()
