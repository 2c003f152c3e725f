"""What losses tell the network about predictions: the gradient on the logits, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.diagnosis.given import Given
from autoloss.diagnosis.loss import label_of
from autoloss.diagnosis.squared import Slopes, saturation_of, slopes_of
from autoloss.losses import ClassFacts, LossContext, LossSpec, Objective
from autoloss.records.diagnosis import LossSignal, RowGroup, Saturation, Signal

TENTHS, TWENTIETHS = 10, 20
# A gradient below this share of cross-entropy's is as good as none.
DEAD = 0.01
_BLOCK = 1 << 19
# Where cross-entropy itself has no gradient left, nothing can be in units of it.
_LEAST_MISS = 1e-12


@dataclass(frozen=True, eq=False)
class Gradients:
    """The gradients of all rows, summarised later by whatever divides the rows.

    Args:
        losses: The losses.
        size: Half the sum of the absolute gradients of each row, ``(L, N)``, float32.
        units: The same in units of cross-entropy's, NaN where that has none, ``(L, N)``, float32.
        p: Probability of the true class by the softmax of the logits, ``(N,)``, float64.
        slopes: Cross-entropy and squared error on the true logit.
        n_classes: Number of classes C.
    """

    losses: tuple[LossSpec, ...]
    size: Tensor
    units: Tensor
    p: Tensor
    slopes: Slopes
    n_classes: int


def gradients_of(
    given: Given, losses: Sequence[LossSpec], counts: Sequence[Tensor | ClassFacts]
) -> Gradients:
    """Return the gradient of each loss on the logits of every row.

    Of several trainings the mean is taken.

    Args:
        given: The predictions.
        losses: The losses.
        counts: What each training knew of the classes, one of R.
    """
    n_rows, n_classes = given.n_rows, len(given.classes)
    size = torch.empty(len(losses), n_rows)
    units = torch.empty_like(size)
    p = torch.empty(n_rows, dtype=torch.float64)
    slopes = [torch.empty(n_rows, dtype=torch.float64) for _ in range(3)]
    objectives = [
        [Objective([spec], known, dtype=torch.float64) for spec in losses] for known in counts
    ]
    step = max(64, _BLOCK // n_classes)
    for first in range(0, n_rows, step):
        block = slice(first, first + step)
        targets = given.targets[block]
        found = torch.zeros(len(losses), len(targets), dtype=torch.float64)
        probs = torch.zeros(len(targets), n_classes, dtype=torch.float64)
        for logits, every in zip(given.logits[:, block], objectives, strict=True):
            wide = logits.double()
            found += torch.stack([_sizes(one, wide, targets) for one in every])
            probs += wide.softmax(-1)
        found /= len(objectives)
        probs /= len(objectives)
        own = slopes_of(probs, targets)
        miss = -own.cross_entropy
        size[:, block] = found.float()
        units[:, block] = torch.where(miss > _LEAST_MISS, found / miss, torch.nan).float()
        p[block] = probs.gather(-1, targets[:, None])[:, 0]
        parts = (own.cross_entropy, own.squared, own.curvature)
        for whole, part in zip(slopes, parts, strict=True):
            whole[block] = part
    return Gradients(tuple(losses), size, units, p, Slopes(*slopes), n_classes)


def _sizes(objective: Objective, logits: Tensor, targets: Tensor) -> Tensor:
    """Return half the sum of the absolute gradients of each row, ``(n,)``.

    The gradient of a loss of probabilities sums to 0 over the logits: half of it pushes up, half
    down, and cross-entropy's is ``1 - p``.
    """
    with torch.enable_grad():
        at = logits.detach()[None].clone().requires_grad_()
        value = objective(at, targets, context=LossContext(progress=1.0)).sum()
        (gradient,) = torch.autograd.grad(value, at, materialize_grads=True)
    return gradient[0].abs().sum(-1) / 2


def parts_of(
    names: Sequence[str], index: Tensor, gradients: Gradients, weight: Tensor
) -> tuple[RowGroup, ...]:
    """Return what each part of the rows gets of the gradients.

    Args:
        names: Names of the parts.
        index: Part of each row, ``(N,)``.
        gradients: The gradients.
        weight: Weights of the rows, ``(N,)``.
    """
    n = len(names)
    rows = torch.bincount(index, minlength=n)
    mass = torch.bincount(index, weight, n) / weight.sum()
    sums = torch.stack([torch.bincount(index, one * weight, n) for one in gradients.size])
    shares = (sums / sums.sum(-1, keepdim=True).clamp_min(1e-300)).T.tolist()
    return tuple(
        RowGroup(name, int(rows[place]), float(mass[place]), tuple(shares[place]))
        for place, name in enumerate(names)
    )


def signal_of(
    gradients: Gradients, wrong: Tensor, is_suspect: Tensor, weight: Tensor
) -> tuple[Signal, Saturation]:
    """Summarise the gradients of all rows.

    Args:
        gradients: The gradients.
        wrong: Whether a row is given another class, ``(N,)``.
        is_suspect: Whether its label is suspect, ``(N,)``.
        weight: Weights of the rows, ``(N,)``.
    """
    p = gradients.p
    tenth = (p * TENTHS).long().clamp_max(TENTHS - 1)
    names = [f"{n / TENTHS:.1f} to {(n + 1) / TENTHS:.1f}" for n in range(TENTHS)]
    fine = (p * TWENTIETHS).long().clamp_max(TWENTIETHS - 1)
    mass = torch.bincount(fine, weight, TWENTIETHS)
    suspects = parts_of(("others", "suspects"), is_suspect.long(), gradients, weight)[1]
    signal = Signal(
        losses=tuple(
            _loss_signal(spec, units, wrong, fine, weight)
            for spec, units in zip(gradients.losses, gradients.units, strict=True)
        ),
        tenths=parts_of(names, tenth, gradients, weight),
        suspects=suspects,
        histogram=tuple((mass / mass.sum()).tolist()),
        n_wrong=int(wrong.sum()),
    )
    saturation = saturation_of(gradients.slopes, p, wrong, weight, n_classes=gradients.n_classes)
    return signal, saturation


def _loss_signal(
    spec: LossSpec, units: Tensor, wrong: Tensor, fine: Tensor, weight: Tensor
) -> LossSignal:
    """Summarise one loss."""
    known = ~units.isnan()
    counted = wrong & known
    mass = float(weight[counted].sum())
    dead = float((weight[counted] * (units[counted] < DEAD)).sum()) / mass if mass else torch.nan
    values = units[counted]
    total = torch.bincount(fine[known], weight[known], TWENTIETHS)
    mean = torch.bincount(fine[known], weight[known] * units[known], TWENTIETHS) / total
    return LossSignal(
        label=label_of(spec),
        dead=dead,
        median_wrong=float(values.median()) if len(values) else torch.nan,
        curve=tuple(mean.tolist()),
    )
