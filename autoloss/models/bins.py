"""The piecewise-linear encoding of numbers by quantile bins."""

from __future__ import annotations

from torch import Tensor

Bins = tuple[Tensor, Tensor, Tensor]
"""Column, lower edge and width of every bin that is not empty, each ``(bins,)``."""


def bins_of(edges: Tensor) -> Bins:
    """Return the bins between the edges of each column, ``(F, edges)``."""
    width = edges.diff(dim=1)
    column, place = (width > 0.0).nonzero(as_tuple=True)
    # Row and column of `nonzero` share a storage, which a saved program cannot tell apart.
    return column.clone(), edges[column, place], width[column, place]


def piecewise_linear(numeric: Tensor, missing: Tensor, bins: Bins) -> Tensor:
    """Return the share of each bin that lies below the number, ``(..., bins)``."""
    column, low, width = (part.to(numeric.device) for part in bins)
    share = (numeric[..., column] - low.to(numeric)) / width.to(numeric)
    return share.clamp_(0.0, 1.0).masked_fill_(missing[..., column], 0.0)
