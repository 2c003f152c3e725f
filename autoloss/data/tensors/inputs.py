"""The inputs of a custom network: rows of named tensors, in memory or read when taken."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from autoloss.data.tensors.ahead import ReadAhead
from autoloss.data.tensors.tree import Leaf, Tree, nested

LARGEST = 1 << 31
"""Bytes of inputs that are read into memory; larger inputs are read at every step."""
_AT_ONCE = 256
_CPU = torch.device("cpu")


class Store(Protocol):
    """All rows of a source."""

    def __len__(self) -> int:
        """Return the number of rows M."""
        ...

    def read(self, rows: Tensor) -> Mapping[str, Tensor]:
        """Return rows by their numbers ``(n,)``, tensors ``(n, ...)`` by name."""
        ...

    def ahead(self, lines: Sequence[Sequence[int]]) -> ReadAhead | None:
        """Return processes that read rows ahead, some after the other; None if there are none."""
        ...

    @property
    def is_random(self) -> bool:
        """Return whether rows are changed at random when they are read."""
        ...

    @property
    def is_settled(self) -> bool:
        """Return whether the changes are the same at every reading."""
        ...

    @property
    def settled(self) -> Any:
        """Return the same rows, always changed alike."""
        ...


@dataclass(frozen=True, eq=False)
class MemoryStore:
    """Rows in memory.

    Args:
        tensors: Each ``(M, ...)``, by name.
    """

    tensors: Mapping[str, Tensor]
    is_random: ClassVar[bool] = False
    is_settled: ClassVar[bool] = True

    def ahead(self, lines: Sequence[Sequence[int]]) -> None:
        """Return None: nothing needs to be read ahead."""

    @property
    def settled(self) -> MemoryStore:
        """Return the rows, which never change."""
        return self

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def read(self, rows: Tensor) -> Mapping[str, Tensor]:
        """Return rows by their numbers."""
        return {name: one.index_select(0, rows) for name, one in self.tensors.items()}


@dataclass(frozen=True, eq=False)
class TensorInputs:
    """Rows of named tensors: numbers of rows in a store, which other parts share.

    Args:
        store: All rows.
        rows: The numbers of the rows of this part.
        device: Where `tensors` are.
        dtype: The type of their floats.
        ahead: The mini-batches that worker processes read ahead; empty for none.

    Shape:
        rows (N,) or of any shape.
    """

    store: Store
    rows: Tensor
    device: torch.device = _CPU
    dtype: torch.dtype = torch.float32
    ahead: list[ReadAhead] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, store: Store) -> TensorInputs:
        """Return all rows of a store."""
        return cls(store, torch.arange(len(store)))

    @classmethod
    def joined(cls, parts: Sequence[TensorInputs]) -> TensorInputs:
        """Return the concatenated rows of several parts."""
        stores = list({id(part.store): part.store for part in parts}.values())
        if len(stores) == 1:
            return replace(parts[0], rows=torch.cat([part.rows for part in parts]))
        first: dict[int, int] = {}
        total = 0
        for store in stores:
            first[id(store)] = total
            total += len(store)
        rows = [part.rows + first[id(part.store)] for part in parts]
        return replace(parts[0], store=_JoinedStore(tuple(stores)), rows=torch.cat(rows))

    def __len__(self) -> int:
        """Return the number of rows N."""
        return len(self.rows)

    def take(self, rows: Tensor) -> TensorInputs:
        """Return the rows with the given numbers, of any shape, in the given order."""
        return replace(self, rows=self.rows[rows.to(self.rows.device)])

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> TensorInputs:
        """Return the rows on a device, with floats of a type; rows in memory move at once."""
        found = replace(
            self, device=torch.device(device), dtype=self.dtype if dtype is None else dtype
        )
        if found.device == self.device or not isinstance(self.store, MemoryStore):
            return found
        return found.read()

    @property
    def change_at_random(self) -> bool:
        """Return whether rows differ from one `take` to the next."""
        return self.store.is_random and not self.store.is_settled

    @property
    def settled(self) -> TensorInputs:
        """Return the rows as they are judged: alike whenever they are taken.

        Rows that were changed at random are read once if the memory is enough.
        """
        if not self.change_at_random or not len(self):
            return self
        found = replace(self, store=self.store.settled, ahead=[])
        each = sum(one.nbytes for one in found.take(found.rows.new_zeros(1)).tensors.values())
        return found.read() if each * len(found) <= LARGEST else found

    def begin(self, epoch: Tensor) -> None:
        """Tell the rows that an epoch will take, in its order, so that they can be read ahead.

        Shape:
            epoch ``(steps, G, B)``
        """
        # The processes of an epoch that was cut off end here.
        self.ahead.clear()
        if not isinstance(self.store, MemoryStore):
            lines = self.rows.cpu()[epoch.cpu()].flatten(0, -2)
            found = self.store.ahead(lines.tolist())
            self.ahead.extend([] if found is None else [found])

    def _line(self, rows: Tensor) -> Mapping[str, Tensor]:
        """Return a mini-batch, which may have been read ahead."""
        found = self.ahead[0].take(tuple(rows.tolist())) if self.ahead else None
        return self.store.read(rows) if found is None else found

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for another process, which reads for itself."""
        return {**vars(self), "ahead": []}

    def read(self) -> TensorInputs:
        """Return the rows ``(N,)`` in memory, read by worker processes if a loader has some."""
        lines = torch.split(self.rows.cpu(), _AT_ONCE)
        ahead = self.store.ahead([line.tolist() for line in lines])
        own = replace(self, ahead=[] if ahead is None else [ahead])
        parts = [replace(own, rows=line).tensors for line in lines]
        rows = torch.arange(len(self), device=self.device)
        whole = {name: torch.cat([one[name] for one in parts]) for name in parts[0]}
        return replace(self, store=MemoryStore(whole), rows=rows, ahead=[])

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name, ``(N, ...)`` or with the axes of the rows for N.

        Each line of the last axis of the rows is read alone, as the batch that it is.
        """
        if isinstance(self.store, MemoryStore):
            found = self.store.read(self.rows.flatten())
        else:
            rows = self.rows.cpu()
            lines = rows.reshape(math.prod(rows.shape[:-1]), rows.shape[-1])
            parts = [self._line(line) for line in lines]
            found = {name: torch.cat([one[name] for one in parts]) for name in parts[0]}
        shape = self.rows.shape

        def placed(one: Tensor) -> Tensor:
            return one.to(self.device, self.dtype if one.is_floating_point() else one.dtype)

        return {name: torch.unflatten(placed(one), 0, shape) for name, one in found.items()}


@dataclass(frozen=True, eq=False)
class _JoinedStore:
    """The rows of several stores, one after the other.

    Args:
        stores: The stores.
    """

    stores: tuple[Store, ...]

    def __len__(self) -> int:
        return sum(map(len, self.stores))

    @property
    def is_random(self) -> bool:
        """Return whether rows of a store are changed at random."""
        return any(store.is_random for store in self.stores)

    @property
    def is_settled(self) -> bool:
        """Return whether all changes are the same at every reading."""
        return all(store.is_settled for store in self.stores)

    @property
    def settled(self) -> _JoinedStore:
        """Return the same rows, always changed alike."""
        return _JoinedStore(tuple(store.settled for store in self.stores))

    def ahead(self, lines: Sequence[Sequence[int]]) -> None:
        """Return None: mini-batches of several stores are read when they are taken."""

    @cached_property
    def _firsts(self) -> Tensor:
        sizes = torch.tensor([len(one) for one in self.stores])
        return sizes.cumsum(0) - sizes

    def read(self, rows: Tensor) -> Mapping[str, Tensor]:
        """Return rows by their numbers."""
        owner = torch.searchsorted(self._firsts, rows, right=True) - 1
        order = owner.argsort(stable=True)
        parts = [
            store.read(rows[owner == place] - self._firsts[place])
            for place, store in enumerate(self.stores)
        ]
        back = order.argsort()
        return {
            name: torch.cat([one[name] for one in parts]).index_select(0, back)
            for name in parts[0]
        }


@dataclass(frozen=True)
class TensorSchema:
    """The structure of `TensorInputs`, which is all that a network needs to know of them.

    Args:
        tree: The structure.
        leaves: Its tensors.
    """

    tree: Tree
    leaves: tuple[Leaf, ...]

    @property
    def has_numbers_only(self) -> bool:
        """Return whether all inputs are floats, so that two rows can be mixed."""
        return all(leaf.type.is_floating_point for leaf in self.leaves)

    def zeros(self, count: int) -> tuple[Tensor, ...]:
        """Return a number of made-up examples, all zero."""
        return tuple(torch.zeros(count, *leaf.shape, dtype=leaf.type) for leaf in self.leaves)

    def nested(self, tensors: Sequence[Any]) -> Any:
        """Return the tensors, in the order of the leaves, in their structure."""
        names = [leaf.name for leaf in self.leaves]
        return nested(self.tree, dict(zip(names, tensors, strict=True)))
