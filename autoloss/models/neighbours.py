"""The tokens at a distance on both sides of every token, for convolutions as plain products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional


def with_neighbours(x: Tensor, around: Tensor, distance: int) -> Tensor:
    """Return every token's numbers between the numbers of its neighbours at a distance.

    A neighbour beyond the ends of the sequence is all zeros. Sequences are concatenated
    without pads, so a dilated convolution of width 3 is one product with the result.

    Args:
        x: Numbers of the tokens.
        around: The tokens before and after each token in its sequence; G is 1 or K.
        distance: The distance of the neighbours, from 1.

    Shape:
        - x: ``(K, B, H)``
        - around: ``(G, B, 2)``
        - output: ``(K, B, 3 * H)``
    """
    if torch.compiler.is_compiling():
        return _traced(x, around, distance)
    output: Tensor = _Neighbours.apply(  # type: ignore[no-untyped-call]
        x, around, distance
    )
    return output


def _traced(x: Tensor, around: Tensor, distance: int) -> Tensor:
    """Return the same in operations without sizes that depend on the values."""
    n = x.shape[1]
    left = functional.pad(x, (0, 0, distance, 0))[:, :n]
    right = functional.pad(x, (0, 0, 0, distance))[:, distance:]
    has_left, has_right = (around >= distance).unsqueeze(-2).unbind(-1)
    parts = [torch.where(has_left, left, 0.0), x, torch.where(has_right, right, 0.0)]
    return torch.cat(parts, -1)


class _Neighbours(Function):
    """Copies of shifted rows, whose rows without a neighbour are filled with zeros.

    Autograd's own would fill and add whole tensors for each slice, and a product with a mask that
    is broadcast over the numbers of a token takes several times as long as a copy.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, around: Tensor, distance: int) -> Tensor:
        ctx.save_for_backward(around)
        ctx.distance = distance
        n, width = x.shape[1:]
        moved = min(distance, n)
        found = x.new_empty(len(x), n, 3 * width)
        left, own, right = torch.split(found, width, -1)
        own.copy_(x)
        left[:, moved:] = x[:, : n - moved]
        right[:, : n - moved] = x[:, moved:]
        _clear(left, around[..., 0] < distance)
        _clear(right, around[..., 1] < distance)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (around,) = ctx.saved_tensors
        n = grad.shape[1]
        moved = min(ctx.distance, n)
        left, own, right = torch.split(grad, grad.shape[-1] // 3, -1)
        found = own.clone()
        for side, (part, start) in enumerate(((left, moved), (right, 0))):
            kept = part[:, start : start + n - moved].clone()
            lacks = around[:, start : start + n - moved, side] < ctx.distance
            _clear(kept, lacks)
            found[:, moved - start : n - start] += kept
        return found, None, None


def _clear(values: Tensor, lacks: Tensor) -> None:
    """Fill the rows without a neighbour with zeros.

    Shape:
        values ``(K, B, H)``, lacks ``(G, B)``.
    """
    if len(lacks) == 1:
        values.index_fill_(1, lacks[0].nonzero().flatten(), 0.0)
    else:
        values.masked_fill_(lacks.unsqueeze(-1), 0.0)
