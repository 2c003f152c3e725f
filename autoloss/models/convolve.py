"""Convolutions with a K axis, and the squares that first layers read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor, *, products: torch.dtype | None = None
) -> Tensor:
    """Return the convolution of 3 x 3 places, candidate by candidate, zeros beyond the edges.

    The weights have the order rows, columns, inputs, so that weights of `torch.nn.Conv2d`
    ``(O, C, 3, 3)`` fit a candidate after ``permute(0, 2, 3, 1)``.

    Args:
        x: Places.
        weight: Weights.
        bias: Biases.
        products: Type of the products and of the output; by default that of the weights.

    Shape:
        - x: ``(K, B, H, W, C)``
        - weight: ``(K, O, 9 * C)``
        - bias: ``(K, O)``
        - output: ``(K, B, H, W, O)``
    """
    taken = weight.dtype if products is None else products
    output: Tensor = _Convolution.apply(x, weight, bias, taken)  # type: ignore[no-untyped-call]
    return output


class _Convolution(Function):
    """A loop of torch's convolutions over candidates, whose places lie together in memory.

    On a CPU, products of unfolded patches take twice as long in bfloat16 and four times in
    float32; one grouped convolution takes as long as the loop, but rounds by the number of groups.
    The gradient of a weight rounds by the number of threads, so each candidate has a single
    thread.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, taken: torch.dtype) -> Tensor:
        own, kernels = x.to(taken), _kernels(weight.to(taken))
        ctx.save_for_backward(own, kernels)
        ctx.dtypes = x.dtype, weight.dtype
        found = own.new_empty(*x.shape[:4], weight.shape[1])
        offsets = bias.to(taken)

        def convolved(k: int) -> None:
            places = own[k].permute(0, 3, 1, 2)
            one = functional.conv2d(places, kernels[k], offsets[k], padding=1)
            found[k] = one.permute(0, 2, 3, 1)

        _for_each(len(own), convolved, in_threads=any(ctx.needs_input_grad) and _on_cpu(own))
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, kernels = ctx.saved_tensors
        of_x, of_weight = ctx.dtypes
        needs = [ctx.needs_input_grad[0], True, True]
        grad, outputs = grad.to(x.dtype).contiguous(), grad.shape[-1]
        grad_x = x.new_empty(x.shape) if needs[0] else None
        # In the memory of the weights: rows, columns, inputs.
        grad_weight = x.new_empty(len(x), outputs, 9 * x.shape[-1], dtype=of_weight)
        grad_bias = x.new_empty(len(x), outputs, dtype=of_weight)

        def differentiated(k: int) -> None:
            one, kernel, offset = torch.ops.aten.convolution_backward(
                grad[k].permute(0, 3, 1, 2),
                x[k].permute(0, 3, 1, 2),
                kernels[k],
                [outputs],
                [1, 1],
                [1, 1],
                [1, 1],
                False,
                [0, 0],
                1,
                needs,
            )
            if grad_x is not None:
                grad_x[k] = one.permute(0, 2, 3, 1)
            grad_weight[k] = kernel.permute(0, 2, 3, 1).flatten(1)
            grad_bias[k] = offset

        _for_each(len(x), differentiated, in_threads=_on_cpu(x))
        return None if grad_x is None else grad_x.to(of_x), grad_weight, grad_bias, None


def share_products(x: Tensor, weight: Tensor, orders: Tensor | None) -> Tensor:
    """Return the products of rows that candidates share, by order, with their own weights.

    In training on a CPU no row is copied for a candidate.

    Args:
        x: The rows of each order, which need no gradient.
        weight: Weights, of the same type.
        orders: The order of each candidate; None if G = 1.

    Shape:
        - x: ``(G, N, F)``
        - weight: ``(K, O, F)``
        - orders: ``(K,)``
        - output: ``(K, N, O)``
    """
    if _on_cpu(x) and torch.is_grad_enabled() and weight.requires_grad:
        places = [0] * len(weight) if orders is None else orders.tolist()
        output: Tensor = _Shared.apply(x, weight, places)  # type: ignore[no-untyped-call]
        return output
    own = x if orders is None else x[orders]
    return torch.bmm(own.expand(len(weight), -1, -1), weight.mT)


class _Shared(Function):
    """A loop of products over candidates; a batched one would copy the rows for each of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, places: list[int]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.places = places
        found = x.new_empty(len(weight), x.shape[1], weight.shape[1])

        def multiplied(k: int) -> None:
            torch.mm(x[places[k]], weight[k].mT, out=found[k])

        _for_each(len(weight), multiplied, in_threads=True)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, None]:
        (x,) = ctx.saved_tensors
        grad_weight = x.new_empty(len(grad), grad.shape[2], x.shape[2])

        def differentiated(k: int) -> None:
            torch.mm(grad[k].mT, x[ctx.places[k]], out=grad_weight[k])

        _for_each(len(grad), differentiated, in_threads=True)
        return None, grad_weight, None


def _on_cpu(x: Tensor) -> bool:
    return x.device.type == "cpu"


def _for_each(count: int, work: Callable[[int], None], *, in_threads: bool) -> None:
    """Do the work of each candidate, in threads that share the candidates if there are several.

    Args:
        count: K.
        work: Takes the number of a candidate.
        in_threads: Whether threads may share them; a graph that is exported has one.
    """
    threads = torch.get_num_threads()
    if in_threads and threads > 1:
        list(_pool(threads).map(torch.no_grad()(work), range(count)))
        return
    for k in range(count):
        work(k)


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return threads with one of torch's threads each."""
    return ThreadPoolExecutor(threads, "convolve", initializer=_take_one_thread)


def _take_one_thread() -> None:
    """Let this thread compute with one of torch's threads."""
    # Torch sets the number of a thread at its first look or operation to the latest of any thread,
    # so the look must come before the number.
    torch.get_num_threads()
    torch.set_num_threads(1)


def _kernels(weight: Tensor) -> Tensor:
    """Return weights as kernels ``(K, O, C, 3, 3)``, channels last in memory."""
    k, outputs, nine = weight.shape
    return weight.view(k, outputs, 3, 3, nine // 9).permute(0, 1, 4, 2, 3)


def blocks(x: Tensor, side: int) -> Tensor:
    """Return the pixels of squares that lie side by side, zeros beyond the edges.

    Shape:
        - x: ``(K, B, H, W, C)``
        - output: ``(K, B, ceil(H / side), ceil(W / side), side * side * C)``
    """
    k, b, h, w, c = x.shape
    below, right = -h % side, -w % side
    if below or right:
        x = functional.pad(x, (0, 0, 0, right, 0, below))
    rows, columns = (h + below) // side, (w + right) // side
    cut = x.view(k, b, rows, side, columns, side, c).transpose(3, 4)
    return cut.reshape(k, b, rows, columns, side * side * c)


def overlapping(x: Tensor, side: int, stride: int) -> Tensor:
    """Return squares that overlap by half their side, zeros beyond the edges.

    Shape:
        - x: ``(G, B, H, W, C)``
        - output: ``(G, B, ceil(H / stride), ceil(W / stride), side * side * C)``
    """
    g, b, h, w, c = x.shape
    rows, columns = -(-h // stride), -(-w // stride)
    before = (side - stride) // 2
    below = (rows - 1) * stride + side - h - before
    right = (columns - 1) * stride + side - w - before
    padded = functional.pad(x, (0, 0, before, right, before, below))
    windows = padded.unfold(2, side, stride).unfold(3, side, stride)
    return windows.permute(0, 1, 2, 3, 5, 6, 4).reshape(g, b, rows, columns, side * side * c)
