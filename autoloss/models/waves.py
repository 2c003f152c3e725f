"""The embedding of numbers by learnt frequencies.

Each number has its own frequencies, which a candidate learns with a linear map of their cosines
(Gorishniy et al. 2022, arXiv:2203.05556; in this form in RealMLP, Holzmüller et al. 2024, Better
by Default, arXiv:2407.04491).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

WAVES, WAVE_WIDTH, FREQUENCY = 16, 4, 0.1
"""Learnt frequencies of a number, the width of their embedding, and the standard deviation of
their first values in periods per unit."""


def wave_shapes(count: int) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a candidate's weights for some numbers."""
    return {
        "frequency": (count, WAVES),
        "phase": (count, WAVES),
        "wave.weight": (count, WAVE_WIDTH, WAVES),
        "wave.bias": (count, WAVE_WIDTH),
    }


def embed(weights: Mapping[str, Tensor], numbers: Tensor) -> Tensor:
    """Return the embedding of numbers.

    Args:
        weights: The weights by name, each ``(K, ...)``; see `wave_shapes`.
        numbers: The numbers, which all candidates may share.

    Shape:
        - numbers: ``(K, B, F)`` or ``(1, B, F)``
        - output: ``(K, B, 4 F)``
    """
    frequency, phase = 2.0 * math.pi * weights["frequency"], weights["phase"]
    cosines = torch.addcmul(phase[:, None], numbers[..., None], frequency[:, None]).cos()
    found = torch.einsum("kbfw,kfew->kbfe", cosines, weights["wave.weight"])
    return (found + weights["wave.bias"][:, None]).flatten(2)
