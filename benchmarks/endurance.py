"""Long searches: memory, handles, threads and journal while they run.

    python -m benchmarks.endurance [--part trials] [--trials 10000] [--seconds 3600] [--out FOLDER]
    python -m benchmarks.endurance --part hour [--seconds 3600] [--out FOLDER]

The first is a search of scikit-learn's iris with ten thousand tiny trials in this process, without
MLflow. The process is sampled after each tenth of the trials, and after verdict and report. Then
a new process opens the journal, three times. The second searches the digits of scikit-learn with
the space `quick`, logs the trials to MLflow in SQLite, and is sampled every tenth of the time.
After `--seconds` a search is interrupted, and the figures are from the trials until then.

The figures become endurance.json and hour.json, and the page in reports/reliability.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import autoloss
from autoloss.core.errors import SearchInterrupted
from autoloss.experiment.progress import Silent
from autoloss.records import Update
from autoloss.search.naming import JOURNAL
from benchmarks.reliability import FOLDER, write

SPACE = """
bases = ["cross_entropy", "brier", "focal", "poly1", "generalized_cross_entropy"]
together = 256
[network]
width = 8
depth = 1
bins = 2
[training]
max_epochs = 2
patience = 2
[protocol]
folds = 1
replicates = 2
outer_folds = 0
"""
NAME, SHARES, ENDLESS = "endurance", 10, 1_000_000
# Opens a study as `autoloss resume` does, and prints the seconds without those of the imports.
OPEN = """
import sys, time
from pathlib import Path
from autoloss.search import Study
start = time.perf_counter()
study = Study.open(sys.argv[1], out=Path(sys.argv[2]))
trials = len(study.trials)
print(trials, time.perf_counter() - start)
study.close()
"""


@dataclass(frozen=True)
class Sample:
    """The process at a moment.

    Args:
        trials: Trials that have ended.
        seconds: Since the start.
        memory: Resident memory in MB.
        handles: Open files and sockets.
        threads: Threads.
        journal: Size of the journal in MB.
    """

    trials: int
    seconds: float
    memory: float
    handles: int
    threads: int
    journal: float


class Watch(Silent):
    """Takes samples of this process while a search shows its progress.

    Args:
        folder: The folder of the study.
        trials: The trials between two samples; infinite for none.
        seconds: The seconds between two samples; infinite for none.
    """

    def __init__(
        self, folder: Path, *, trials: float = math.inf, seconds: float = math.inf
    ) -> None:
        self.samples: list[Sample] = []
        self.done = 0
        self._folder, self._trials, self._seconds = folder, trials, seconds
        self._began = time.monotonic()

    def updated(self, update: Update) -> None:
        """Take a sample at the start, where it is due, and when the last training runs begin."""
        passed, taken = time.monotonic() - self._began, len(self.samples)
        is_due = update.done >= taken * self._trials or passed >= taken * self._seconds
        if not taken or is_due or update.done < self.done:
            self.take(update.done)
        self.done = update.done

    def take(self, trials: int) -> None:
        """Take a sample now."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        journal = self._folder / JOURNAL
        self.samples.append(
            Sample(
                trials,
                time.monotonic() - self._began,
                pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
                len(os.listdir("/proc/self/fd")),
                threading.active_count(),
                journal.stat().st_size / 1e6 if journal.exists() else 0.0,
            )
        )


def run(trials: int, *, seconds: float, out: Path) -> Watch:
    """Search iris in tiny trials, at most for some seconds, and return the samples."""
    space = out / "space.toml"
    space.write_text(SPACE, encoding="utf-8")
    watch = Watch(out / NAME, trials=max(1, trials // SHARES))
    _search("sklearn:iris", watch, seconds, space=space, trials=trials, track="off", out=out)
    return watch


def run_for(seconds: float, *, out: Path) -> Watch:
    """Search the digits for some seconds with MLflow, and return the samples."""
    watch = Watch(out / NAME, seconds=seconds / SHARES)
    store = f"sqlite:///{out / 'mlflow.db'}"
    _search("sklearn:digits", watch, seconds, space="quick", trials=ENDLESS, track=store, out=out)
    return watch


def _search(data: str, watch: Watch, seconds: float, **settings: Any) -> None:
    """Search until the end or the interruption after some seconds, and take a last sample."""
    timer = threading.Timer(seconds, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        autoloss.search(data, workers=1, name=NAME, progress=watch, **settings)
    except SearchInterrupted:
        print(f"interrupted after {seconds:g} s")
    timer.cancel()
    watch.take(watch.done)


def opened(out: Path, repeats: int = 3) -> tuple[int, float]:
    """Return the trials of the study, and the median of the seconds that opening it takes."""
    found = []
    for _ in range(repeats):
        command = [sys.executable, "-c", OPEN, NAME, str(out)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        trials, seconds = text.split()
        found.append((int(trials), float(seconds)))
    return found[0][0], statistics.median(one for _, one in found)


def figures(watch: Watch, trials: int, seconds: float) -> dict[str, Any]:
    """Return the section of the page."""
    return {
        "title": "Ten thousand tiny trials",
        "command": "python -m benchmarks.endurance",
        "text": [
            f"A search of iris with {trials:,} trials in one process, on a core shared with other "
            f"programs. {_growth(watch.samples, since=1 / 4)} The journal opens in "
            f"{seconds:.2f} s (median of three)."
        ],
        "tables": [_table(watch.samples)],
    }


def hour_figures(watch: Watch) -> dict[str, Any]:
    """Return the section of the page about a search of some length."""
    last = watch.samples[-1]
    return {
        "title": "An hour of searching",
        "command": "python -m benchmarks.endurance --part hour",
        "text": [
            "A search of the digits with the space `quick` in one process, on a core shared with "
            f"other programs, with MLflow in SQLite, interrupted after {last.seconds:,.0f} s. At "
            "first memory grows: torch keeps buffers and compiled products for each number of "
            f"candidates that train together. {_growth(watch.samples, since=2 / 3)}"
        ],
        "tables": [_table(watch.samples)],
    }


def _growth(samples: Sequence[Sample], *, since: float) -> str:
    """Return a sentence about the memory after a share of the samples."""
    first, last = samples[int(since * len(samples))], samples[-1]
    grown = (last.memory - first.memory) / max(1, last.trials - first.trials) * 1000
    return (
        f"Beyond {first.trials:,} trials, memory grows by {grown:.1f} MB for every 1,000 trials."
    )


def _table(samples: Sequence[Sample]) -> dict[str, Any]:
    columns = ["trials", "seconds", "memory (MB)", "handles", "threads", "journal (MB)"]
    return {"columns": columns, "rows": [list(astuple(one)) for one in samples]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the section of the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", choices=("trials", "hour"), default="trials")
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.part == "hour":
            watch = run_for(options.seconds, out=folder)
            found = hour_figures(watch)
        else:
            watch = run(options.trials, seconds=options.seconds, out=folder)
            found = figures(watch, *opened(folder))
    for one in watch.samples:
        print(one, flush=True)
    print(*found["text"])
    write("hour" if options.part == "hour" else NAME, found, options.out)


if __name__ == "__main__":
    main()
