"""Reading of mini-batches ahead of their use, by the worker processes of a loader."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

Line = tuple[int, ...]


class ReadAhead:
    """The mini-batches of an epoch, which worker processes read in their order.

    Args:
        read: Reads a mini-batch by the numbers of its rows; the worker processes get a copy.
        lines: The numbers of the rows of each mini-batch.
        workers: How many processes.
        begin: Called in each process with its number; None for nothing.
    """

    def __init__(
        self,
        read: Callable[[Line], Mapping[str, Tensor]],
        lines: Sequence[Line],
        *,
        workers: int,
        begin: Callable[[int], None] | None = None,
    ) -> None:
        from torch.utils.data import DataLoader

        self._lines = deque(lines)
        dataset: Any = _Lines(read, tuple(lines))
        self._found: Iterator[Any] = iter(
            DataLoader(dataset, batch_size=None, num_workers=workers, worker_init_fn=begin)
        )

    def take(self, line: Line) -> Mapping[str, Tensor] | None:
        """Return a mini-batch if it is next; otherwise None, and nothing is lost."""
        if not self._lines or self._lines[0] != line:
            return None
        self._lines.popleft()
        found: Mapping[str, Tensor] = next(self._found)
        return found


class _Lines:
    """A data set of whole mini-batches."""

    def __init__(
        self, read: Callable[[Line], Mapping[str, Tensor]], lines: Sequence[Line]
    ) -> None:
        self._read, self._lines = read, lines

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, place: int) -> Mapping[str, Tensor]:
        return self._read(self._lines[place])
