"""The cost of coordinating a search: asking, telling and tracking, with workers that do not train.

The study, its sampler, the scoring, the storage and MLflow are those of a search. The workers are
fake: each needs a drawn time for a trial, and returns drawn logits. Their hours pass in virtual
time, to which the coordinator's own work is added as it is measured:

    python -m benchmarks.coordinator --report

writes reports/reliability/coordinator.json and the page. The rows of PostgreSQL need its server.
"""

from __future__ import annotations

import argparse
import heapq
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autoloss.search import Study, Trial
from autoloss.tracking import Tracker
from benchmarks import reliability

ROWS, CLASSES = 1000, 2
MEDIAN, SPREAD = 60.0, 0.5
"""Seconds of a training: a log-normal law with this median and this deviation of the logarithm."""
SIZES = {10: 300, 100: 1500, 1000: 6000}
"""The trials of the simulation by workers."""
COORDINATORS, SHARED = 8, 640
LABELS = torch.arange(ROWS) % CLASSES


@dataclass
class Costs:
    """The seconds of a coordinator by purpose, and what it did in them.

    Attributes:
        ask: Seconds of asking.
        tell: Seconds of telling.
        trials: Trials told.
        rounds: Calls of `tell_many`.
    """

    ask: float = 0.0
    tell: float = 0.0
    trials: int = 0
    rounds: int = 0
    hours: float = field(default=0.0)


def simulate(
    study: Study, workers: int, *, seed: int = 0, most: int | None = None, tracker: Tracker | None
) -> Costs:
    """Drive a study with fake workers until its budget is spent.

    A worker that is free waits for the coordinator, which tells all trials that have ended, and
    then asks for all free workers.

    Args:
        study: The study.
        workers: The number of workers.
        seed: Seed of their times and logits.
        most: The most trials that are told and asked at once; None for all.
        tracker: Receives the records; None for none.
    """
    draw = np.random.default_rng(seed)
    costs, now, free = Costs(), 0.0, workers
    running: list[tuple[float, int, Trial]] = []
    while True:
        while free:
            wanted = free if most is None else min(free, most)
            trials, seconds = _timed(lambda n=wanted: study.ask(n))
            now, costs.ask = now + seconds, costs.ask + seconds
            if not trials:
                break
            for trial in trials:
                ends = now + float(draw.lognormal(np.log(MEDIAN), SPREAD))
                heapq.heappush(running, (ends, trial.number, trial))
            free -= len(trials)
        if not running:
            costs.hours = now / 3600
            return costs
        now = max(now, running[0][0])
        ended: list[Trial] = []
        while running and running[0][0] <= now and (most is None or len(ended) < most):
            ended.append(heapq.heappop(running)[2])
        logits = _logits(len(ended), draw)
        records, seconds = _timed(
            lambda some=ended, values=logits: study.tell_many(
                some, values, LABELS, seconds=[MEDIAN] * len(some)
            )
        )
        for record in records:
            if tracker is not None:
                tracker.log_trial(record)
        now, costs.tell = now + seconds, costs.tell + seconds
        costs.trials, costs.rounds = costs.trials + len(ended), costs.rounds + 1
        free += len(ended)


def _timed(action: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    found = action()
    return found, time.perf_counter() - started


def _logits(count: int, draw: np.random.Generator) -> torch.Tensor:
    """Return logits (K, N, C) that are right in about nine of ten rows."""
    signal = 2.0 * torch.nn.functional.one_hot(LABELS, CLASSES)
    noise = torch.from_numpy(draw.standard_normal((count, ROWS, CLASSES))).float()
    return signal + noise


def one_coordinator(
    workers: int, trials: int, *, most: int | None, storage: str | None
) -> dict[str, Any]:
    """Return the figures of a simulation, with the study in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="coordinator-") as name:
        out = Path(name)
        study_name = f"s{workers}-{most or 'all'}-{time.time_ns()}"
        with Study(
            study_name, [500, 500], trials=trials, space="default", out=out, storage=storage
        ) as study:
            costs = simulate(study, workers, most=most, tracker=None)
        per_hour = costs.trials / costs.hours
        mean = MEDIAN * float(np.exp(SPREAD**2 / 2))
        return {
            "workers": workers,
            "trials": costs.trials,
            "at_once": most,
            "storage": "journal" if storage is None else "postgresql",
            "ask_ms": 1e3 * costs.ask / costs.trials,
            "tell_ms": 1e3 * costs.tell / costs.trials,
            "told_together": costs.trials / costs.rounds,
            "per_hour": per_hour,
            "of_workers": per_hour / (workers * 3600 / mean),
            "most_per_hour": 3600 * costs.trials / (costs.ask + costs.tell),
        }


def tracking(trials: int = 150) -> dict[str, float]:
    """Return the rate at which MLflow in SQLite takes runs, and its cost on the path.

    It writes in a thread; `on_path_ms` is what a trial costs the coordinator.
    """
    with tempfile.TemporaryDirectory(prefix="coordinator-") as name:
        out = Path(name)
        uri = f"sqlite:///{(out / 'mlflow.db').as_posix()}"
        with Study("s", [500, 500], trials=trials, space="default", out=out) as study:
            asked = study.ask(trials)
            logits = _logits(len(asked), np.random.default_rng(0))
            records = study.tell_many(asked, logits, LABELS, seconds=[MEDIAN] * len(asked))
            tracker = Tracker(uri, experiment="s", study_name="s", folder=study.folder)
            tracker.start({"data": "none"})
            tracker.log_trial(records[0])
            while tracker.written < 1:
                time.sleep(0.05)
            _, path = _timed(lambda: [tracker.log_trial(one) for one in records[1:]])
            _, whole = _timed(lambda: tracker.close(600))
            return {
                "runs_per_second": (trials - 1) / (path + whole),
                "on_path_ms": 1e3 * path / (trials - 1),
            }


def _ask_and_fail(url: str, out: str, number: int, at_once: int, begin: Any, found: Any) -> None:
    torch.set_num_threads(1)
    with Study.open("shared", out=Path(out) / str(number), storage=url) as study:
        begin.wait()
        calls = asked = 0
        started = time.perf_counter()
        while trials := study.ask(at_once):
            calls, asked = calls + 1, asked + len(trials)
            for trial in trials:
                study.fail(trial, "diverged", seconds=1.0)
        found.put((calls, asked, time.perf_counter() - started))


def several(url: str, coordinators: int, *, at_once: int, trials: int = SHARED) -> dict[str, Any]:
    """Return the rate at which coordinators of one study ask trials and end them without logits.

    Args:
        url: The database.
        coordinators: Their number; each is a process.
        at_once: Trials of a call of `ask`.
        trials: Trials of the study.
    """
    context = multiprocessing.get_context("spawn")
    begin, found = context.Barrier(coordinators), context.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="coordinator-") as out:
        first = Study("shared", [500, 500], trials=trials, space="quick", out=out, storage=url)
        first.close()
        workers = [
            context.Process(target=_ask_and_fail, args=(url, out, k, at_once, begin, found))
            for k in range(coordinators)
        ]
        for one in workers:
            one.start()
        every = [found.get() for _ in workers]
        for one in workers:
            one.join()
        with Study.open("shared", out=Path(out) / "last", storage=url) as study:
            lost = len(study._session.trials()) - trials
    seconds = max(seconds for *_, seconds in every)
    assert sum(asked for _, asked, _ in every) == trials
    return {
        "coordinators": coordinators,
        "at_once": at_once,
        "asks_per_second": sum(calls for calls, *_ in every) / seconds,
        "trials_per_second": trials / seconds,
        "in_vain": lost,
    }


@contextmanager
def postgresql() -> Iterator[str | None]:
    """Yield the URL of a server of its own; None where none is installed."""
    from tests.search.postgresql import programs, server

    with nullcontext(None) if programs() is None else server() as url:
        yield url


def measure(sizes: dict[int, int], *, shared: int) -> dict[str, Any]:
    """Return all figures."""
    found: dict[str, Any] = {"tracking": tracking(), "simulated": [], "several": []}
    for workers, trials in sizes.items():
        for most in (1, None):
            # One at a time needs fewer trials to show its rate.
            count = trials if most is None else min(trials, 600)
            found["simulated"].append(one_coordinator(workers, count, most=most, storage=None))
    with postgresql() as url:
        if url is not None:
            count = min(sizes.get(100, 300), 400)
            found["simulated"].append(one_coordinator(100, count, most=None, storage=url))
    for coordinators, at_once in ((1, 8), (COORDINATORS, 1), (COORDINATORS, 8)):
        with postgresql() as url:
            if url is not None:
                found["several"].append(several(url, coordinators, at_once=at_once, trials=shared))
    return found


def section(found: dict[str, Any]) -> dict[str, Any]:
    """Return the figures as a section of the page of reliability."""
    rows = [
        [
            one["workers"],
            one["storage"],
            "one" if one["at_once"] else f"all, {one['told_together']:.1f} in the mean",
            one["ask_ms"],
            one["tell_ms"],
            round(one["per_hour"]),
            f"{one['of_workers']:.0%}",
            round(one["most_per_hour"]),
        ]
        for one in found["simulated"]
    ]
    columns = [
        "workers",
        "storage",
        "told and asked at once",
        "ask, ms a trial",
        "tell, ms a trial",
    ]
    columns += ["trials an hour", "of the workers' time", "the coordinator's most an hour"]
    shared = [
        [
            one["coordinators"],
            one["at_once"],
            one["asks_per_second"],
            one["trials_per_second"],
            one["in_vain"],
        ]
        for one in found["several"]
    ]
    rate = found["tracking"]
    return {
        "title": "Coordinator",
        "command": "python -m benchmarks.coordinator --report",
        "text": [
            f"Fake workers need {MEDIAN:.0f} s for a trial in the median (log-normal, deviation "
            f"{SPREAD} of the logarithm). Study, sampler, scoring of {ROWS:,} rows and storage "
            "are those of a search; hours pass in virtual time, and the coordinator's own work is "
            "added as measured, on one core beside other programs. A coordinator that is busy "
            "finds several ended trials when it looks again: it tells and asks them together.",
            f"MLflow in SQLite takes {rate['runs_per_second']:.0f} runs a second "
            f"({3600 * rate['runs_per_second']:,.0f} an hour), in a thread: a trial costs the "
            f"coordinator {rate['on_path_ms']:.2f} ms.",
        ],
        "tables": [
            {"caption": "One coordinator", "columns": columns, "rows": rows},
            {
                "caption": "Several coordinators of a study in PostgreSQL, on one core with their "
                "server, which ask trials and end them without logits",
                "columns": [
                    "coordinators",
                    "trials a call",
                    "calls a second",
                    "trials a second",
                    "trials asked in vain",
                ],
                "rows": shared,
            },
        ],
        "figures": found,
    }


def main(words: Sequence[str] | None = None) -> None:
    """Measure, and print or write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--report", action="store_true", help="write reports/reliability")
    parser.add_argument("--short", action="store_true", help="a tenth of the trials")
    options = parser.parse_args(words)
    part = 10 if options.short else 1
    sizes = {workers: max(2 * workers, trials // part) for workers, trials in SIZES.items()}
    found = section(measure(sizes, shared=SHARED // part))
    if options.report:
        reliability.write("coordinator", found)
    else:
        print(reliability.page([found]))


if __name__ == "__main__":
    main()
