"""The workers of a search, as the coordinator sees them: who they are, and their messages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from autoloss.core.devices import find_device
from autoloss.executors.messages import Failed, Sized, Sizing, Timed, Timing
from autoloss.executors.staffing import Staffing, Workers
from autoloss.training import Job
from autoloss.training.estimate import EpochCosts
from autoloss.training.together import Together, choose_together


class UnsendableError(Exception):
    """Data that another process cannot read, with the reason."""


class Crew(ABC):
    """The workers of a search: processes of this machine, or of the nodes of a cluster.

    A worker is a number. It gets messages and answers them; the divisions of the rows travel once,
    and messages refer to them.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Return the number of workers."""
        return len(self.workers)

    @property
    @abstractmethod
    def workers(self) -> list[int]:
        """Return the workers that can train now."""

    @property
    def device_kind(self) -> str:
        """Return the kind of device that candidates train on."""
        return "cpu"

    @property
    def is_elsewhere(self) -> bool:
        """Return whether the machines of workers may differ from this machine."""
        return False

    @property
    def sizes(self) -> list[int]:
        """Return the candidates that each worker trains together, as a measure of its speed."""
        return [1] * len(self)

    @property
    def lives(self) -> int:
        """Return the number of workers that may die with the same candidates."""
        return 2

    @property
    @abstractmethod
    def remedy(self) -> str:
        """Return the remedy for workers that run out of memory."""

    def coordinator(self, device: str) -> torch.device:
        """Return the device of the process that asks and tells.

        Args:
            device: The device that the user asks for.

        Raises:
            InputError: There is no such device.
        """
        return find_device(device)

    @abstractmethod
    def staff(
        self, asked: Workers, *, trials: int, device: torch.device, alone: str = ""
    ) -> Staffing:
        """Return the number of workers of a search; see `staffing.staff`."""

    @abstractmethod
    def begin(
        self,
        staffing: Staffing,
        *,
        losses: Sequence[Path] = (),
        files: Sequence[Path] = (),
        told: Callable[[str], object] = str,
    ) -> None:
        """Start workers; it does not wait for them.

        Args:
            staffing: Their number.
            losses: Files of the custom losses.
            files: Other files that workers open.
            told: Called with a sentence when workers come or go.
        """

    @abstractmethod
    def close(self) -> None:
        """End the workers, whatever they do."""

    @abstractmethod
    def wait(self, seconds: float) -> bool:
        """Wait until all workers have started; return whether they have.

        Args:
            seconds: The longest wait.
        """

    def gather(self) -> list[int]:
        """Return the workers that train the next candidates; they may have changed."""
        return self.workers

    @abstractmethod
    def data_of(self, jobs: Sequence[Job]) -> Any:
        """Return a reference to divisions of the rows, which are written once.

        Raises:
            UnsendableError: They hold something that another process cannot read.
        """

    @abstractmethod
    def send(self, worker: int, message: object) -> None:
        """Send a message to a worker; if the worker has died, `receive` says so."""

    @abstractmethod
    def receive(self) -> tuple[int, Any]:
        """Wait for a message; return its worker and the message.

        The message is None if the worker has died and lost all that it was sent.
        """

    @abstractmethod
    def replace(self, worker: int) -> str:
        """Replace a worker that has died; return how it has died."""

    def choose_together(self, jobs: Sequence[Job], asked: int, *, at_most: int) -> Together:
        """Return the number of candidates to train together, in all workers.

        Args:
            jobs: The divisions of the study's rows.
            asked: The number that the space asks for; 0 to choose.
            at_most: The largest number of candidates that train at once.
        """
        return choose_together(jobs, asked, at_most=at_most, workers=max(1, len(self)))

    def measure_costs(
        self, jobs: Sequence[Job], *, together: int, seconds: float
    ) -> EpochCosts | None:
        """Time epochs in all workers at once, which share memory, caches and often cores.

        Args:
            jobs: The divisions on which trials are compared.
            together: Candidates of a population, in all workers.
            seconds: The longest wait for workers that still import torch.

        Returns:
            The costs of a population; None if the workers cannot tell them.
        """
        count = len(self)
        answers = self._ask(jobs, lambda data: Timing(data, -(-together // count)), seconds)
        costs = [one.costs for one in answers.values() if isinstance(one, Timed)]
        if not count or len(costs) < count:
            return None
        once, each = (
            sum(getattr(one, name) for one in costs) / count for name in ("once", "each")
        )
        return EpochCosts(once, each / count)

    def _ask(
        self, jobs: Sequence[Job], question: Callable[[Any], Timing | Sizing], seconds: float
    ) -> dict[int, Timed | Sized]:
        """Return the answer of each worker to a question about divisions of the rows.

        There are none if a worker has not started in time; a worker that dies does not answer.

        Raises:
            Exception: A worker's error.
        """
        try:
            data = self.data_of(jobs)
        except UnsendableError:
            return {}
        if not self.wait(seconds):
            return {}
        waiting = set(self.workers)
        for worker in waiting:
            self.send(worker, question(data))
        answers: dict[int, Timed | Sized] = {}
        while waiting:
            worker, message = self.receive()
            match message:
                case Timed() | Sized():
                    answers[worker] = message
                    waiting.discard(worker)
                case Failed(error):
                    raise error
                case None:
                    self.replace(worker)
                    waiting.discard(worker)
        return answers
