"""Fewer candidates together where the memory does not hold them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from autoloss.core.devices import is_out_of_memory
from autoloss.core.errors import TrainingError

Item = TypeVar("Item")
Result = TypeVar("Result")


def empty_device_cache() -> None:
    """Give back what a GPU's allocator keeps, which one of another size cannot use."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def in_halves(
    run: Callable[[Sequence[Item]], list[Result]],
    items: Sequence[Item],
    *,
    on_halved: Callable[[int], None] | None = None,
) -> list[Result]:
    """Return ``run(items)``, in halves, one after the other, where memory cannot hold all at once.

    Args:
        run: What to do with a sequence of items; gives one result an item.
        items: The items.
        on_halved: Told how many are tried next.

    Raises:
        TrainingError: One item alone does not fit.
    """
    try:
        return run(items)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        if len(items) == 1:
            raise TrainingError(
                "The memory must hold at least one candidate, but it does not: set a smaller "
                "batch_size or width in the space, or use fewer rows."
            ) from error
    # Outside the handler: the error's traceback would hold the tensors that filled the memory.
    empty_device_cache()
    half = (len(items) + 1) // 2
    if on_halved is not None:
        on_halved(half)
    first = in_halves(run, items[:half], on_halved=on_halved)
    return first + in_halves(run, items[half:], on_halved=on_halved)
