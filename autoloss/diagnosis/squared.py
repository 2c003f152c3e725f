"""Squared error beside cross-entropy on one logit: gradient and curvature in closed form.

For two classes the squared error is ``(a - 1)² / 2`` with the sigmoid a of the true class's log
odds, and the gradient is on these log odds. For more classes it is ``sum_k (p_k - [k = y])²`` of a
softmax, and the gradient is on the true class's logit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.records.diagnosis import Saturation

# Below this share of cross-entropy's gradient a row counts as saturated.
SATURATED = 0.01
CONVENTIONS = {
    True: "half of the squared error behind a sigmoid",
    False: "the squared error summed over the classes, behind a softmax",
}


@dataclass(frozen=True)
class Slopes:
    """Slopes on the true logit, all ``(N,)``.

    Args:
        cross_entropy: Gradient of cross-entropy, ``p - 1``.
        squared: Gradient of the squared error.
        curvature: Second derivative of the squared error; cross-entropy's is ``p (1 - p)``.
    """

    cross_entropy: Tensor
    squared: Tensor
    curvature: Tensor

    @property
    def ratio(self) -> Tensor:
        """Return cross-entropy's gradient divided by the squared error's."""
        return self.cross_entropy / self.squared


def slopes_of(probs: Tensor, targets: Tensor) -> Slopes:
    """Return the slopes of both losses on the true logit.

    Args:
        probs: Probabilities, float64.
        targets: Classes.

    Shape:
        probs ``(N, C)``, targets ``(N,)`` → ``(N,)``.

    Examples:
        >>> found = slopes_of(torch.tensor([[0.01, 0.98, 0.01]]).double(), torch.tensor([0]))
        >>> round(found.ratio.item(), 4)
        25.5076
    """
    p = probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    # The probability of the other classes: 1 - p would cancel where p is near 1.
    others = probs.scatter(-1, targets.unsqueeze(-1), 0.0)
    miss = others.sum(-1)
    if probs.shape[-1] == 2:
        return Slopes(-miss, -(p * miss.square()), p * miss.square() * (3 * p - 1))
    rest = others.square().sum(-1)
    squares = p.square() + rest
    # d²L / dz² = 2p [(1 - p) (4p - S - 1) - 2p (p - S)] with S the sum of the squares.
    curvature = 2 * p * (miss * (4 * p - squares - 1) - 2 * p * (p - squares))
    return Slopes(-miss, -2 * p * (miss.square() + rest), curvature)


def saturation_of(
    slopes: Slopes, p: Tensor, wrong: Tensor, weight: Tensor, *, n_classes: int
) -> Saturation:
    """Summarise the slopes of all rows.

    Args:
        slopes: The slopes, ``(N,)`` each.
        p: Probability of the true class, ``(N,)``.
        wrong: Whether the prediction of a row is wrong, ``(N,)``, boolean.
        weight: Weights of the rows, ``(N,)``.
        n_classes: Number of classes C.
    """
    of_wrong = weight * wrong

    def share(chosen: Tensor, of: Tensor) -> float:
        return float((chosen.double() * of).sum() / of.sum())

    saturated = slopes.squared.abs() < SATURATED * slopes.cross_entropy.abs()
    concave = slopes.curvature < 0
    fisher = p * (1 - p)
    # A probability that underflows makes the ratio infinite or undefined.
    ratio = slopes.ratio[wrong].nan_to_num(nan=torch.nan, posinf=torch.nan)
    ratio = ratio[ratio.isfinite()]
    return Saturation(
        convention=CONVENTIONS[n_classes == 2],
        saturated=share(saturated, weight),
        saturated_wrong=share(saturated, of_wrong),
        concave=share(concave, weight),
        concave_wrong=share(concave, of_wrong),
        ratio_wrong=float(ratio.median()) if len(ratio) else torch.nan,
        ratio_worst=float(ratio.max()) if len(ratio) else torch.nan,
        gradient=(
            share(slopes.cross_entropy.abs(), of_wrong),
            share(slopes.squared.abs(), of_wrong),
        ),
        curvature=(share(fisher, of_wrong), share(fisher.square(), of_wrong)),
    )
