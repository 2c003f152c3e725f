"""The terms added to base losses: the divergence from a teacher, and penalties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from autoloss.core.task import TaskKind
from autoloss.losses.component import Penalty, Scored
from autoloss.losses.components import PENALTIES
from autoloss.losses.context import LossContext
from autoloss.losses.facts import ClassFacts
from autoloss.losses.from_gradients import log_posterior, pushed_log_posterior
from autoloss.losses.group import Group
from autoloss.losses.labels import pairs
from autoloss.losses.numerics import log_softmax
from autoloss.losses.spec_data import SpecData


@dataclass(frozen=True, eq=False)
class _Distillation:
    """The distillation of some candidates: their rows, temperatures and weights ``(k, 1)``."""

    rows: Tensor
    temperature: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False)
class _AppliedPenalty:
    """A penalty of some candidates: their rows, its weight and parameters ``(k, 1)``."""

    penalty: Penalty
    rows: Tensor
    weight: Tensor
    parameters: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class AddedTerms:
    """The terms that K candidates add to their base losses.

    Args:
        task: The kind of label.
        distillation: The candidates with a teacher; None if there are none.
        penalties: The penalties, each with its candidates.
        alone: By row, the candidates whose penalty moves the minimum, each as its own group.
    """

    task: TaskKind
    distillation: _Distillation | None
    penalties: tuple[_AppliedPenalty, ...]
    alone: Mapping[int, Group]

    @classmethod
    def of(
        cls,
        specs: Sequence[SpecData],
        facts: ClassFacts,
        alone: Mapping[int, Group],
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Self | None:
        """Return the terms of some losses, or None if there are none."""

        def column(rows: list[int], key: str) -> Tensor:
            numbers = torch.tensor([specs[row][key] for row in rows], dtype=dtype, device=device)
            return numbers.view(-1, *[1] * facts.item_axes)

        taught = [row for row, spec in enumerate(specs) if spec.target == "distillation"]
        distillation = None
        if taught:
            distillation = _Distillation(
                torch.tensor(taught, device=device),
                column(taught, "distillation.T"),
                column(taught, "distillation.weight"),
            )
        penalties = []
        for name, penalty in PENALTIES.items():
            rows = [row for row, spec in enumerate(specs) if spec.penalty == name]
            if rows:
                columns = {key: column(rows, f"{name}.{key}") for key in penalty.parameters}
                weight = columns.pop("weight")
                index = torch.tensor(rows, device=device)
                penalties.append(_AppliedPenalty(penalty, index, weight, columns))
        if distillation is None and not penalties:
            return None
        return cls(facts.task, distillation, tuple(penalties), alone)

    def added(
        self, values: Tensor, views: Tensor, targets: Tensor, *, context: LossContext | None
    ) -> Tensor:
        """Return the losses of all items with the added terms.

        Args:
            values: The losses by base, prior and target.
            views: The inputs of each candidate's softmax.
            targets: Classes, or class probabilities.
            context: Has the logits of the teacher, and the mask of items with a label.

        Shape:
            ``(K, B)``, ``(K, B, C)``, ``(K, B)`` or ``(K, B, C)`` → ``(K, B)``.
        """
        if self.distillation is not None:
            values = self._taught(values, views, context)
        for one in self.penalties:
            scored = self._scored(views, targets, one.rows, context)
            cost = one.weight * one.penalty.function(scored, **one.parameters)
            values = values.index_add(0, one.rows, cost.expand(len(one.rows), *values.shape[1:]))
        return values

    def undone(self, links: Tensor, scores: Tensor) -> Tensor:
        """Return read-outs in which the slopes of the penalties are undone.

        At the minimum ``sum_y η_y ∂L(z, y)/∂z + r = 0``, where r is the slope of the penalty.

        Shape:
            ``links`` and ``scores (K, N, C)`` → ``(K, N, C)``.
        """
        for one in self.penalties:
            if one.penalty.readable != "slope":
                continue
            for i, row in enumerate(one.rows.tolist()):
                if row in self.alone:
                    group = self.alone[row]
                    found = _with_slope(one, i, group, scores[row : row + 1], self.task)
                    links = links.index_copy(0, one.rows[i : i + 1], found.to(links.dtype))
        return links

    def _taught(self, values: Tensor, views: Tensor, context: LossContext | None) -> Tensor:
        """Replace a share of the losses by the divergence from the teacher, times T squared."""
        assert self.distillation is not None
        (context or LossContext()).require(("teacher_logits",), loss="distillation")
        assert context is not None
        assert context.teacher_logits is not None
        rows, temperature = self.distillation.rows, self.distillation.temperature
        taught = context.teacher_logits.to(views.dtype)
        if self.task == "multilabel":
            taught = pairs(taught)
        if taught.ndim == views.ndim:
            taught = taught.expand_as(views)[rows]
        heat = temperature[..., None]
        log_teacher, log_student = log_softmax(taught / heat), log_softmax(views[rows] / heat)
        gap = (log_teacher.exp() * (log_teacher - log_student)).sum(-1)
        weight = self.distillation.weight
        mixed = (1.0 - weight) * values[rows] + weight * temperature.square() * gap
        return values.index_copy(0, rows, mixed)

    def _scored(
        self, views: Tensor, targets: Tensor, rows: Tensor, context: LossContext | None
    ) -> Scored:
        """Return the batch of some candidates, as their penalty reads it."""
        mask = None if context is None else context.mask
        own = views[rows]
        if mask is not None:
            mask = mask.expand(views.shape[:-1])[rows]
        return Scored(own, log_softmax(own), targets[rows], mask, self.task)


def _with_slope(
    one: _AppliedPenalty, i: int, group: Group, scores: Tensor, task: TaskKind
) -> Tensor:
    """Return the log posterior of a candidate whose penalty has a slope at the minimum."""
    weight = one.weight[i : i + 1]
    parameters = {name: value[i : i + 1] for name, value in one.parameters.items()}

    def cost(logits: Tensor) -> Tensor:
        """Return the penalty of every item, which does not depend on the label."""
        view = group.view(logits, None)
        labels = torch.zeros(logits.shape[:-1], dtype=torch.int64, device=logits.device)
        scored = Scored(view, log_softmax(view), labels, None, task)
        return weight * one.penalty.function(scored, **parameters)

    if not group.loss.local:
        return log_posterior(lambda logits: group.every(logits) + cost(logits)[..., None], scores)
    return pushed_log_posterior(group.of_log_probs, cost, scores)
