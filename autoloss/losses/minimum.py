"""The minimum of the expectation of a loss over the label, found numerically from many starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses.samples import draw

Function = Callable[[Tensor, Tensor], Tensor]
"""Maps logits ``(N, C)`` and classes ``(N,)`` to a value per example, ``(N,)``."""
FAR = 1e4
"""The bound of logits for heads without a bound; a minimum found there is at infinity."""
# The largest starting logit, the sizes of starts as shares of it, and the starts to follow.
_REACH, _SIZES, _STARTS = 30.0, (0.0, 0.01, 0.03, 0.1, 0.3, 1.0), 3
# A larger slope means that the descent ended at a kink.
_FLAT = 1e-6


@dataclass(frozen=True, eq=False)
class Minimum:
    """A minimum of an expected loss.

    Args:
        logits: Its place, ``(C,)``.
        value: The expected loss there.
        slope: The sum of absolute slopes there, by the logits inside their bounds.
    """

    logits: Tensor
    value: float
    slope: float


@dataclass(frozen=True, eq=False)
class ExpectedLoss:
    """The expectation of a loss over a posterior, as a function of the logits.

    Args:
        function: The loss.
        posterior: The probability of each class.
        bound: The largest logit that the head can give.

    Shape:
        - posterior: ``(C,)``, float64
    """

    function: Function
    posterior: Tensor
    bound: float = FAR

    @property
    def n_classes(self) -> int:
        """Return the number of classes."""
        return len(self.posterior)

    def values(self, logits: Tensor) -> Tensor:
        """Return the expectation at many logits, ``(S, C)`` → ``(S,)``.

        Raises:
            InputError: If the loss does not return a value per example.
        """
        repeated = logits.repeat_interleave(self.n_classes, 0)
        labels = torch.arange(self.n_classes).repeat(len(logits))
        every = self.function(repeated, labels)
        if every.shape != labels.shape:
            raise InputError(
                "a loss must give one value per example, but got "
                f"shape {tuple(every.shape)} for {len(labels)} examples."
            )
        return (self.posterior * every.double().view(-1, self.n_classes)).sum(-1)

    def minimum(self, *, first: int | None = None, over: int | None = None) -> Minimum:
        """Return the lowest minimum that is found.

        Args:
            first: A class whose logit must be at least that of `over`; None for no constraint.
            over: See `first`.

        Raises:
            InputError: If the expectation is nowhere finite, or has no slope.
        """
        descent = _Descent(self, first, over)
        starts = descent.starts()
        with torch.no_grad():
            values = self.values(descent.logits(starts.flatten(0, 1))).nan_to_num(nan=torch.inf)
        # The best start of each size, because many losses are low at 0 without a slope there.
        lowest, best = values.view(len(starts), -1).min(1)
        if not bool(lowest.isfinite().any()):
            raise InputError("a loss must be finite somewhere, but got no finite value.")
        sizes = lowest.argsort(stable=True)[:_STARTS].tolist()
        found = [descent.run(starts[size, best[size]]) for size in sizes]
        return descent.settled(min(found, key=lambda one: one.value))


@dataclass(frozen=True)
class _Minimum:
    """A minimum in the coordinates of a descent."""

    at: Tensor
    value: float
    slope: float


class _Descent:
    """The descent, in coordinates that keep one logit above another."""

    def __init__(self, expected: ExpectedLoss, first: int | None, over: int | None) -> None:
        self.expected = expected
        n, bound = expected.n_classes, expected.bound
        self.low = torch.full((n,), -bound, dtype=torch.float64)
        self.high = -self.low
        # The coordinate of `first` is its lead over the logit of `over`.
        self.is_first = torch.arange(n) == (-1 if first is None else first)
        self.over = 0 if over is None else over
        self.low[self.is_first] = 0.0

    def logits(self, at: Tensor) -> Tensor:
        """Return the logits at some coordinates."""
        lifted = at + torch.where(self.is_first, at[..., self.over, None], 0.0)
        return lifted.clamp(max=self.expected.bound)

    def starts(self) -> Tensor:
        """Return starting coordinates of every size and shape.

        Shape:
            ``(sizes, shapes, C)``.
        """
        n, posterior = self.expected.n_classes, self.expected.posterior
        sharp = torch.eye(n, dtype=torch.float64)
        centred = posterior.clamp_min(1e-9).log()
        shapes = torch.cat([sharp, -sharp, (centred - centred.mean())[None], draw(24, n)])
        shapes = shapes / shapes.abs().amax(-1, keepdim=True)
        reach = min(self.expected.bound, _REACH)
        logits = torch.stack([reach * size * shapes for size in _SIZES])
        at = logits - torch.where(self.is_first, logits[..., self.over, None], 0.0)
        return at.clamp(self.low, self.high)

    def run(self, start: Tensor) -> _Minimum:
        """Return the minimum that a descent by slopes reaches."""
        # The import takes a third of a second.
        from scipy.optimize import minimize

        bounds = torch.stack([self.low, self.high], -1).tolist()
        options = {"maxfun": 400, "ftol": 0.0, "gtol": 1e-12, "maxcor": 20}
        found = minimize(
            self._value_and_slope,
            start.numpy(),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options=options,
        )
        value, slope = self._value_and_slope(found.x)
        at = torch.from_numpy(found.x)
        inside = (at > self.low) & (at < self.high)
        return _Minimum(at, value, float(torch.from_numpy(slope)[inside].abs().sum()))

    @torch.no_grad()
    def settled(self, found: _Minimum) -> Minimum:
        """Return the minimum; steps in all directions follow if the descent ended at a kink."""
        at, value = found.at, found.value
        axes = torch.eye(len(at), dtype=torch.float64)
        differences = (axes[:, None] - axes).flatten(0, 1)
        step = 0.1 * min(self.expected.bound, 10.0) if found.slope > _FLAT else 0.0
        for turn in range(200):
            if step < 1e-10 * (1.0 + float(at.abs().max())):
                break
            ways = torch.cat([axes, -axes, differences, draw(16, len(at), seed=turn)])
            nearby = (at + step * ways).clamp(self.low, self.high)
            values = self.expected.values(self.logits(nearby)).nan_to_num(nan=torch.inf)
            best = int(values.argmin())
            if float(values[best]) < value - 1e-14 * (1.0 + abs(value)):
                at, value = nearby[best], float(values[best])
            else:
                step *= 0.5
        return Minimum(self.logits(at), value, found.slope)

    def _value_and_slope(self, flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        at = torch.tensor(flat, requires_grad=True)
        value = self.expected.values(self.logits(at)[None])[0]
        if not value.requires_grad:
            raise InputError("a loss must have a slope by its logits, but got none.")
        (slope,) = torch.autograd.grad(value, at)
        return value.item(), slope.numpy()
