"""The encoded rows of a part, from which mini-batches are taken."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.data import Part
from autoloss.models import Features, Network
from autoloss.training.batch import Batch

KEPT_BYTES = 1 << 28
"""Encoded rows of at most this size are kept; larger ones are encoded batch by batch."""
_ROWS_AT_ONCE = 1 << 14


class EncodedRows:
    """The rows of a part as the network's body reads them.

    What `Network.encode` gives is the same for all candidates and epochs, so it is computed
    once where the memory allows.

    Args:
        network: The network.
        part: The rows, on the device and of the type of the weights.
    """

    def __init__(self, network: Network, part: Part) -> None:
        self.network = network
        self.part = part
        size = len(part) * network.encoded_width * _number_size(part)
        self._kept = self._encode_all() if size <= KEPT_BYTES else None

    def __len__(self) -> int:
        return len(self.part)

    @property
    def targets(self) -> Tensor:
        """Return the class of every row, ``(N,)``."""
        return self.part.targets

    def features(self, rows: Tensor) -> Features:
        """Return the rows of those numbers, ``(G, B)``."""
        if self._kept is None:
            return self.network.encode(self.part.inputs.take(rows))
        flat = rows.flatten()
        return Features(
            # index_select copies whole rows; indexing by a matrix goes number by number.
            dense=torch.unflatten(self._kept.dense.index_select(0, flat), 0, rows.shape),
            codes=torch.unflatten(self._kept.codes.index_select(0, flat), 0, rows.shape),
        )

    def batch(self, rows: Tensor) -> Batch:
        """Return the examples of one step, ``(G, B)``."""
        part = self.part
        weights = None if part.weights is None else part.weights[rows]
        return Batch(self.features(rows), part.targets[rows], weights=weights, rows=rows)

    def _encode_all(self) -> Features:
        numbers = torch.arange(len(self.part), device=self.part.targets.device)
        chunks = [
            self.network.encode(self.part.inputs.take(rows))
            for rows in torch.split(numbers, _ROWS_AT_ONCE)
        ]
        return Features(
            dense=torch.cat([chunk.dense for chunk in chunks]),
            codes=torch.cat([chunk.codes for chunk in chunks]),
        )


def _number_size(part: Part) -> int:
    """Return the bytes of an encoded number."""
    none = torch.zeros(0, dtype=torch.int64, device=part.targets.device)
    return part.inputs.take(none).numeric.element_size()
