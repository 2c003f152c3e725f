"""The batches of a source as they are read: their checks, their labels and hashes."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.tensors.inputs import MemoryStore
from autoloss.data.tensors.items import RawBatch, fitted
from autoloss.data.tensors.tokens import are_per_token, are_tags
from autoloss.data.tensors.tree import Leaf, Tree


class Pieces:
    """The batches of a source as they are read.

    Args:
        label: The name of the data in messages.

    Attributes:
        tree: The structure of the inputs; None before the first batch.
        kept: The tensors of the batches whose inputs are kept.
        labels: The labels of each batch.
        groups: The groups of each batch; None where a batch names none.
        hashes: A hash of each example.
        bytes: The size of all inputs.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.tree: Tree | None = None
        self.kept: deque[dict[str, Tensor]] = deque()
        self.labels: list[NDArray[Any]] = []
        self.groups: list[NDArray[Any] | None] = []
        self.hashes: list[str] = []
        self._shapes: dict[str, Leaf] = {}
        self._per_token = True
        self.bytes = 0

    @property
    def are_tokens(self) -> bool:
        """Return whether the labels are the tags of the tokens that the inputs have."""
        return self._per_token and are_tags(self.labels)

    def take(self, batches: Iterable[RawBatch], *, keep: bool = True, hashed: bool = True) -> None:
        """Read batches.

        Args:
            batches: The batches.
            keep: Whether to keep their inputs.
            hashed: Whether equal inputs have equal hashes; otherwise the number is the hash.
        """
        for batch in batches:
            self._check(batch)
            count = len(batch.labels)
            first = len(self.hashes)
            if hashed:
                self.hashes += _hashes(batch.tensors, count)
            else:
                self.hashes += [f"{number}" for number in range(first, first + count)]
            self.labels.append(batch.labels)
            self.groups.append(batch.groups)
            self.bytes += sum(one.nbytes for one in batch.tensors.values())
            if keep:
                self.kept.append(batch.tensors)
        if not self.hashes:
            raise InputError(f"{self.label} must have items, but it has none.")

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Return the tensors of an example, the longest of their shapes."""
        return tuple(self._shapes.values())

    def store(self) -> MemoryStore:
        """Return all inputs that were kept, at the longest of their shapes."""
        leaves, count = self.leaves, len(self.hashes)
        if len(self.kept) == 1:
            (only,) = self.kept
            return MemoryStore(
                {leaf.name: fitted(only, leaf, label=self.label) for leaf in leaves}
            )
        whole = {leaf.name: torch.empty(count, *leaf.shape, dtype=leaf.type) for leaf in leaves}
        start = 0
        while self.kept:
            # Batches leave while they are copied, so that the memory holds the inputs once.
            batch = self.kept.popleft()
            end = start + len(next(iter(batch.values())))
            for leaf in leaves:
                whole[leaf.name][start:end] = fitted(batch, leaf, label=self.label)
            start = end
        return MemoryStore(whole)

    def _check(self, batch: RawBatch) -> None:
        """Check a batch against earlier batches, and note the longest shape of each tensor."""
        if self.tree is not None and batch.tree != self.tree:
            raise InputError(
                f"{self.label} must have inputs of one structure, but it differs from batch to"
                " batch."
            )
        self.tree = batch.tree
        self._per_token &= are_per_token(batch.tensors, batch.labels)
        for name, one in batch.tensors.items():
            if one.is_floating_point() and not bool(one.isfinite().all()):
                wrong = ~one.isfinite().reshape(len(one), -1).all(1)
                row = len(self.hashes) + int(wrong.int().argmax())
                raise InputError(
                    f"{self.label} must have finite inputs, but {name!r} of item {row} has NaN or"
                    " infinity."
                )
            shape, dtype = tuple(one.shape[1:]), str(one.dtype).removeprefix("torch.")
            known = self._shapes.get(name)
            if known is None or (len(shape) == len(known.shape) > 0 and shape[0] > known.shape[0]):
                self._shapes[name] = Leaf(name, shape, dtype if known is None else known.dtype)


def _hashes(tensors: dict[str, Tensor], count: int) -> list[str]:
    """Return a hash of the inputs of each example of a batch."""
    flat = [
        np.ascontiguousarray(one.numpy()).reshape(count, -1).view(np.uint8)
        for one in tensors.values()
    ]
    rows = flat[0] if len(flat) == 1 else np.concatenate(flat, 1)
    return [hashlib.sha256(row.tobytes()).hexdigest()[:32] for row in rows]
