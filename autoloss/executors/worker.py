"""A worker process: trains shares of candidates that a search sends to its standard input."""

from __future__ import annotations

import os
import pickle
import queue
import shutil
import sys
import threading
import traceback
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn

import torch

from autoloss.core.errors import AutolossError
from autoloss.executors.local import LocalExecutor
from autoloss.executors.messages import (
    Done,
    Ended,
    EpochEnded,
    Failed,
    Halved,
    Leave,
    Ready,
    Setup,
    Share,
    Timed,
    Timing,
    read,
    write,
)
from autoloss.executors.work import Work
from autoloss.losses.own import load_losses
from autoloss.training import EpochReport, Job
from autoloss.training.estimate import measure_costs

_KEPT = 2
"""Divisions of rows that a worker keeps open, those that it used last."""


class Worker:
    """Trains shares, each as one population.

    Args:
        source: The messages of the search.
        sink: Takes the messages to the search.
    """

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source, self._sink = source, sink
        self._asked: queue.SimpleQueue[Share | Timing] = queue.SimpleQueue()
        self._data: dict[Path, tuple[Job, ...]] = {}
        self._leaving: set[int] = set()
        self._folder = Path()
        self._size = 0
        self._alive: tuple[int, ...] = ()

    def run(self) -> None:
        """Train until the search ends."""
        setup: Setup = read(self._source)
        self._folder = setup.folder
        self._send(Ready())
        threading.Thread(target=self._listen, args=[setup], daemon=True).start()
        # The losses must be known before candidates are read, so the listener waits for them.
        while True:
            match self._asked.get():
                case Share() as share:
                    self._send(self._answer(share))
                case Timing() as timing:
                    self._send(self._timed(timing))

    def _listen(self, setup: Setup) -> None:
        """Take in the messages of the search; end the process when the search has ended."""
        try:
            for path in setup.losses:
                load_losses(path)
            while True:
                match read(self._source):
                    case Share() as share:
                        self._leaving.clear()
                        self._asked.put(share)
                    case Timing() as timing:
                        self._asked.put(timing)
                    case Leave(places):
                        self._leaving.update(places)
        except EOFError:
            self._leave()
        except BaseException as error:
            self._send(Failed(_sendable(error)))
            os._exit(1)

    def _answer(self, share: Share) -> Done | Failed:
        self._size = len(share.candidates)
        try:
            work = Work(
                self._jobs(share.data),
                share.candidates,
                seconds=share.seconds,
                at_once=True,
                needs_weights=share.needs_weights,
            )
            executor = LocalExecutor(
                together=self._size,
                on_epoch=self._on_epoch,
                on_halved=lambda together: self._send(Halved(together)),
            )
            for report in executor.submit(work, spare=self._spare):
                self._send(Ended(report.place, report.outcome))
        except Exception as error:
            return Failed(_sendable(error))
        return Done()

    def _timed(self, timing: Timing) -> Timed | Failed:
        try:
            return Timed(measure_costs(self._jobs(timing.data), together=timing.together))
        except Exception as error:
            return Failed(_sendable(error))

    def _jobs(self, path: Path) -> tuple[Job, ...]:
        """Return the divisions in a file, which all workers map into their memory."""
        # The search has written the file, in a folder that only its user can read.
        jobs = self._data.pop(path, None) or torch.load(path, mmap=True, weights_only=False)
        while len(self._data) >= _KEPT:
            # Those that were not used for longest.
            self._data.pop(next(iter(self._data)))
        self._data[path] = jobs
        return jobs

    def _spare(self, report: EpochReport, alive: Sequence[int]) -> Collection[int]:
        self._alive = ()
        if report.candidates != self._size:
            # The memory was full, and the places are those of a part of the share.
            return ()
        left = self._leaving.intersection(alive)
        self._alive = tuple(place for place in alive if place not in left)
        return left

    def _on_epoch(self, report: EpochReport) -> None:
        self._send(EpochEnded(report, self._alive if report.alive else ()))

    def _send(self, message: object) -> None:
        try:
            write(self._sink, message)
        except OSError:
            # The search has ended, as the listener sees too.
            self._leave()

    def _leave(self) -> NoReturn:
        """End the process of a search that has died, with the folder of its data."""
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(0)


def _sendable(error: BaseException) -> Exception:
    """Return an error that another process can read."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        pass
    else:
        if isinstance(error, Exception):
            return error
    text = "".join(traceback.format_exception(error)).strip()
    return AutolossError(f"A worker process must not fail, but it did: {text}")


def main() -> None:
    """Run a worker on the standard streams of this process."""
    sink = os.fdopen(os.dup(1), "wb")
    # The prints of a user's code must not come between the messages.
    os.dup2(2, 1)
    source = os.fdopen(os.dup(0), "rb")
    # A process that a user's data set forks closes its standard input, for which it would wait
    # forever while this process reads messages there.
    with open(os.devnull, encoding="utf-8") as nothing:
        sys.stdin = nothing
        Worker(source, sink).run()
