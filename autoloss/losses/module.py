"""A loss as a module, for a training loop that is not ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoloss.errors import InputError
from autoloss.losses.context import LossContext
from autoloss.losses.facts import ClassFacts
from autoloss.losses.numerics import widened
from autoloss.losses.objective import Objective
from autoloss.losses.spec import LossSpec
from autoloss.task import TaskKind


class LossModule(nn.Module):
    """The mean over the batch of a training loss.

    Args:
        spec: The loss.
        class_counts: Training rows of each class; only a prior needs them.
        task: The kind of label.
        class_weights: Weights for ``prior="given_weights"``.
        class_similarity: Likeness of the classes for ``target="similarity_smoothing"``.

    Shape:
        ``logits (B, C)``, ``targets (B,)`` classes or ``(B, C)`` class probabilities → a scalar.
        Sequences: ``(B, T, C)``, ``(B, T)``. Labels of several yes and no (``task="multilabel"``):
        ``(B, L)`` and ``(B, L)``, whole numbers 0 and 1 or the probability of yes.

    Raises:
        InputError: If the loss has no form for the task, or lacks something that it needs.

    Examples:
        >>> spec = LossSpec.from_dict({"base": "focal", "prior": "class_weight"})
        >>> criterion = spec.module([90, 10])
        >>> criterion(torch.zeros(4, 2), torch.tensor([0, 0, 0, 1]))
        tensor(0.2166)
    """

    def __init__(
        self,
        spec: LossSpec,
        class_counts: Sequence[int] | Tensor | ClassFacts | None = None,
        *,
        task: TaskKind = "multiclass",
        class_weights: Sequence[float] | Tensor | None = None,
        class_similarity: Any = None,
    ) -> None:
        super().__init__()
        if class_counts is None and (owner := _owner_of_counts(spec)):
            raise InputError(f"class_counts must be given for {owner}, but got class_counts=None.")
        self.spec = spec
        self.task = task
        self._given = {
            "weights": _tensor(class_weights),
            "similarity": _tensor(class_similarity),
        }
        self.facts = None if class_counts is None else self._facts(class_counts)
        # Without counts, whether the classes are two is known with the first logits.
        if self.facts is not None or task != "multiclass" or not spec.fits("binary"):
            spec.check_task(task if self.facts is None else self.facts.task)
        self._objectives: dict[tuple[torch.dtype, torch.device, int], Objective] = {}

    def forward(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        weights: Tensor | None = None,
        context: LossContext | None = None,
    ) -> Tensor:
        """Return the weighted mean loss of the items that have a label.

        Args:
            logits: Raw scores; half-precision ones are read in float32.
            targets: Labels. One that is below 0, or NaN where labels are probabilities, is missing
                and left out.
            weights: Weights of the examples ``(B,)``, or of the items.
            context: What some losses need besides; its mask leaves items out too.

        Returns:
            A scalar; 0 where no item has a label.
        """
        logits = widened(logits)
        targets, mask = self._labelled(targets, logits)
        given = None if context is None else context.mask
        if given is not None:
            mask = given if mask is None else mask & given
        if mask is not None:
            context = replace(context or LossContext(), mask=mask)
        values = self._objective(logits)(logits.unsqueeze(0), targets, context=context)[0]
        if mask is None and weights is None:
            return values.mean()
        shares = torch.ones_like(values)
        if weights is not None:
            weights = weights.to(values.dtype)
            shares = shares * weights.view(*weights.shape, *[1] * (values.ndim - weights.ndim))
        if mask is not None:
            shares = shares * mask
        # A masked value may be NaN, and NaN times zero is NaN.
        weighted = torch.where(shares > 0, values, 0.0) * shares
        return weighted.sum() / shares.sum().clamp_min(1e-12)

    def mix(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs and labels to train on: mixed ones for mixup, else as they are.

        Call it before the network, and the loss with what it returns. Partners and shares come
        from torch's global generator.

        Args:
            inputs: Inputs of the network, of any shape behind the examples.
            targets: Labels of the examples.

        Returns:
            The mixed inputs, and class probabilities (of yes, for labels of several yes and no).

        Shape:
            ``inputs (B, ...)``, ``targets (B,)`` → ``(B, ...)``, ``(B, C)``.
        """
        if self.spec.target != "mixup":
            return inputs, targets
        if not targets.is_floating_point():
            assert self.facts is not None
            is_pairs = self.task == "multilabel"
            targets = targets if is_pairs else functional.one_hot(targets, self.facts.n_classes)
            targets = targets.to(inputs.dtype)
        alpha, each = self.spec["mixup.alpha"], self.spec["mixup.per_example"]
        shares = torch.distributions.Beta(alpha, alpha).sample((len(inputs) if each else 1,))
        partner = torch.randperm(len(inputs), device=inputs.device)

        def mixed(values: Tensor) -> Tensor:
            share = shares.to(values).view(-1, *[1] * (values.ndim - 1))
            return share * values + (1.0 - share) * values[partner]

        return mixed(inputs), mixed(targets)

    def extra_repr(self) -> str:
        """Return the settings, for printing."""
        return ", ".join(f"{key}={value}" for key, value in self.spec.to_dict().items())

    def _labelled(self, targets: Tensor, logits: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return targets without gaps, and where there was none; None where all are there."""
        if targets.is_floating_point():
            missing = targets.isnan()
            if not bool(missing.any()):
                return targets, None
            filled = targets.masked_fill(missing, 0.0)
            # One NaN makes a whole distribution over the classes unknown.
            return filled, ~(missing if self.task == "multilabel" else missing.any(-1))
        missing = targets < 0
        targets = targets.long()
        return (targets.masked_fill(missing, 0), ~missing) if missing.any() else (targets, None)

    def _facts(self, class_counts: Sequence[int] | Tensor | ClassFacts) -> ClassFacts:
        if isinstance(class_counts, ClassFacts):
            return class_counts
        return ClassFacts(torch.as_tensor(class_counts), task=self.task, **self._given)

    def _objective(self, logits: Tensor) -> Objective:
        """Return the loss for logits of this kind, made once."""
        key = (logits.dtype, logits.device, logits.shape[-1])
        if key not in self._objectives:
            facts = self.facts
            if facts is None:
                shape = (logits.shape[-1], 2) if self.task == "multilabel" else logits.shape[-1:]
                facts = self._facts(torch.ones(shape))
            self._objectives[key] = Objective(
                (self.spec,), facts, dtype=logits.dtype, device=logits.device
            )
        return self._objectives[key]


def _owner_of_counts(spec: LossSpec) -> str | None:
    """Return the part of a loss that cannot do without class counts, None where all can."""
    if spec.prior != "none":
        return f"prior={spec.prior!r}"
    if "class_counts" in spec.needs:
        return f"base={spec.base!r}"
    return "target='mixup'" if spec.target == "mixup" else None


def _tensor(values: Any) -> Tensor | None:
    """Return numbers as a tensor, None as it is."""
    return None if values is None else torch.as_tensor(values)
