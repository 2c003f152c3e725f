"""The encoded rows of a part: mini-batches of them, and the logits of networks for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from autoloss.core.settings import TrainingConfig
from autoloss.core.task import MISSING_LABEL
from autoloss.data import Part
from autoloss.data.encoding import change_at_random, read_ahead
from autoloss.losses import get
from autoloss.losses.spec_data import SpecData
from autoloss.models import Features, Heads, Network
from autoloss.training.batch import Batch, batch_size_for
from autoloss.training.token_rows import EncodedTokens

KEPT_BYTES = 1 << 28
"""Encoded rows of at most this size are kept; larger rows are encoded batch by batch."""
_ROWS_AT_ONCE = 1 << 14
CHUNK_NUMBERS = 1_000_000
"""Largest number of elements in the widest activation of a chunk of rows."""


class EncodedRows:
    """The rows of a part as the network's body reads them.

    The result of `Network.encode` is the same for all candidates and epochs, so it is computed
    once if the memory allows.

    Args:
        network: The network.
        part: The rows, on the device and of the type of the weights.
    """

    def __init__(self, network: Network, part: Part) -> None:
        self.network = network
        self.part = part
        none = torch.zeros(0, dtype=torch.int64, device=part.targets.device)
        size = len(part) * network.encode(part.inputs.take(none)).row_bytes
        is_kept = size <= KEPT_BYTES and not change_at_random(part.inputs)
        self._kept = self._encode_all() if is_kept else None
        self._has_gaps = bool((part.targets == MISSING_LABEL).any())

    def __len__(self) -> int:
        return len(self.part)

    @property
    def targets(self) -> Any:
        """Return the class of every row, ``(N,)``, or its labels, ``(N, L)``."""
        return self.part.targets

    @property
    def by_length(self) -> None:
        """Return None: rows of a table have no length."""
        return None

    @property
    def alike(self) -> bool:
        """Return False: rows of a table are of one length."""
        return False

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the axes of the logits between candidates and classes, ``(N,)``."""
        return (len(self),)

    def begin(self, epoch: Tensor) -> None:
        """Tell the rows of an epoch, ``(steps, G, B)``, so that they can be read ahead."""
        if self._kept is None:
            read_ahead(self.part.inputs, epoch)

    def batch_rows(self, config: TrainingConfig) -> int:
        """Return the rows of a mini-batch; see `batch_size_for`."""
        return batch_size_for(len(self), config.batch_size, least=config.smallest_batch)

    def batch_examples(self, config: TrainingConfig) -> int:
        """Return the examples of a mini-batch, which are its rows."""
        return self.batch_rows(config)

    def chunks(self, at_once: int) -> Iterator[tuple[slice, slice, Features]]:
        """Yield the places of rows, some at once, among all and in their features, G = 1."""
        device = self.part.targets.device
        for start in range(0, len(self), at_once):
            rows = torch.arange(start, min(start + at_once, len(self)), device=device)
            yield slice(start, start + at_once), slice(None), self.features(rows.unsqueeze(0))

    def features(self, rows: Tensor) -> Features:
        """Return the features of rows by number, ``(G, B)``."""
        if self._kept is None:
            return self.network.encode(self.part.inputs.take(rows))
        flat = rows.flatten()
        # index_select copies whole rows; indexing by a matrix goes number by number.
        return self._kept.each(
            lambda one: torch.unflatten(one.index_select(0, flat), 0, rows.shape)
        )

    def batch(self, rows: Tensor, teacher: Tensor | None = None) -> Batch:
        """Return the examples of one step, ``(G, B)``, with rows of a teacher's logits (N, C)."""
        part, taught = self.part, None if teacher is None else teacher[rows]
        weights = None if part.weights is None else part.weights[rows]
        targets, mask = part.targets[rows], None
        if self._has_gaps:
            mask = targets != MISSING_LABEL
            targets = targets.clamp_min(0)
        return Batch(
            self.features(rows), targets, weights=weights, mask=mask, rows=rows, teacher=taught
        )

    def _encode_all(self) -> Features:
        numbers = torch.arange(len(self.part), device=self.part.targets.device)
        chunks = [
            self.network.encode(self.part.inputs.take(rows))
            for rows in torch.split(numbers, _ROWS_AT_ONCE)
        ]
        return Features.of_each(chunks, torch.cat)


@torch.no_grad()
def logits_of(
    network: Network,
    weights: Tensor,
    specs: Sequence[SpecData],
    encoded: EncodedRows | EncodedTokens,
) -> Tensor:
    """Return the logits of every row of a part by networks of the same shape, without dropout.

    Args:
        network: The network.
        weights: The weights, a row for each candidate.
        specs: The losses, which decide the last layer.
        encoded: The rows.

    Shape:
        - weights: ``(K, P)``
        - output: ``(K, N, C)``; tokens of sequences ``(K, 1, T, C)``
    """
    n_candidates = len(weights)
    views = network.layout.views(weights)
    heads = Heads(tuple(get(spec.base).head for spec in specs), weights.device)
    chunk = max(64, CHUNK_NUMBERS // (n_candidates * network.widest))
    logits = weights.new_empty(n_candidates, encoded.shape[-1], network.n_classes)
    for places, own, features in encoded.chunks(chunk):
        logits[:, places] = network.body(views, features, heads=heads)[:, own]
    return logits.view(n_candidates, *encoded.shape, network.n_classes)
