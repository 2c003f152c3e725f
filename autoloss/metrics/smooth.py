"""Smooth calibration error: a kernel takes the place of bins, and the data choose its width."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Cells of the grid: their width, 0.0005, is far below the kernel's for a million rows.
_CELLS = 2048
# Halvings of [0, 1] for the kernel's width: exact to 1e-9.
_HALVINGS = 30


def smooth_ece(confidence: Tensor, correct: Tensor) -> Tensor:
    """Return the smooth calibration error, in [0, 1]; lower is better.

    ``smECE_s = integral over t of |sum_i K_s(t, c_i) (a_i - c_i)| / n`` with a Gaussian kernel
    reflected at 0 and 1, at the only width s with ``smECE_s = s``.

    Args:
        confidence: Probability of the predicted class.
        correct: 1 where the prediction was right, else 0.

    Shape:
        confidence (K, N), correct (K, N), result (K,).

    Examples:
        >>> confidence = torch.full((1, 1000), 0.5)
        >>> round(smooth_ece(confidence, torch.ones(1, 1000)).item(), 3)
        0.5

    Source:
        Błasiok and Nakkiran 2024, Smooth ECE, arXiv:2309.12236.
    """
    spectrum = torch.fft.rfft(_on_grid(confidence, correct - confidence))
    # On the even extension, which has period 2, the reflected kernel is a plain convolution.
    frequency = math.pi * torch.arange(_CELLS + 1, device=confidence.device, dtype=torch.float64)

    def at_width(width: Tensor) -> Tensor:
        damped = spectrum * torch.exp(-0.5 * (width.unsqueeze(-1) * frequency).square())
        smoothed: Tensor = torch.fft.irfft(damped, n=2 * _CELLS)[:, :_CELLS]
        return smoothed.abs().sum(-1)

    low = torch.zeros(len(confidence), dtype=torch.float64, device=confidence.device)
    high = torch.ones_like(low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # A wider kernel never gives a larger error, so error and width cross once.
        is_below = middle < at_width(middle)
        low = torch.where(is_below, middle, low)
        high = torch.where(is_below, high, middle)
    return at_width(high)


def _on_grid(place: Tensor, residual: Tensor) -> Tensor:
    """Share each residual between the two nearest cells and append the mirror image."""
    position = (place.double() * _CELLS - 0.5).nan_to_num(nan=0.0).clamp(0, _CELLS - 1)
    cell = position.floor().clamp_max(_CELLS - 2)
    to_right = position - cell
    residual = residual.double() / residual.shape[-1]
    grid = residual.new_zeros(len(residual), _CELLS)
    grid.scatter_add_(-1, cell.long(), residual * (1 - to_right))
    grid.scatter_add_(-1, cell.long() + 1, residual * to_right)
    return torch.cat([grid, grid.flip(-1)], dim=-1)
