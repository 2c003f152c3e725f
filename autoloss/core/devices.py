"""The device that candidates are trained on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from autoloss.core.errors import InputError

SCORED_NUMBERS = 1 << 25
"""Logits that are scored at once; their read-outs and metrics take several times their memory."""


def find_device(name: str) -> torch.device:
    """Return the device of a name; ``"auto"`` is the GPU if there is one.

    Args:
        name: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    Raises:
        InputError: There is no such device.

    Examples:
        >>> find_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise InputError(f"device must be auto, cpu, cuda or cuda:N, but got device={name!r}.")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device must be one that this machine has, but got device={name!r} with "
            f"{torch.cuda.device_count()} GPUs: use --device cpu."
        )
    return torch.device(name)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use this many threads in the context."""
    before = torch.get_num_threads()
    if count == before:
        # Setting the same number starts new threads.
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an allocation failed, on a GPU or on the host."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # The host's allocator raises a plain RuntimeError.
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def scored_together(candidates: int, *, logits: int) -> Iterator[range]:
    """Yield the candidates to score at once, as ranges of their positions.

    Args:
        candidates: The number of candidates.
        logits: Logits of each.

    Examples:
        >>> list(scored_together(3, logits=SCORED_NUMBERS // 2))
        [range(0, 2), range(2, 3)]
    """
    at_once = max(1, SCORED_NUMBERS // max(logits, 1))
    for first in range(0, candidates, at_once):
        yield range(first, min(first + at_once, candidates))


def now(device: torch.device) -> float:
    """Return the clock in seconds, after the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
