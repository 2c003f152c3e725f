"""The encoded sequences of a part: windows of tokens as mini-batches, and logits of all tokens."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from autoloss.core.ragged import Ragged
from autoloss.core.settings import TrainingConfig
from autoloss.data import Windows
from autoloss.data.sequences.inputs import WINDOW
from autoloss.losses.guards import MISSING
from autoloss.models import Features
from autoloss.readout import Items
from autoloss.training.batch import Batch, batch_size_for


class EncodedTokens:
    """Sequences as windows, which a network reads one after the other.

    A mini-batch holds windows, each followed by a pad, so that neighbours in the batch are
    neighbours in a sequence, or one of them is a pad. The loss counts a window's own tokens that
    have a tag.

    Args:
        network: The network.
        inputs: The sequences, on the device and of the type of the weights.
        tags: The class of each token; -1 or -100 if missing.
    """

    def __init__(self, network: Any, inputs: Any, tags: Ragged) -> None:
        self.network = network
        self.inputs = inputs
        self.tags = tags
        self.windows = Windows.of(inputs.lengths, reach=network.reach, longest=WINDOW)
        missing = torch.tensor(MISSING, device=tags.values.device)
        self._known = torch.isin(tags.values, missing, invert=True)
        self._targets = torch.where(self._known, tags.values, 0)

    @classmethod
    def unlabelled(cls, network: Any, inputs: Any) -> EncodedTokens:
        """Return sequences without tags, to predict them."""
        return cls(network, inputs, Ragged(torch.full_like(inputs.codes, -1), inputs.lengths))

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.windows)

    @cached_property
    def targets(self) -> Any:
        """Return the tokens that have a tag, with their sequences as clusters."""
        return Items.of_sequences(self.tags.split())

    @property
    def alike(self) -> bool:
        """Return whether the windows of a mini-batch should be of about the same length."""
        return bool(self.network.pads)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the axes of the logits between candidates and classes, ``(1, T)``."""
        return (1, len(self.tags.values))

    @property
    def by_length(self) -> Tensor:
        """Return the numbers of the windows from short to long."""
        return (self.windows.end - self.windows.start).argsort(stable=True).cpu()

    def begin(self, epoch: Tensor) -> None:
        """Return: tokens are in memory."""

    def batch_rows(self, config: TrainingConfig) -> int:
        """Return the windows of about `batch_size` tokens; see `batch_size_for`."""
        at_most = max(1, round(config.batch_size / self._mean_length))
        return batch_size_for(len(self), at_most, least=1)

    def batch_examples(self, config: TrainingConfig) -> int:
        """Return the mean number of tokens in a mini-batch, with the context of the windows."""
        return round(self.batch_rows(config) * self._mean_length)

    @cached_property
    def _mean_length(self) -> float:
        """Return the mean length of a window, with its pad."""
        return float((self.windows.end - self.windows.start + 1).double().mean())

    def batch(self, rows: Tensor, teacher: Tensor | None = None) -> Batch:
        """Return the tokens of windows by number, ``(G, B)``, as G sequences of tokens.

        Args:
            rows: The numbers.
            teacher: A teacher's logits of all tokens, ``(T, C)``.
        """
        w, flat = self.windows, rows.flatten()
        sizes = (w.end - w.start)[flat] + 1
        first = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
        within = torch.arange(len(first), device=flat.device) - first
        after = (sizes - 2).repeat_interleave(sizes) - within
        is_token = after >= 0
        place = torch.where(is_token, w.start[flat].repeat_interleave(sizes) + within, 0)
        is_own = place >= w.own_start[flat].repeat_interleave(sizes)
        is_own &= place < w.own_end[flat].repeat_interleave(sizes)
        around = torch.stack([within, after], -1).masked_fill(~is_token[:, None], -1)
        of_order = sizes.view(rows.shape).sum(1)
        laid = _Laid.of(of_order)
        flat_features = self.network.features(self.inputs, place, around)
        return Batch(
            flat_features.each(lambda values: laid(values[0])),
            targets=laid(self._targets[place]).unsqueeze(1),
            mask=laid(is_token & is_own & self._known[place]).unsqueeze(1),
            teacher=None if teacher is None else laid(teacher[place]).unsqueeze(1),
            sizes=tuple(of_order.tolist()),
            lengths=sizes.view(rows.shape),
        )

    def chunks(self, at_once: int) -> Iterator[tuple[slice, Tensor, Features]]:
        """Yield the windows, some at once.

        Args:
            at_once: Tokens at once, at least a window.

        Yields:
            The places of the windows' own tokens among all tokens, which of the features are
            theirs, and the features, G = 1.
        """
        w = self.windows
        length = w.end - w.start
        group = (length.cumsum(0) - length) // max(at_once, 1)
        for number in torch.unique(group):
            some = (group == number).nonzero().flatten()
            own = length[some]
            first = (own.cumsum(0) - own).repeat_interleave(own)
            within = torch.arange(len(first), device=first.device) - first
            place = w.start[some].repeat_interleave(own) + within
            is_own = place >= w.own_start[some].repeat_interleave(own)
            is_own &= place < w.own_end[some].repeat_interleave(own)
            around = torch.stack([within, own.repeat_interleave(own) - 1 - within], -1)
            features = self.network.features(self.inputs, place, around)
            own_places = slice(int(w.own_start[some[0]]), int(w.own_end[some[-1]]))
            yield own_places, is_own, features


class _Laid:
    """Lays the tokens of G orders, one after the other, into rows that end in zeros."""

    def __init__(self, n_orders: int, longest: int, places: Tensor | None) -> None:
        self._n_orders, self._longest, self._places = n_orders, longest, places

    @classmethod
    def of(cls, sizes: Tensor) -> _Laid:
        """Return the layout of orders of `sizes` tokens, ``(G,)``."""
        if len(sizes) == 1:
            return cls(1, int(sizes[0]), None)
        longest = int(sizes.max())
        first = sizes.cumsum(0) - sizes
        shift = torch.arange(len(sizes), device=sizes.device) * longest - first
        places = torch.arange(int(sizes.sum()), device=sizes.device)
        return cls(len(sizes), longest, places + shift.repeat_interleave(sizes))

    def __call__(self, values: Tensor) -> Tensor:
        """Return values of tokens ``(t, ...)`` as ``(G, B, ...)``."""
        if self._places is None:
            return values[None]
        found = values.new_zeros(self._n_orders * self._longest, *values.shape[1:])
        found[self._places] = values
        return found.view(self._n_orders, self._longest, *values.shape[1:])
