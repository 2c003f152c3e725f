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
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from autoloss.experiment.rounds import round_size
from autoloss.search import Study, Trial
from autoloss.tracking import Tracker
from benchmarks import reliability

ROWS, CLASSES = 1000, 2
MEDIAN, SPREAD = 60.0, 0.5
"""Seconds of a training run: a log-normal law of this median and deviation of the logarithm."""
SIZES = {10: 100, 100: 400, 1000: 1500}
"""The trials of the simulation by workers."""
ALONE = 100
"""The most workers that are told and asked one after the other too."""
COORDINATORS, SHARED = 8, 96
LABELS = torch.arange(ROWS) % CLASSES
Clock = Callable[[], float]
Manner = Literal["one", "all", "round"]
MANNERS = {"one": "one by one", "all": "for all free workers", "round": "in rounds"}


@dataclass
class Costs:
    """The seconds of a coordinator by purpose, and its work in them.

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
    study: Study, workers: int, *, clock: Clock, manner: Manner = "all", seed: int = 0
) -> Costs:
    """Drive a study with fake workers until its budget is spent.

    Args:
        study: The study.
        workers: The number of workers.
        clock: Measures the coordinator's own work.
        manner: ``"one"`` tells and asks one trial after the other, ``"all"`` tells all that have
            ended and asks for all free workers, ``"round"`` asks a round as `search` does, and
            tells it when all of it has ended.
        seed: Seed of the times and logits.
    """
    draw = np.random.default_rng(seed)
    costs, now, free = Costs(), 0.0, workers
    at_once = {"one": 1, "all": workers, "round": min(round_size(study.budget), workers)}[manner]
    running: list[tuple[float, int, Trial]] = []
    left = study.budget
    while True:
        while free and left and not (manner == "round" and running):
            wanted = min(free, at_once)
            trials, seconds = _timed(clock, lambda n=wanted: study.ask(n))
            now, costs.ask = now + seconds, costs.ask + seconds
            left -= len(trials)
            for trial in trials:
                ends = now + float(draw.lognormal(np.log(MEDIAN), SPREAD))
                heapq.heappush(running, (ends, trial.number, trial))
            free -= len(trials)
        if not running:
            costs.hours = now / 3600
            return costs
        # A round ends with its last trial.
        now = max(now, max(running)[0] if manner == "round" else running[0][0])
        ended: list[Trial] = []
        while running and running[0][0] <= now and (manner != "one" or not ended):
            ended.append(heapq.heappop(running)[2])
        logits = _logits(len(ended), draw)
        _, seconds = _timed(
            clock,
            lambda some=ended, values=logits: study.tell_many(
                some, values, LABELS, seconds=[MEDIAN] * len(some)
            ),
        )
        now, costs.tell = now + seconds, costs.tell + seconds
        costs.trials, costs.rounds = costs.trials + len(ended), costs.rounds + 1
        free += len(ended)


def _timed(clock: Clock, action: Any) -> tuple[Any, float]:
    started = clock()
    found = action()
    return found, clock() - started


def _logits(count: int, draw: np.random.Generator) -> torch.Tensor:
    """Return logits (K, N, C) that are right in about nine of ten rows."""
    signal = 2.0 * torch.nn.functional.one_hot(LABELS, CLASSES)
    noise = torch.from_numpy(draw.standard_normal((count, ROWS, CLASSES))).float()
    return signal + noise


def one_coordinator(
    workers: int, trials: int, *, manner: Manner, storage: str | None
) -> dict[str, Any]:
    """Return the figures of a simulation, with the study in its own folder."""
    with tempfile.TemporaryDirectory(prefix="coordinator-") as name:
        out = Path(name)
        study_name = f"s{workers}-{manner}-{time.time_ns()}"
        with Study(
            study_name, [500, 500], trials=trials, space="default", out=out, storage=storage
        ) as study:
            # The work of a server is not in the time of this process.
            clock = time.process_time if storage is None else time.perf_counter
            costs = simulate(study, workers, clock=clock, manner=manner)
        per_hour = costs.trials / costs.hours
        mean = MEDIAN * float(np.exp(SPREAD**2 / 2))
        return {
            "workers": workers,
            "trials": costs.trials,
            "manner": manner,
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

    It writes in a thread; `on_path_ms` is the coordinator's cost of a trial.
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
            clock = time.process_time
            _, path = _timed(clock, lambda: [tracker.log_trial(one) for one in records[1:]])
            _, whole = _timed(clock, lambda: tracker.close(600))
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
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autoloss.search", "psycopg"])
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
    """Yield the URL of a new server; None where none is installed."""
    from tests.search.postgresql import programs, server

    with nullcontext(None) if programs() is None else server() as url:
        yield url


def simulated() -> list[dict[str, Any]]:
    """Return the figures of all simulations."""
    found = []
    for workers, trials in SIZES.items():
        # One after the other shows its rate with few workers too.
        for manner in get_args(Manner)[workers > ALONE :]:
            found.append(one_coordinator(workers, trials, manner=manner, storage=None))
    with postgresql() as url:
        if url is not None:
            found.append(one_coordinator(ALONE, SIZES[ALONE] // 2, manner="all", storage=url))
    return found


def shared() -> list[dict[str, Any]]:
    """Return the figures of several coordinators; none without a server."""
    found = []
    for coordinators, at_once in ((1, 8), (COORDINATORS, 1), (COORDINATORS, 8)):
        with postgresql() as url:
            if url is not None:
                found.append(several(url, coordinators, at_once=at_once))
    return found


PARTS: dict[str, Callable[[], Any]] = {
    "tracking": tracking,
    "simulated": simulated,
    "several": shared,
}


def section(found: dict[str, Any]) -> dict[str, Any]:
    """Return the figures as a section of the page of reliability."""
    rows = [
        [
            one["workers"],
            one["storage"],
            MANNERS[one["manner"]],
            round(one["told_together"], 1),
            one["ask_ms"],
            one["tell_ms"],
            round(one["per_hour"]),
            f"{one['of_workers']:.0%}",
            round(one["most_per_hour"]),
        ]
        for one in found.get("simulated", ())
    ]
    columns = [
        "workers",
        "storage",
        "asks",
        "trials per call (mean)",
        "ask (ms per trial)",
        "tell (ms per trial)",
        "trials per hour",
        "workers busy",
        "capacity (trials per hour)",
    ]
    shared = [
        [
            one["coordinators"],
            one["at_once"],
            one["asks_per_second"],
            one["trials_per_second"],
            one["in_vain"],
        ]
        for one in found.get("several", ())
    ]
    rate = found["tracking"]
    return {
        "title": "Coordinator",
        "command": "python -m benchmarks.coordinator --report",
        "text": [
            f"The workers are simulated: a trial takes {MEDIAN:.0f} s in the median (log-normal, "
            f"standard deviation {SPREAD} of the logarithm). The study, the sampler, the scoring "
            f"of {ROWS:,} rows and the storage are those of a search. Training passes in virtual "
            "time, to which the measured time of the coordinator is added: CPU time with the "
            "journal, wall time beside other programs with PostgreSQL. Trials that end while the "
            "coordinator is busy are told, and their successors asked, in one call.",
            "`search` asks in rounds: the next round begins when all trials of a round have "
            "ended, so that its proposals depend only on the study. Workers beyond the size of a "
            "round, and workers that finish early, are idle; further processes (`autoloss join`) "
            "add rounds of their own. A custom loop that asks whenever a worker is free "
            "(`Study.ask`, one by one or for all free workers at once) has idle workers only at "
            "the start and at the end of the budget. Both are a large part of the short budgets "
            "here, so the last column gives the capacity of the coordinator with enough workers.",
            f"MLflow writes {rate['runs_per_second']:.0f} runs a second "
            f"({3600 * rate['runs_per_second']:,.0f} an hour) to SQLite on one core, in a thread "
            f"of its own: tracking costs the coordinator {rate['on_path_ms']:.2f} ms per trial.",
        ],
        "tables": [
            {"caption": "One coordinator", "columns": columns, "rows": rows},
            {
                "caption": "Several coordinators of one study in PostgreSQL, which ask for trials "
                "and end them without logits; wall time on one core, shared with the server and "
                "other programs",
                "columns": [
                    "coordinators",
                    "trials per call",
                    "calls per second",
                    "trials per second",
                    "trials discarded",
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
    parser.add_argument("--part", choices=PARTS, help="measure this part, and keep the others")
    options = parser.parse_args(words)
    file = reliability.FOLDER / "coordinator.json"
    found: dict[str, Any] = {}
    if options.part and file.is_file():
        found = json.loads(file.read_text(encoding="utf-8"))["figures"]
    for name, measure in PARTS.items():
        if options.part in (None, name):
            found[name] = measure()
    if not options.report:
        print(json.dumps(found, indent=1))
    else:
        reliability.write("coordinator", section(found))


if __name__ == "__main__":
    main()
