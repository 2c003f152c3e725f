"""Slices of the surfaces of cross-entropy and squared error through the weights of a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from autoloss.diagnosis.curvature import Extremes, Function, along, change_along, extremes
from autoloss.diagnosis.squared import CONVENTIONS
from autoloss.records.surface import Surface, SurfaceSlice

STEPS = 41
"""Places on a slice, from -1 to 1 lengths of its direction."""
LEADING, RANDOM = 2, 2


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats; logits ``(N, C)``, targets ``(N,)``."""
    return functional.cross_entropy(logits, targets)


def squared_error(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error of the softmax, in the form of `CONVENTIONS`.

    Shape:
        logits ``(N, C)``, targets ``(N,)``.
    """
    probs = logits.softmax(-1)
    truth = functional.one_hot(targets, logits.shape[-1])
    total = (probs - truth).square().sum(-1).mean()
    # Of two classes both squares are equal, and half of one counts.
    return total / 4 if logits.shape[-1] == 2 else total


def gauss_newton(logits: Tensor, change: Tensor) -> tuple[float, float]:
    """Return the second derivatives of both losses along a line of logits, as if it were straight.

    That of cross-entropy is the Fisher information ``u' (diag(p) - p p') u``, the same for every
    label. That of squared error has the square of the matrix, twice.

    Args:
        logits: The logits.
        change: Their derivative u along the direction.

    Shape:
        both ``(N, C)``.

    Examples:
        >>> logits = torch.tensor([[0.0, -6.906755]]).double()  # a = 0.999
        >>> fisher, squared = gauss_newton(logits, torch.tensor([[1.0, 0.0]]).double())
        >>> round(fisher, 6), round(squared * 1e6, 3)
        (0.000999, 0.998)
    """
    probs = logits.softmax(-1)
    moved = probs * (change - (probs * change).sum(-1, keepdim=True))
    fisher = (change * moved).sum(-1).mean()
    squared = 2 * moved.square().sum(-1).mean()
    return float(fisher), float(squared / 4 if logits.shape[-1] == 2 else squared)


def surface_of(
    logits: Callable[[Tensor], Tensor],
    weights: Tensor,
    targets: Tensor,
    *,
    filters: Sequence[tuple[int, ...]],
    rows: int,
    loss_label: str,
    seed: int,
) -> Surface:
    """Return the surfaces of both losses around weights.

    Args:
        logits: Returns the logits of all items for weights.
        weights: The weights, float64.
        targets: The classes of the items.
        filters: The shapes of the tensors that the weights are of, one after the other.
        rows: The rows that the items belong to.
        loss_label: The loss that trained the weights.
        seed: Seed of the random directions.

    Raises:
        ArithmeticError: The leading directions were not found.

    Shape:
        weights ``(P,)``, logits ``(N, C)``, targets ``(N,)``.
    """

    def of(loss: Callable[[Tensor, Tensor], Tensor]) -> Function:
        return lambda moved: loss(logits(moved), targets)

    losses = of(cross_entropy), of(squared_error)
    count = min(LEADING, len(weights) - 1)
    first: Extremes = extremes(losses[0], weights, count=count, seed=seed)
    second = extremes(losses[1], weights, count=1, seed=seed)
    drawn = torch.Generator().manual_seed(seed)
    random = [filter_normalised(weights, filters, drawn) for _ in range(RANDOM)]
    at = logits(weights)
    shares = torch.bincount(targets, minlength=at.shape[-1]) / len(targets)
    constant = shares.double().log().clamp_min(-60.0).expand_as(at)
    of_shares = [float(one(constant, targets)) for one in (cross_entropy, squared_error)]
    # A parabola of that curvature rises by twice the cross-entropy of equally likely classes.
    longest, rise = float(random[0].norm()), 2.0 * math.log(at.shape[-1])
    lengths = [min(longest, (2.0 * rise / one) ** 0.5) for one in first.largest if one > 0]
    directions = [own * one for own, one in zip(lengths, first.vectors, strict=False)]
    directions += random
    names = ["leading"] * len(lengths) + ["random"] * RANDOM
    half = STEPS // 2
    steps = torch.arange(-half, half + 1, dtype=torch.float64) / half
    curvatures = [along(one, weights, directions) for one in losses]
    slices = []
    for place, (name, direction) in enumerate(zip(names, directions, strict=True)):
        change = change_along(logits, weights, direction / direction.norm())
        values = [_values(one, weights, direction, steps) for one in losses]
        slices.append(
            SurfaceSlice(
                direction="leading" if name == "leading" else "random",
                length=float(direction.norm()),
                curvature=(curvatures[0][place], curvatures[1][place]),
                gauss_newton=gauss_newton(at, change),
                cross_entropy=tuple(values[0].tolist()),
                squared=tuple(values[1].tolist()),
                concave=(_concave(values[0]), _concave(values[1])),
            )
        )
    return Surface(
        rows=rows,
        labels=len(targets),
        weights=len(weights),
        convention=CONVENTIONS[at.shape[-1] == 2],
        loss_label=loss_label,
        steps=tuple(steps.tolist()),
        shares=(of_shares[0], of_shares[1]),
        largest=(float(first.largest[0]), float(second.largest[0])),
        smallest=(first.smallest, second.smallest),
        slices=tuple(slices),
    )


def filter_normalised(
    weights: Tensor, filters: Sequence[tuple[int, ...]], random: torch.Generator
) -> Tensor:
    """Return a random direction in which each unit's weights have the norm that they have.

    Biases and other vectors do not move. If there is nothing else, all weights are one unit.

    Args:
        weights: The weights.
        filters: The shapes of the tensors that they are of; a unit is a row of a tensor.
        random: Draws the numbers.

    Shape:
        weights and result ``(P,)``.

    Source:
        Li et al. 2018, Visualizing the loss landscape of neural nets, arXiv:1712.09913, section 4.
    """
    drawn = torch.randn(len(weights), generator=random, dtype=weights.dtype)
    parts, start = [], 0
    for shape in filters:
        size = torch.Size(shape).numel()
        own, moved = (one[start : start + size] for one in (weights, drawn))
        start += size
        if len(shape) < 2:
            parts.append(torch.zeros_like(own))
            continue
        norms = own.view(shape[0], -1).norm(dim=1, keepdim=True)
        parts.append(functional.normalize(moved.view(shape[0], -1), dim=1).mul(norms).view(-1))
    direction = torch.cat(parts)
    if direction.any():
        return direction
    whole: Tensor = functional.normalize(drawn, dim=0) * weights.norm().clamp_min(1.0)
    return whole


@torch.no_grad()
def _values(loss: Function, weights: Tensor, direction: Tensor, steps: Tensor) -> Tensor:
    """Return a loss at steps along a direction, ``(S,)``."""
    at = partial(torch.add, weights, direction)
    return torch.stack([loss(at(alpha=float(step))) for step in steps])


def _concave(values: Tensor) -> float:
    """Return the share of the inner steps at which the second difference is below 0."""
    second = values[2:] - 2 * values[1:-1] + values[:-2]
    # Rounding bends a straight line too.
    least = 1e-9 * values.abs().max()
    return float((second < -least).double().mean())
