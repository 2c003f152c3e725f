"""A worker: trains shares of candidates that a search sends."""

from __future__ import annotations

import os
import pickle
import queue
import shutil
import sys
import threading
import traceback
import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Protocol

import torch
from torch import Tensor

from autoloss.core.errors import AutolossError
from autoloss.executors.local import LocalExecutor
from autoloss.executors.messages import (
    Done,
    Ended,
    EpochEnded,
    Failed,
    Fetch,
    Fetched,
    Forget,
    Halved,
    Leave,
    Ready,
    Setup,
    Share,
    Sized,
    Sizing,
    Timed,
    Timing,
    read,
    write,
)
from autoloss.executors.work import Report, Work
from autoloss.losses.own import load_losses
from autoloss.training import EpochReport, Job
from autoloss.training.estimate import measure_costs
from autoloss.training.together import choose_together

_KEPT = 2
"""The most divisions of rows that a worker keeps open: the last used."""


class Link(Protocol):
    """The connection of a worker with its search."""

    def receive(self) -> Any:
        """Wait for the next message of the search.

        Raises:
            EOFError: The search has ended.
        """

    def send(self, message: object) -> None:
        """Send a message to the search.

        Raises:
            OSError: The search has ended.
        """

    def jobs(self, data: Any) -> tuple[Job, ...]:
        """Return the divisions of the rows that a message refers to."""

    def leave(self, status: int) -> NoReturn:
        """End this process, with an exit status."""


class Worker:
    """Trains shares, each as one population.

    Args:
        link: The connection with the search.
        losses: Files of the custom losses.
    """

    def __init__(self, link: Link, losses: Sequence[Path] = ()) -> None:
        self._link, self._losses = link, losses
        self._asked: queue.SimpleQueue[Share | Timing | Sizing | Fetch] = queue.SimpleQueue()
        self._data: dict[Any, tuple[Job, ...]] = {}
        self._weights: dict[str, Tensor] = {}
        self._leaving: set[int] = set()
        self._size = 0
        self._alive: tuple[int, ...] = ()

    def run(self) -> None:
        """Train until the search ends."""
        self._send(Ready())
        threading.Thread(target=self._listen, daemon=True).start()
        # The losses must be known before candidates are read, so the listener waits for them.
        while True:
            match self._asked.get():
                case Share() as share:
                    self._send(self._answer(share))
                case Timing() as timing:
                    self._send(self._timed(timing))
                case Sizing() as sizing:
                    self._send(self._sized(sizing))
                case Fetch(key):
                    self._send(Fetched(self._weights.get(key)))

    def _listen(self) -> None:
        """Take in the messages of the search; end the process when the search has ended."""
        try:
            for path in self._losses:
                load_losses(path)
            while True:
                match self._link.receive():
                    case Share() as share:
                        self._leaving.clear()
                        self._asked.put(share)
                    case Timing() | Sizing() | Fetch() as question:
                        self._asked.put(question)
                    case Forget(keys):
                        for key in keys:
                            self._weights.pop(key, None)
                    case Leave(places):
                        self._leaving.update(places)
        except EOFError:
            self._link.leave(0)
        except BaseException as error:
            self._send(Failed(_sendable(error)))
            self._link.leave(1)

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
                self._send(self._ended(report))
        except Exception as error:
            return Failed(_sendable(error))
        return Done()

    def _ended(self, report: Report) -> Ended:
        """Keep the weights of a candidate, if they are needed, and return the rest."""
        outcome, key = report.outcome, ""
        if outcome.weights.numel():
            key = uuid.uuid4().hex
            self._weights[key] = outcome.weights.cpu().clone()
        bare = replace(outcome, logits=outcome.logits.cpu(), weights=torch.empty(0))
        return Ended(report.place, bare, key)

    def _timed(self, timing: Timing) -> Timed | Failed:
        try:
            return Timed(measure_costs(self._jobs(timing.data), together=timing.together))
        except Exception as error:
            return Failed(_sendable(error))

    def _sized(self, sizing: Sizing) -> Sized | Failed:
        try:
            return Sized(choose_together(self._jobs(sizing.data), at_most=sizing.at_most))
        except Exception as error:
            return Failed(_sendable(error))

    def _jobs(self, data: Any) -> tuple[Job, ...]:
        """Return the divisions of the rows that a message refers to."""
        jobs = self._data.pop(data, None) or self._link.jobs(data)
        while len(self._data) >= _KEPT:
            # The least recently used.
            self._data.pop(next(iter(self._data)))
        self._data[data] = jobs
        return jobs

    def _spare(self, report: EpochReport, alive: Sequence[int]) -> Collection[int]:
        self._alive = ()
        if report.candidates != self._size:
            # The memory was full, and the places refer to a part of the share.
            return ()
        left = self._leaving.intersection(alive)
        self._alive = tuple(place for place in alive if place not in left)
        return left

    def _on_epoch(self, report: EpochReport) -> None:
        self._send(EpochEnded(report, self._alive if report.alive else ()))

    def _send(self, message: object) -> None:
        try:
            self._link.send(message)
        except OSError:
            # The search has ended, as the listener sees too.
            self._link.leave(0)


class StreamLink:
    """The connection of a worker process, by two streams.

    Args:
        source: The messages of the search.
        sink: Takes the messages to the search.
    """

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source, self._sink = source, sink
        self.setup: Setup = read(source)

    def receive(self) -> Any:
        """Wait for the next message of the search; see `Link.receive`."""
        return read(self._source)

    def send(self, message: object) -> None:
        """Send a message to the search; see `Link.send`."""
        write(self._sink, message)

    def jobs(self, data: Path) -> tuple[Job, ...]:
        """Return the divisions in a file, which all workers map into their memory."""
        # The search has written the file, in a folder that only its user can read.
        jobs: tuple[Job, ...] = torch.load(data, mmap=True, weights_only=False)
        return jobs

    def leave(self, status: int) -> NoReturn:
        """End the process; after the end of the search also the folder of its data."""
        if not status:
            shutil.rmtree(self.setup.folder, ignore_errors=True)
        os._exit(status)


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
        link = StreamLink(source, sink)
        Worker(link, link.setup.losses).run()
