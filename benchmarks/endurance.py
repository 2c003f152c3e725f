"""A search of ten thousand tiny trials: memory, handles, threads and journal while it runs.

    python -m benchmarks.endurance [--trials 10000] [--seconds 900] [--out FOLDER]

A search of scikit-learn's iris runs in this process, without MLflow. After each tenth of the
trials the process is looked at, and again after verdict and report. Then the journal is opened in
a new process, three times. After `--seconds` the search is interrupted, and the figures are those
of the trials until then.

The figures become endurance.json and the page in reports/reliability.
"""

from __future__ import annotations

import argparse
import gc
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
NAME, SHARES = "endurance", 10
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
        trials: The trials of the search.
    """

    def __init__(self, folder: Path, trials: int) -> None:
        self.samples: list[Sample] = []
        self.done = 0
        self._folder, self._step = folder, max(1, trials // SHARES)
        self._began = time.monotonic()

    def updated(self, update: Update) -> None:
        """Take a sample after each tenth of the trials."""
        if update.done >= len(self.samples) * self._step or update.done < self.done:
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
    """Search, at most for some seconds, and return the samples."""
    space = out / "space.toml"
    space.write_text(SPACE, encoding="utf-8")
    watch = Watch(out / NAME, trials)
    timer = threading.Timer(seconds, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        autoloss.search(
            "sklearn:iris",
            space=space,
            trials=trials,
            workers=1,
            track="off",
            name=NAME,
            out=out,
            progress=watch,
        )
    except SearchInterrupted:
        print(f"interrupted after {seconds:g} s")
    timer.cancel()
    watch.take(watch.done)
    return watch


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
    columns = ["trials", "seconds", "memory (MB)", "handles", "threads", "journal (MB)"]
    first, last = watch.samples[len(watch.samples) // 4], watch.samples[-1]
    grown = (last.memory - first.memory) / max(1, last.trials - first.trials) * 1000
    return {
        "title": "Ten thousand tiny trials",
        "command": "python -m benchmarks.endurance",
        "text": [
            f"A search of iris with {trials:,} trials in one process, one core beside other "
            f"programs. From {first.trials:,} trials on the memory grows by {grown:.1f} MB each "
            f"1,000 trials. The journal opens in {seconds:.2f} s (median of three)."
        ],
        "tables": [{"columns": columns, "rows": [list(astuple(one)) for one in watch.samples]}],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the section of the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        watch = run(options.trials, seconds=options.seconds, out=Path(folder))
        for one in watch.samples:
            print(one, flush=True)
        trials, seconds = opened(Path(folder))
    print(f"{trials} trials open in {seconds:.2f} s")
    write("endurance", figures(watch, trials, seconds), options.out)


if __name__ == "__main__":
    main()
