"""The surface of two losses around a trained network: slices, curvature and Fisher information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SurfaceSlice:
    """Cross-entropy and squared error along a straight line through the weights of a network.

    Pairs are of cross-entropy and of squared error.

    Args:
        direction: ``"leading"``: an eigenvector of the largest curvature of cross-entropy;
            ``"random"``: normal numbers, scaled to the norm of each unit's weights.
        length: The length of the direction.
        curvature: Second derivatives along the direction of length 1.
        gauss_newton: Their parts that are never negative; of cross-entropy the Fisher information.
        cross_entropy: Cross-entropy in nats at `Surface.steps`.
        squared: Squared error at them.
        concave: Shares of the steps at which the losses are concave.
    """

    direction: Literal["leading", "random"]
    length: float
    curvature: tuple[float, float]
    gauss_newton: tuple[float, float]
    cross_entropy: tuple[float, ...]
    squared: tuple[float, ...]
    concave: tuple[float, float]


@dataclass(frozen=True)
class Surface:
    """The surface around the weights of one network, on a part of the rows.

    Pairs are of cross-entropy and of squared error, both of the softmax of the network's logits.

    Args:
        rows: Rows of the part.
        labels: Their labels, or their tags.
        weights: Weights of the network that training changes.
        convention: The form of the squared error.
        loss_label: The loss that trained the network.
        steps: Places on a slice, in lengths of its direction; 0 is the network.
        shares: The losses of the class shares of these labels.
        largest: The largest eigenvalues of the two Hessians.
        smallest: Their smallest eigenvalues.
        slices: Two along leading directions, then two along random directions.
    """

    rows: int
    labels: int
    weights: int
    convention: str
    loss_label: str
    steps: tuple[float, ...]
    shares: tuple[float, float]
    largest: tuple[float, float]
    smallest: tuple[float, float]
    slices: tuple[SurfaceSlice, ...]

    @property
    def concavity(self) -> tuple[float, float]:
        """Return the most negative eigenvalue of each Hessian relative to the largest, at least 0.

        It is 0 where the loss is convex.
        """
        pairs = zip(self.smallest, self.largest, strict=True)
        first, second = (max(0.0, -low) / high if high > 0 else 0.0 for low, high in pairs)
        return first, second
