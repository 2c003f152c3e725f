"""Layers with a leading K axis: K candidates in one product, each with its own weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

_INTEGERS = {
    torch.bfloat16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}


def dense(
    x: Tensor, weight: Tensor, bias: Tensor, *, products: torch.dtype | None = None
) -> Tensor:
    """Return ``x @ weight.mT + bias``, candidate by candidate.

    Args:
        x: Inputs; an expanded view where all candidates share them.
        weight: Weights, laid out as in `torch.nn.Linear`.
        bias: Biases.
        products: Type of the product and of the output; by default that of the weights. Products
            of the backward pass are taken in the lower of this type and that of `x`; gradients of
            weights always have the type of the weights.

    Shape:
        - x: ``(K, B, D)``
        - weight: ``(K, H, D)``
        - bias: ``(K, H)``
        - output: ``(K, B, H)``
    """
    if x.ndim != 3 or x.shape[0] != weight.shape[0] or x.shape[2] != weight.shape[2]:
        raise ValueError(
            "x must have shape (K, B, D) with the K and D of weight (K, H, D), "
            f"but got {tuple(x.shape)=} and {tuple(weight.shape)=}."
        )
    taken = weight.dtype if products is None else products
    output: Tensor = _Dense.apply(x, weight, bias, taken)  # type: ignore[no-untyped-call]
    return output


class _Dense(Function):
    """A batched product whose weight gradients are contiguous in the layout of the weights.

    Autograd's backward of `baddbmm` gives the transposed gradient. In a narrow layer, copying it
    into the rows of a buffer costs more than the product.

    The activations of a population exceed the caches of a core, so the cost of a pass between two
    products is in proportion to its bytes. A lower precision halves them.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, taken: torch.dtype) -> Tensor:
        # Inputs that all candidates share are converted once.
        own_x = x[:1].to(taken).expand_as(x) if x.stride(0) == 0 else x.to(taken)
        own_weight = weight.to(taken)
        is_lower = x.dtype.itemsize < taken.itemsize
        ctx.save_for_backward(*((x, weight.to(x.dtype)) if is_lower else (own_x, own_weight)))
        ctx.dtypes = x.dtype, weight.dtype
        return torch.baddbmm(bias.to(taken).unsqueeze(1), own_x, own_weight.mT)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight = ctx.dtypes
        own = grad.to(x.dtype)
        grad_x = torch.bmm(own, weight).to(of_x) if ctx.needs_input_grad[0] else None
        # A product with more columns than rows is faster than its transpose.
        is_tall = weight.shape[1] > weight.shape[2]
        grad_weight = torch.bmm(x.mT, own).mT if is_tall else torch.bmm(own.mT, x)
        return grad_x, grad_weight.to(of_weight), grad.sum(1).to(of_weight), None


LEVELS = 1 << 15
"""The number of levels of a dropout draw: the numbers of 15 bits."""


@dataclass(frozen=True)
class DropoutRates:
    """The dropout rates of K candidates, with values derived once for all steps.

    Args:
        rate: Rates in [0, 1).

    Shape:
        ``(K, 1, 1)``, also of the properties
    """

    rate: Tensor

    @cached_property
    def lowest(self) -> Tensor:
        """Return the lowest level that keeps a number, int16; 0 for a rate of 0."""
        return (self.rate * LEVELS).round().clamp_max(LEVELS - 1).to(torch.int16)

    @cached_property
    def scale(self) -> Tensor:
        """Return the factor of the numbers that are kept."""
        return 1.0 / (1.0 - self.rate)


def relu_dropout(
    x: Tensor, levels: Tensor | None = None, rates: DropoutRates | None = None
) -> Tensor:
    """Return ``relu(x)`` with dropout at each candidate's own rate, written over `x`.

    The kept numbers are not scaled: the caller scales the weights of the next layer, which are
    fewer. All candidates of a seed share the draw, so a higher rate drops a superset.

    Args:
        x: Pre-activations.
        levels: Draws from 0 to `LEVELS` - 1, int16; None for no dropout.
        rates: The rates.

    Shape:
        - x: ``(K, B, H)``
        - levels: ``(B, H)`` or ``(K, B, H)``
        - output: ``(K, B, H)``
    """
    if levels is None or rates is None:
        return torch.relu_(x)
    output: Tensor = _ReluDropout.apply(  # type: ignore[no-untyped-call]
        x, levels, rates.lowest
    )
    return output


class _ReluDropout(Function):
    """ReLU and dropout without a stored mask: the output is positive where both keep the number.

    The ReLU is applied to the number with the sign of the distance of its draw to the lowest level
    that keeps it. A boolean mask takes five times as long.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, levels: Tensor, lowest: Tensor) -> Tensor:
        bits = _bits(x)
        # All bits are 0 where the draw keeps the number; otherwise the sign is set.
        dropped = (levels.to(bits.dtype) - lowest.to(bits.dtype)).clamp_max_(0)
        bits.bitwise_or_(dropped).clamp_min_(0)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        found = torch.ops.aten.threshold_backward(_bits(grad), _bits(kept), 0)
        return found.view(grad.dtype), None, None


def _bits(x: Tensor) -> Tensor:
    """Return a view of `x` as integers, which have its signs.

    Processors that convert bfloat16 to float32 compare 16-bit integers four times as fast.
    """
    return x.view(_INTEGERS[x.dtype])


def mixed(x: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """Return every example mixed with its partner, ``share * x + (1 - share) * x[partner]``.

    An example with a share of 1 stays exactly as it is.

    Args:
        x: Examples.
        partner: Number of each example's partner, a permutation; G is 1 or K.
        share: Share of the example itself.

    Shape:
        - x: ``(K, B, H)``
        - partner: ``(G, B)``
        - share: ``(K, 1)`` or ``(K, B)``
        - output: ``(K, B, H)``
    """
    first = torch.arange(x.shape[0], device=x.device).unsqueeze(1) * x.shape[1]
    places = (first + partner).flatten()
    output: Tensor = _Mixed.apply(x, places, share.unsqueeze(-1))  # type: ignore[no-untyped-call]
    return output


class _Mixed(Function):
    """A mixture whose backward is a look-up too, by the inverse of the permutation.

    Autograd's backward allows for repeated rows and adds them one by one: 2 to 20 times as slow.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor, share: Tensor) -> Tensor:
        ctx.save_for_backward(places, share)
        partners = x.flatten(0, 1).index_select(0, places).view_as(x)
        # A view that is made here could not be written over, as the next layer does.
        return torch.lerp(partners, x, share)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        places, share = ctx.saved_tensors
        back = torch.empty_like(places)
        back[places] = torch.arange(len(places), device=places.device)
        to_partners = (grad * (1.0 - share)).flatten(0, 1).index_select(0, back)
        return (grad * share).add_(to_partners.view_as(grad)), None, None
