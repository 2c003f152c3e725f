"""The number of worker processes that train a search."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Literal

import torch

from autoloss.core.errors import InputError
from autoloss.training.memory import free_memory

Workers = int | Literal["auto"]
"""A number of worker processes, or ``"auto"`` for one on each free core."""
TRIALS_EACH = 4
"""Trials of the budget for each worker; with fewer, its start costs more than it saves."""
MOST = 16
"""The largest number of workers that is chosen; more are only used on request."""
WORKER_BYTES = 1 << 29
"""Memory of a worker besides its candidates."""
MEMORY_SHARE = 0.5
"""Share of the free memory that the workers themselves may take."""


@dataclass(frozen=True)
class Staffing:
    """The number of worker processes of a search; 1 means that this process trains.

    Args:
        count: The number.
        reason: A clause for the log.
        sentence: A whole sentence in its place, which every user sees; empty for none.
    """

    count: int
    reason: str
    sentence: str = ""

    @property
    def text(self) -> str:
        """Return the choice and the reason as a sentence."""
        if self.sentence:
            return self.sentence
        if self.count == 1:
            return f"Candidates train in this process: {self.reason}."
        size = self.count * WORKER_BYTES / (1 << 30)
        return (
            f"{self.count} worker processes train, with a thread each ({self.reason}; about "
            f"{size:.1f} GiB of memory besides the candidates)."
        )


def check_workers(asked: Workers) -> None:
    """Check a number of workers.

    Raises:
        InputError: It is neither ``"auto"`` nor a positive number.
    """
    if asked == "auto" or (isinstance(asked, int) and not isinstance(asked, bool) and asked > 0):
        return
    raise InputError(f"workers must be auto or at least 1, but got workers={asked!r}.")


def staff(asked: Workers, *, trials: int, device: torch.device, alone: str = "") -> Staffing:
    """Return the number of worker processes of a search.

    Args:
        asked: The number that the user asks for.
        trials: Trials of the budget.
        device: Where candidates train.
        alone: Why only this process can train them; empty if others can too.

    Raises:
        InputError: Several workers are requested on a GPU.
    """
    if device.type != "cpu":
        if asked not in ("auto", 1):
            raise InputError(
                "workers must be 1 on a GPU, where candidates train together in one process, but "
                f"got workers={asked}."
            )
        return Staffing(1, "a GPU trains all of them together")
    if getattr(sys, "frozen", False) or not sys.executable:
        alone = "there is no Python that another process could run"
    if alone and asked != 1:
        return Staffing(1, alone)
    if asked != "auto":
        return Staffing(asked, "as asked")
    cores = free_cores()
    held = int(MEMORY_SHARE * free_memory(device)) // WORKER_BYTES
    found = max(1, min(cores, held, trials // TRIALS_EACH, MOST))
    reasons = {
        cores: "one for each free core" if cores > 1 else "there is one core",
        held: "the memory holds no more",
        trials // TRIALS_EACH: "trials are few",
    }
    return Staffing(found, reasons.get(found, "more have not been measured"))


def free_cores() -> int:
    """Return the physical cores that other programs leave to this process.

    There are no more than torch would use in one process, as `OMP_NUM_THREADS` may say. A busy
    machine leaves two, if it has them, because processes share their cores fairly with others.
    """
    # Importing it takes a while, and scikit-learn does so anyway.
    from joblib import cpu_count

    cores: int = min(cpu_count(only_physical_cores=True), torch.get_num_threads())
    if not hasattr(os, "getloadavg"):
        return cores
    load = round(os.getloadavg()[0])
    return max(min(cores, 2), cores - load)
