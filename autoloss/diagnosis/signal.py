"""The gradients of losses on the logits of each row: the signal that a network trains on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.diagnosis.labelled import LabelledPredictions
from autoloss.diagnosis.loss import label_of
from autoloss.diagnosis.squared import Slopes, saturation_of, slopes_of
from autoloss.losses import ClassFacts, LossContext, LossSpec, Objective
from autoloss.records.diagnosis import GradientSignals, LossSignal, RowGroup, Saturation

TENTHS, TWENTIETHS = 10, 20
# A gradient below this share of cross-entropy's counts as none.
DEAD = 0.01
_BLOCK = 1 << 19
# Below this, cross-entropy's own gradient is not a unit.
_LEAST_MISS = 1e-12


@dataclass(frozen=True, eq=False)
class Gradients:
    """The gradients of L losses on all rows.

    Args:
        losses: The losses.
        size: Half the sum of the absolute gradients of each row, ``(L, N)``, float32.
        units: The same in units of cross-entropy's, NaN where its own vanishes, ``(L, N)``,
            float32.
        p: Softmax probability of the true class, ``(N,)``, float64.
        slopes: Slopes of cross-entropy and squared error on the true logit.
        n_classes: Number of classes C.
    """

    losses: tuple[LossSpec, ...]
    size: Tensor
    units: Tensor
    p: Tensor
    slopes: Slopes
    n_classes: int


def gradients_of(
    predictions: LabelledPredictions,
    losses: Sequence[LossSpec],
    counts: Sequence[Tensor | ClassFacts],
) -> Gradients:
    """Return the gradient of each loss on the logits of every row, averaged over R training runs.

    Args:
        predictions: Predictions and labels.
        losses: The losses.
        counts: Class counts or facts of each of the R training runs.
    """
    n_rows, n_classes = predictions.n_rows, len(predictions.classes)
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
        targets = predictions.targets[block]
        found = torch.zeros(len(losses), len(targets), dtype=torch.float64)
        probs = torch.zeros(len(targets), n_classes, dtype=torch.float64)
        for logits, every in zip(predictions.logits[:, block], objectives, strict=True):
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

    The gradient of a loss of probabilities sums to 0 over the logits: half of it pushes logits up
    and half pushes them down. The result is ``1 - p`` for cross-entropy.
    """
    with torch.enable_grad():
        at = logits.detach()[None].clone().requires_grad_()
        value = objective(at, targets, context=LossContext(progress=1.0)).sum()
        (gradient,) = torch.autograd.grad(value, at, materialize_grads=True)
    return gradient[0].abs().sum(-1) / 2


def parts_of(
    names: Sequence[str], index: Tensor, gradients: Gradients, weight: Tensor
) -> tuple[RowGroup, ...]:
    """Return the share of each group of rows in the gradients.

    Args:
        names: Names of the groups.
        index: Group of each row, ``(N,)``.
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
) -> tuple[GradientSignals, Saturation]:
    """Summarise the gradients of all rows.

    Args:
        gradients: The gradients.
        wrong: Whether the prediction of a row is wrong, ``(N,)``.
        is_suspect: Whether the label of a row is suspect, ``(N,)``.
        weight: Weights of the rows, ``(N,)``.
    """
    p = gradients.p
    tenth = (p * TENTHS).long().clamp_max(TENTHS - 1)
    names = [f"{n / TENTHS:.1f} to {(n + 1) / TENTHS:.1f}" for n in range(TENTHS)]
    fine = (p * TWENTIETHS).long().clamp_max(TWENTIETHS - 1)
    mass = torch.bincount(fine, weight, TWENTIETHS)
    suspects = parts_of(("others", "suspects"), is_suspect.long(), gradients, weight)[1]
    signal = GradientSignals(
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
    """Summarise the gradients of one loss."""
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
