"""Halving of a population that does not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from autoloss.core.devices import is_out_of_memory
from autoloss.core.errors import TrainingError

Item = TypeVar("Item")
Result = TypeVar("Result")


def empty_device_cache() -> None:
    """Free a GPU allocator's cached blocks, which a population of another size cannot use."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def if_it_fits(run: Callable[[], Result], *, is_smallest: bool = False) -> Result | None:
    """Return ``run()``, or None where the memory is too small for it.

    Args:
        run: The work.
        is_smallest: Whether there is no less to try instead.

    Raises:
        TrainingError: The memory is too small for the least work.
    """
    # The handler ends here: the error's traceback would hold the tensors that filled the memory.
    try:
        return run()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        if is_smallest:
            raise TrainingError(
                "The memory must hold at least one candidate, but it does not: set a smaller "
                "batch_size or width in the space, or use fewer rows."
            ) from error
    return None


def half(count: int) -> int:
    """Return the number to try where `count` did not fit; 1 of 1."""
    return (count + 1) // 2


def in_halves(
    run: Callable[[Sequence[Item]], list[Result]],
    items: Sequence[Item],
    *,
    on_halved: Callable[[int], None] | None = None,
) -> list[Result]:
    """Return ``run(items)``, one half after the other if memory cannot hold all items.

    Args:
        run: A function of a sequence of items that returns a result per item.
        items: The items.
        on_halved: Called with the next number of items.

    Raises:
        TrainingError: One item alone does not fit.
    """
    done = if_it_fits(lambda: run(items), is_smallest=len(items) == 1)
    if done is not None:
        return done
    empty_device_cache()
    first = half(len(items))
    if on_halved is not None:
        on_halved(first)
    results = in_halves(run, items[:first], on_halved=on_halved)
    return results + in_halves(run, items[first:], on_halved=on_halved)
