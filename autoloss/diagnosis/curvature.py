"""Curvature of a function of many weights: products with the Hessian, and its extreme values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

Function = Callable[[Tensor], Tensor]
FloatArray = NDArray[np.float64]

DENSE = 64
"""Weights up to which the whole Hessian is computed."""
_RESTARTS, _TOLERANCE, _ROUGH = 15, 1e-3, 0.03
_STEP = 3e-8
"""The length of a step relative to that of the weights."""


@dataclass(frozen=True, eq=False)
class Extremes:
    """The extreme curvatures of a function.

    Args:
        largest: The largest eigenvalues of the Hessian, falling.
        smallest: Its smallest eigenvalue.
        vectors: An eigenvector of length 1 for each of `largest`.

    Shape:
        largest ``(k,)``, vectors ``(k, P)``.
    """

    largest: FloatArray
    smallest: float
    vectors: Tensor


def hessian_product(function: Function, weights: Tensor, direction: Tensor) -> Tensor:
    """Return the product of the Hessian of a function and a direction.

    It is the central difference of two gradients, because layers with their own backward pass
    have no second. The step is so short that hardly a unit of a network changes its sign.

    Args:
        function: Returns a number.
        weights: The point, float64.
        direction: The direction.

    Shape:
        weights, direction and result ``(P,)``.
    """
    step = _step(weights, direction)
    ends = [_gradient(function, weights + sign * step * direction) for sign in (1.0, -1.0)]
    return (ends[0] - ends[1]) / (2.0 * step)


@torch.no_grad()
def change_along(function: Function, weights: Tensor, direction: Tensor) -> Tensor:
    """Return the derivative of a function of any shape along a direction, a central difference.

    Args:
        function: Returns a tensor.
        weights: The point, float64.
        direction: The direction.

    Shape:
        weights and direction ``(P,)``; result as of the function.
    """
    step = _step(weights, direction)
    ends = [function(weights + sign * step * direction) for sign in (1.0, -1.0)]
    return (ends[0] - ends[1]) / (2.0 * step)


def _step(weights: Tensor, direction: Tensor) -> float:
    """Return the step of a difference along a direction."""
    return _STEP * max(1.0, float(weights.norm())) / max(float(direction.norm()), 1e-300)


def _gradient(function: Function, weights: Tensor) -> Tensor:
    moved = weights.detach().requires_grad_()
    with torch.enable_grad():
        [found] = torch.autograd.grad(function(moved), moved)
    return found


def extremes(function: Function, weights: Tensor, *, count: int, seed: int) -> Extremes:
    """Return the largest and smallest curvatures of a function, by the method of Lanczos.

    Args:
        function: Returns a number.
        weights: The point, float64.
        count: The number of largest eigenvalues.
        seed: Seed of the first vector.

    Raises:
        ArithmeticError: The method did not converge.

    Shape:
        weights ``(P,)``, P above `count`.
    """
    size = len(weights)

    def product(vector: FloatArray) -> FloatArray:
        direction = torch.from_numpy(np.ascontiguousarray(vector)).reshape(size)
        found: FloatArray = hessian_product(function, weights, direction).numpy()
        return found

    if size <= DENSE:
        values, vectors = np.linalg.eigh(np.stack([product(row) for row in np.eye(size)]))
        return _extremes(values[-count:], vectors[:, -count:], values[0])
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    options = {
        "v0": np.random.default_rng(seed).normal(size=size),
        "maxiter": _RESTARTS,
        "tol": _TOLERANCE,
    }
    try:
        values, vectors = eigsh(operator, k=count, which="LA", **options)
        options["tol"] = _ROUGH
        smallest = eigsh(operator, k=1, which="SA", return_eigenvectors=False, **options)
    except ArpackNoConvergence as error:
        raise ArithmeticError("the method of Lanczos did not converge") from error
    order = np.argsort(values)
    return _extremes(values[order], vectors[:, order], smallest[0])


def along(function: Function, weights: Tensor, directions: Sequence[Tensor]) -> list[float]:
    """Return the second derivatives of a function along directions, scaled to length 1."""
    units = [one / one.norm() for one in directions]
    return [float(one @ hessian_product(function, weights, one)) for one in units]


def _extremes(values: FloatArray, vectors: FloatArray, smallest: float) -> Extremes:
    """Return extremes from rising eigenvalues; the largest number of a vector is positive."""
    found = torch.from_numpy(vectors.T[::-1].copy())
    largest = found.gather(1, found.abs().argmax(1, keepdim=True))
    return Extremes(values[::-1].copy(), float(smallest), found * largest.sign())
