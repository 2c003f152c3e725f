"""Worker processes against the threads of one process: whole searches, side by side.

    python -m benchmarks.workers [--trials 8] [--repeats 3] [--seconds 3600] [--report]

A search of scikit-learn's digits runs alone, beside a second one, and beside a busy loop. It
trains with two workers, with one process whose idle threads spin, and with one whose idle threads
sleep (`OMP_WAIT_POLICY=passive`). The ways take turns, so that a busy machine slows all of them,
and a ratio compares runs of one repeat. Memory is that of all processes of the search, shared
pages counted once; the start ends with the first epoch.

Each run is a line in reports/speed/workers.jsonl as soon as it has ended. A further call with the
same trials continues there; after `--seconds` no further situation begins. `--report` writes the
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
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.log import add, read
from benchmarks.speed_page import ending_here, write_page

OUT = Path("reports/speed")
THREADS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "MKL_NUM_THREADS")
BUSY = "while True: pass"
# The command line, which notes the time of the first epoch.
SEARCH = """
import sys, time
from pathlib import Path
from autoloss.cli.app import main
from autoloss.experiment.session import SearchSession
first, on_epoch = Path(sys.argv.pop(1)), SearchSession._on_epoch
def noted(self, report):
    if not first.exists():
        first.write_text(repr(time.time()))
    on_epoch(self, report)
SearchSession._on_epoch = noted
main()
"""


@dataclass(frozen=True)
class Way:
    """A way to train.

    Args:
        name: Its name.
        workers: Worker processes; 1 for the threads of one process.
        passive: Whether idle threads sleep.
    """

    name: str
    workers: int
    passive: bool = False


WORKERS, ACTIVE, PASSIVE = Way("workers", 2), Way("threads", 1), Way("passive threads", 1, True)
# Searches at once, busy loops beside them, and the ways that are compared.
SITUATIONS = {
    "alone": (1, 0, (WORKERS, ACTIVE, PASSIVE)),
    "beside a busy loop": (1, 1, (WORKERS, ACTIVE, PASSIVE)),
    "two at once": (2, 0, (WORKERS, ACTIVE)),
}

Run = dict[str, Any]
"""Way, situation, repeat, seconds, seconds to the first epoch, MB of memory, load before."""


def search(way: Way, folder: Path, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    """Start a search."""
    folder.mkdir()
    words = [str(folder / "first"), "search", "sklearn:digits", "--space", options.space]
    words += ["--trials", str(options.trials), "--workers", str(way.workers), "--track", "off"]
    env = {name: value for name, value in os.environ.items() if name not in THREADS}
    env |= {"OMP_WAIT_POLICY": "passive"} if way.passive else {}
    return subprocess.Popen(
        [sys.executable, "-c", SEARCH, *words, "-q", "--out", str(folder)],
        env=env,
        stdout=subprocess.DEVNULL,
    )


def run_of(way: Way, situation: str, options: argparse.Namespace) -> Run:
    """Return the figures of the searches of a situation, after all of them have ended.

    Raises:
        RuntimeError: A search failed.
    """
    searches, loops, _ = SITUATIONS[situation]
    load = os.getloadavg()[0]
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(loops)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        with tempfile.TemporaryDirectory() as name:
            began, started = time.time(), time.perf_counter()
            running += [search(way, Path(name, str(i)), options) for i in range(searches)]
            with Memory(running[0].pid) as memory:
                codes = [one.wait() for one in running]
            spent = time.perf_counter() - started
            if any(codes):
                raise RuntimeError(f"A search must exit with 0, but got {codes}.")
            first = float(Path(name, "0", "first").read_text(encoding="ascii")) - began
    finally:
        for process in (*busy, *running):
            process.kill()
            process.wait()
    return {"seconds": spent, "first": first, "mb": memory.most / 2**20, "load": load}


class Memory:
    """Watches the memory of a process and its children once a second, on Linux.

    Args:
        pid: The process.

    Attributes:
        most: The largest memory, in bytes; a page of several processes counts once.
    """

    def __init__(self, pid: int) -> None:
        self.most = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(1.0):
            self.most = max(self.most, sum(map(_bytes_of, [self._pid, *_children(self._pid)])))


def _children(pid: int) -> list[int]:
    """Return the processes below a process."""
    try:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [one for word in words for one in (int(word), *_children(int(word)))]


def _bytes_of(pid: int) -> int:
    """Return the memory of a process, its part of shared pages included; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median and the range of values."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def pairs(
    runs: Sequence[Run],
    one: tuple[Way, str],
    other: tuple[Way, str],
    value: Callable[[Run, Run], float],
) -> list[float]:
    """Return a value of two runs for each repeat that has both."""

    def by_repeat(way: Way, situation: str) -> dict[int, Run]:
        own = (run for run in runs if (run["way"], run["situation"]) == (way.name, situation))
        return {run["repeat"]: run for run in own}

    first, second = by_repeat(*one), by_repeat(*other)
    return [value(first[i], second[i]) for i in sorted(first.keys() & second.keys())]


def _ratio(one: Run, other: Run) -> float:
    return float(one["seconds"] / other["seconds"])


def figures(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the figures of the page: medians and words by name; none without runs."""
    alone = (WORKERS, "alone"), (ACTIVE, "alone")
    asked: dict[str, tuple[tuple[Way, str], tuple[Way, str], Callable[[Run, Run], float], str]] = {
        "faster": (alone[1], alone[0], _ratio, "×"),
        "passive": ((PASSIVE, "alone"), alone[1], _ratio, "×"),
        "later": (*alone, lambda one, other: one["first"] - other["first"], " s"),
        "memory": (*alone, lambda one, other: one["mb"] - other["mb"], " MB"),
    }
    for way, name in ((WORKERS, ""), (ACTIVE, "threads_"), (PASSIVE, "passive_")):
        own = (way, "alone")
        asked[f"{name}at_once"] = ((way, "two at once"), own, _ratio, "×")
        asked[f"{name}busy"] = ((way, "beside a busy loop"), own, _ratio, "×")
    found: dict[str, Any] = {}
    for name, (one, other, value, unit) in asked.items():
        if values := pairs(runs, one, other, value):
            digits = 0 if unit == " MB" else 2
            found[name] = statistics.median(values)
            found[f"{name}_words"] = (
                f"{spread(values, digits)}{unit}; {len(values)} "
                f"{'pair' if len(values) == 1 else 'pairs'}"
            )
    for situation, (_, _, ways) in SITUATIONS.items():
        for way in ways:
            same = (way, situation)
            if seconds := pairs(runs, same, same, lambda run, _: float(run["seconds"])):
                found[f"{way.name}, {situation}"] = f"{spread(seconds, 0)} s"
    return found


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--space", default="default")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3600.0, help="no situation begins later")
    parser.add_argument("--report", action="store_true", help="write reports/speed")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    ends = time.perf_counter() + options.seconds
    log = options.out / f"workers{ending_here()}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    asked = {"trials": options.trials, "space": options.space}
    runs = [run for run in read(log) if asked.items() <= run.items()]
    for repeat in range(options.repeats):
        for situation, (_, _, ways) in SITUATIONS.items():
            if time.perf_counter() > ends:
                break
            for way in ways:
                place = {"way": way.name, "situation": situation, "repeat": repeat}
                if any(place.items() <= run.items() for run in runs):
                    continue
                runs.append(place | run_of(way, situation, options) | asked)
                add(log, runs[-1])
                print(f"{way.name}, {situation}: {runs[-1]['seconds']:.0f} s", file=sys.stderr)
    found = figures(runs)
    print(json.dumps(found, indent=1))
    if options.report and runs:
        cores = {"cores": os.cpu_count(), "load": spread([run["load"] for run in runs], 1)}
        file = options.out / f"workers{ending_here()}.json"
        file.write_text(json.dumps(found | asked | cores, indent=1) + "\n", encoding="utf-8")
        write_page(options.out)


if __name__ == "__main__":
    main()
