"""Layers with a leading K axis: K candidates in one product, each with its own weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def dense(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``x @ weight.mT + bias``, candidate by candidate.

    Under `torch.autocast` the product and those of its gradients are taken in the precision that
    is set there; what goes in and what comes out keeps its own.

    Args:
        x: Inputs; those that all candidates share may be an expanded view.
        weight: Weights, laid out as in `torch.nn.Linear`.
        bias: Biases.

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
    kind = x.device.type
    lower = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    output: Tensor = _Dense.apply(x, weight, bias, lower)  # type: ignore[no-untyped-call]
    return output


class _Dense(Function):
    """A batched product whose weight gradients come out contiguous in the layout of the weights.

    Autograd's own backward of `baddbmm` gives the transposed gradient, and copying that into the
    rows of a buffer costs more than the product when the layer is narrow.

    Only products gain by a lower precision: on a CPU every other pass is slower in it, as no unit
    computes in it. So what is between two products stays as it is.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, lower: torch.dtype) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            if lower == x.dtype:
                ctx.save_for_backward(x, weight)
                return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)
            # Of inputs that all candidates share one copy is converted.
            is_shared = x.stride(0) == 0
            low_x = x[:1].to(lower).expand_as(x) if is_shared else x.to(lower)
            low_weight = weight.to(lower)
            ctx.save_for_backward(low_x, low_weight)
            return torch.bmm(low_x, low_weight.mT).to(x.dtype).add_(bias.unsqueeze(1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        low = grad.to(x.dtype)
        grad_x = torch.bmm(low, weight).to(grad.dtype) if ctx.needs_input_grad[0] else None
        return grad_x, torch.bmm(low.mT, x).to(grad.dtype), grad.sum(1), None


def relu_dropout(x: Tensor, uniform: Tensor | None, rate: Tensor | None) -> Tensor:
    """Return ``relu(x)`` with dropout at each candidate's own rate, written over `x`.

    All candidates of one seed share the uniform draw, so a higher rate drops a superset.

    Args:
        x: Pre-activations.
        uniform: Draws from [0, 1); None for no dropout.
        rate: Dropout rates in [0, 1).

    Shape:
        - x: ``(K, B, H)``
        - uniform: ``(B, H)`` or ``(K, B, H)``
        - rate: ``(K, 1, 1)``
        - output: ``(K, B, H)``
    """
    if uniform is None or rate is None:
        return torch.relu_(x)
    output: Tensor = _ReluDropout.apply(x, uniform, rate)  # type: ignore[no-untyped-call]
    return output


class _ReluDropout(Function):
    """ReLU and dropout with no mask kept: the output is positive where both let it through."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, uniform: Tensor, rate: Tensor) -> Tensor:
        # A draw may be exactly 0, which a rate of 0 must let through.
        margin = uniform - torch.where(rate > 0.0, rate, -1.0)
        scale = 1.0 / (1.0 - rate)
        # Comparing and filling through a boolean mask takes five times as long as this kernel,
        # which is x where margin > 0 and 0 elsewhere.
        torch.ops.aten.threshold_backward.grad_input(x, margin, 0.0, grad_input=x)
        x.clamp_min_(0.0).mul_(scale)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x, scale)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        kept, scale = ctx.saved_tensors
        passed: Tensor = torch.ops.aten.threshold_backward(grad, kept, 0.0)
        return passed.mul_(scale), None, None


def mixed(x: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """Return every example mixed with its partner, ``share * x + (1 - share) * x[partner]``.

    An example with a share of 1 keeps its numbers to the last digit.

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
    """A mixture whose backward looks partners up too: the inverse of a permutation is one.

    Autograd's own adds up rows that may repeat, one by one: twice to twenty times the time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor, share: Tensor) -> Tensor:
        ctx.save_for_backward(places, share)
        partners = x.flatten(0, 1).index_select(0, places).view_as(x)
        return partners.lerp_(x, share)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        places, share = ctx.saved_tensors
        back = torch.empty_like(places)
        back[places] = torch.arange(len(places), device=places.device)
        to_partners = (grad * (1.0 - share)).flatten(0, 1).index_select(0, back)
        return (grad * share).add_(to_partners.view_as(grad)), None, None
