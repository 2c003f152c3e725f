"""Reading labels in a loss: one label for each example, or every label at once."""

from __future__ import annotations

import torch
from torch import Tensor

# Takes the place of the targets to ask a loss for its value under every label in one pass. The
# logits then have shape (..., 1, C) and the loss returns (..., C). It is compared by identity and
# never read.
EVERY = torch.empty(0, dtype=torch.int64)


def pick(values: Tensor, targets: Tensor) -> Tensor:
    """Return the entry of `values` that belongs to the label.

    Args:
        values: A value for each class.
        targets: Labels, or `EVERY`.

    Shape:
        ``values (..., C)``, ``targets (...)`` → ``(...)``;
        with `EVERY`: ``(..., 1, C)`` → ``(..., C)``.

    Examples:
        >>> pick(torch.tensor([[5.0, 7.0]]), torch.tensor([1]))
        tensor([7.])
    """
    if targets is EVERY:
        return values.squeeze(-2)
    return values.gather(-1, targets.unsqueeze(-1)).squeeze(-1)


def is_label(values: Tensor, targets: Tensor) -> Tensor:
    """Return whether each class is the label, for use beside ``pick(values, targets)[..., None]``.

    Args:
        values: A value for each class, for the number of classes and the device.
        targets: Labels, or `EVERY`.

    Shape:
        ``values (..., C)``, ``targets (...)`` → ``(..., C)``; with `EVERY`: ``(C, C)``.
    """
    classes = torch.arange(values.shape[-1], device=values.device)
    if targets is EVERY:
        return classes.unsqueeze(-1) == classes
    return targets.unsqueeze(-1) == classes


def pairs(logits: Tensor) -> Tensor:
    """Return the logits z of yes-or-no labels as pairs ``(0, z)`` of two classes.

    Shape:
        ``(..., L)`` → ``(..., L, 2)``.
    """
    return torch.stack([torch.zeros_like(logits), logits], -1)
