"""Executors side by side: in this process, in worker processes, and on a Ray cluster.

    python -m benchmarks.executors [--candidates 32] [--epochs 40] [--repeats 3] [--out DIR]

Each executor trains the same candidates; the executors take turns, so that a busy machine slows
all of them. Training without an executor is the call that the executor of this process makes. What
the cores allow is the time of two processes that train half of the candidates each, without an
executor between them. Bytes are those of pickled messages, in both directions, and of the data,
which travel once for each division. The cost of the coordinator is its processor time while others
train. The figures become reports/reliability/executors.json and its section.
"""

from __future__ import annotations

import argparse
import io
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from autoloss.bench.problem import Setting, make_setting
from autoloss.executors import Executor, LocalExecutor, ProcessExecutor, Staffing, Work, crew_of
from autoloss.executors.crew import Crew
from autoloss.training import train
from benchmarks.reliability import FOLDER, write

START_SECONDS = 120.0
BARE, HERE = "no executor", "this process"
PROCESS, RAY = "worker processes", "Ray workers"
# Trains half of the candidates as soon as the other half is ready too.
HALF = """
import sys, time
from pathlib import Path
from benchmarks.executors import half
half(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
"""


def work_of(setting: Setting) -> Work:
    """Return the candidates of a setting as work."""
    return Work(setting.jobs, tuple(setting.candidates), needs_weights=False)


def half(place: int, folder: Path, candidates: int, epochs: int) -> None:
    """Train half of the candidates when both halves are ready; print the seconds."""
    torch.set_num_threads(1)
    setting = make_setting(together=candidates, epochs=epochs)
    own = setting.candidates[place::2]
    warm = make_setting(together=len(own), epochs=1)
    list(LocalExecutor(together=len(own)).submit(work_of(warm)))
    (folder / str(place)).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.001)
    began = time.perf_counter()
    list(LocalExecutor(together=len(own)).submit(Work(setting.jobs, tuple(own))))
    print(time.perf_counter() - began)


def allowed(candidates: int, epochs: int) -> float:
    """Return the seconds of two processes that train half of the candidates each."""
    with tempfile.TemporaryDirectory() as folder:
        words = [folder, str(candidates), str(epochs)]
        halves = [
            subprocess.Popen(
                [sys.executable, "-c", HALF, str(place), *words],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                text=True,
            )
            for place in range(2)
        ]
        return max(float(one.communicate()[0]) for one in halves)


class Traffic:
    """Counts the bytes of the messages of a crew, in both directions.

    Args:
        crew: The workers.

    Attributes:
        messages: The number of messages.
        bytes: Their bytes, pickled.
    """

    def __init__(self, crew: Crew) -> None:
        self.messages = self.bytes = 0
        send, receive = crew.send, crew.receive

        def sent(worker: int, message: object) -> None:
            self._count(message)
            send(worker, message)

        def received() -> tuple[int, Any]:
            worker, message = receive()
            self._count(message)
            return worker, message

        crew.send, crew.receive = sent, received  # type: ignore[method-assign]

    def _count(self, message: object) -> None:
        self.messages += 1
        # A reference to data is as long as any other.
        plain = {**vars(message), "data": None} if hasattr(message, "data") else message
        self.bytes += len(pickle.dumps(plain, protocol=pickle.HIGHEST_PROTOCOL))


@contextmanager
def staffed(name: str, count: int) -> Iterator[Crew]:
    """Yield workers that have started."""
    with crew_of("ray" if name == RAY else "local", None) as crew:
        if name == RAY:
            crew.coordinator("cpu")
            staffing = crew.staff(count, trials=1, device=torch.device("cpu"))
        else:
            staffing = Staffing(count, "as asked")
        crew.begin(staffing)
        if not crew.wait(START_SECONDS):
            raise RuntimeError("Workers must start within two minutes, but they did not.")
        yield crew


def executor_with(crew: Crew, setting: Setting) -> ProcessExecutor:
    """Return an executor that trains all candidates of a setting at once."""
    return ProcessExecutor(
        crew,
        together=len(setting.candidates),
        on_epoch=lambda report: None,
        on_halved=lambda together: None,
        on_local=lambda reason: None,
    )


def timed(executor: Executor, work: Work) -> tuple[float, float]:
    """Return the seconds of a training run, and the processor's seconds in this process."""
    began, own = time.perf_counter(), time.process_time()
    list(executor.submit(work))
    return time.perf_counter() - began, time.process_time() - own


def bare(work: Work) -> float:
    """Return the seconds of a training run without an executor."""
    began = time.perf_counter()
    train(work.jobs, work.candidates)
    return time.perf_counter() - began


def beside(work: Work, turn: int) -> tuple[float, float]:
    """Return the seconds of a training run without an executor, and with that of this process.

    Args:
        work: The candidates.
        turn: The number of the repeat; which of them begins changes with each.
    """
    local = LocalExecutor(together=len(work.candidates))
    if turn % 2:
        through, _ = timed(local, work)
        return bare(work), through
    alone = bare(work)
    through, _ = timed(local, work)
    return alone, through


def traffic_of(name: str, setting: Setting) -> tuple[float, float]:
    """Return messages and bytes of a candidate with two workers."""
    with staffed(name, 2) as crew:
        counted = Traffic(crew)
        list(executor_with(crew, setting).submit(work_of(setting)))
    trials = len(setting.candidates)
    return counted.messages / trials, counted.bytes / trials


def measure(candidates: int, epochs: int, repeats: int) -> dict[str, Any]:
    """Return the figures of all executors as a section of the page."""
    torch.set_num_threads(1)
    setting = make_setting(together=candidates, epochs=epochs)
    work = work_of(setting)
    ways = [(PROCESS, 2), (RAY, 1), (RAY, 2)]
    seconds: dict[tuple[str, int], list[float]] = {}
    costs: dict[tuple[str, int], list[float]] = {}
    bounds: list[float] = []
    # The first training run of a process is slower than the others.
    bare(replace(work, candidates=work.candidates[:1]))
    for turn in range(repeats):
        bounds.append(allowed(candidates, epochs))
        for name, spent in zip((BARE, HERE), beside(work, turn), strict=True):
            seconds.setdefault((name, 1), []).append(spent)
        for way in ways:
            with staffed(*way) as crew:
                trains = executor_with(crew, setting)
                # The data travel with the first candidates.
                list(trains.submit(replace(work, candidates=work.candidates[: way[1]])))
                spent, own = timed(trains, work)
            seconds.setdefault(way, []).append(spent)
            costs.setdefault(way, []).append(1000 * own / candidates)
    bound, alone = statistics.median(bounds), statistics.median(seconds[HERE, 1])
    through = statistics.median(
        one / other for one, other in zip(seconds[HERE, 1], seconds[BARE, 1], strict=True)
    )
    rows: list[list[Any]] = [
        [BARE, 1, statistics.median(seconds[BARE, 1]), "", ""],
        [HERE, 1, alone, "", ""],
        *(
            [
                name,
                count,
                found := statistics.median(seconds[name, count]),
                f"{(bound if count == 2 else alone) / found:.0%}",
                f"{statistics.median(costs[name, count]):.1f}",
            ]
            for name, count in ways
        ),
        ["two halves, no executor", 2, bound, "100%", ""],
    ]
    stored = io.BytesIO()
    torch.save(setting.jobs, stored)
    travelled = [[name, *traffic_of(name, setting)] for name in (PROCESS, RAY)]
    return {
        "title": "Executors",
        "command": "python -m benchmarks.executors",
        "text": [
            f"{candidates} candidates train for {epochs} epochs on {len(setting.job.train):,} "
            f"rows, with a thread for each worker. Times are medians of {repeats} repeats, in "
            "which the executors take turns; they exclude the start of the workers. Efficiency "
            "is the speed relative to the speed that the cores allow: of two workers, relative "
            "to two processes that each train half of the candidates without an executor; of "
            "one worker, relative to this process.",
            f"Through its executor, this process takes {through:.3f} times as long as for the "
            "same training without it (the median of the repeats' ratios).",
            f"The data of a division ({stored.tell():,} bytes here) are sent once.",
        ],
        "tables": [
            {
                "columns": [
                    "executor",
                    "workers",
                    "seconds",
                    "efficiency",
                    "overhead (ms per trial)",
                ],
                "rows": rows,
            },
            {
                "caption": "Messages in both directions for a trial on a division, with two "
                "workers",
                "columns": ["executor", "messages", "bytes"],
                "rows": travelled,
            },
        ],
    }


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()
    write("executors", measure(options.candidates, options.epochs, options.repeats), options.out)


if __name__ == "__main__":
    main()
