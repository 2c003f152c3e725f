"""A loss as a module, for a custom training loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoloss.core.errors import InputError
from autoloss.core.task import TaskKind
from autoloss.losses.components import PENALTIES, TARGETS
from autoloss.losses.context import LossContext
from autoloss.losses.facts import ClassFacts
from autoloss.losses.guards import (
    check_kind,
    check_logits,
    given_to_masked,
    holds,
    is_masked,
    known_labels,
    masked_label,
    no_masks,
    without_infinity,
    wrong_label,
)
from autoloss.losses.numerics import widened
from autoloss.losses.objective import Objective
from autoloss.losses.registry import get
from autoloss.losses.spec_data import SpecData
from autoloss.losses.targets import box_in, share_outside


class LossModule(nn.Module):
    """The mean over the batch of a training loss.

    Args:
        spec: The loss.
        class_counts: Training rows of each class; only a prior needs them.
        task: The kind of label; `ClassFacts` have their own.
        class_weights: Weights for ``prior="given_weights"``.
        class_similarity: Similarity of the classes for ``target="similarity_smoothing"``.

    Shape:
        ``logits (B, C)``, ``targets (B,)`` classes or ``(B, C)`` class probabilities → a scalar.
        Sequences: ``(B, T, C)``, ``(B, T)``. Several yes-or-no labels (``task="multilabel"``):
        ``(B, L)`` and ``(B, L)``, whole numbers 0 and 1 or the probability of yes.

    Raises:
        InputError: If the loss has no form for the task, or lacks a value that it needs.

    Examples:
        >>> from autoloss.losses import LossSpec
        >>> spec = LossSpec.from_dict({"base": "focal", "prior": "class_weight"})
        >>> criterion = spec.module([90, 10])
        >>> criterion(torch.zeros(4, 2), torch.tensor([0, 0, 0, 1]))
        tensor(0.2166)
    """

    def __init__(
        self,
        spec: SpecData,
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
        self.task = class_counts.task if isinstance(class_counts, ClassFacts) else task
        self._refuses_masks = _owner_of_all_logits(spec)
        self._remembers = get(spec.base).memory is not None
        self._given = {
            "weights": _tensor(class_weights),
            "similarity": _tensor(class_similarity),
        }
        self.facts = None if class_counts is None else self._facts(class_counts)
        # Without counts, the number of classes is unknown until the first logits.
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
            logits: Raw scores; 16-bit numbers are read in float32. A logit of minus infinity
                removes its class, if the loss supports that.
            targets: Labels. The values -1 and -100, and NaN among probabilities, mean a missing
                label, which does not count.
            weights: Weights of the examples ``(B,)``, or of the items.
            context: Further values that some losses need; its mask leaves items out too.

        Returns:
            A scalar; 0 if no item has a label.

        Raises:
            InputError: If shapes do not fit, a label is not a class, or a logit is minus infinity
                but not allowed to be. A graph of `torch.compile` returns NaN for the last two.
        """
        check_logits(logits, targets, self.task)
        logits = widened(logits)
        check_kind(targets, logits, self.task)
        counted = None if context is None else context.mask
        labels, known, wrong = known_labels(targets, logits, self.task, given=counted)
        if holds(wrong):
            raise wrong_label(targets, wrong, logits, self.task)
        logits, lost = self._unmasked(logits, labels, known)
        has_gaps = holds(~known, unknown=True)
        if has_gaps:
            context = replace(context or LossContext(), mask=known)
        objective = self._objective(logits)
        values = objective(logits.unsqueeze(0), labels, context=context)[0]
        values = values.masked_fill(wrong | lost, torch.nan)
        if not has_gaps and weights is None:
            return values.mean()
        shares = known.to(values.dtype)
        if weights is not None:
            weights = weights.to(values.dtype)
            shares = shares * weights.view(*weights.shape, *[1] * (values.ndim - weights.ndim))
        # A masked value may be NaN, and NaN times zero is NaN.
        weighted = torch.where(shares > 0, values, 0.0) * shares
        return weighted.sum() / shares.sum().clamp_min(1e-12)

    def _unmasked(self, logits: Tensor, labels: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Return finite logits for masked classes, and the items that these leave without a loss.

        Raises:
            InputError: If the loss has no use for masked classes, or a label is one. A traced
                graph cannot raise; there such items get NaN.
        """
        masked = is_masked(logits)
        lost = given_to_masked(labels, masked, self.task) & known
        if holds(masked):
            if self._refuses_masks is not None:
                raise no_masks(self._refuses_masks)
            if holds(lost):
                raise masked_label(lost)
        if self._refuses_masks is None:
            return without_infinity(logits, masked), lost
        return logits, lost | (masked if self.task == "multilabel" else masked.any(-1))

    def mix(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs and labels to train on, mixed if the target is mixup or cutmix.

        Call it before the network, and pass the labels that it returns to the loss. Partners and
        shares come from torch's global generator. A sequence has one partner for all its tokens.

        Args:
            inputs: Inputs of the network, numbers; any axes may follow the examples. For cutmix
                images.
            targets: Labels of the examples, or of their tokens.

        Returns:
            The mixed inputs, and class probabilities (for yes-or-no labels, of yes), NaN where
            one of the two labels is missing.

        Shape:
            ``inputs (B, ...)``, ``targets (B,)`` → ``(B, ...)``, ``(B, C)``; for cutmix
            ``inputs (B, ..., H, W)``.
        """
        if not self.spec.mixture:
            return inputs, targets
        probs = targets if targets.is_floating_point() else self._probs(targets).to(inputs.dtype)
        alpha, each = (self.spec[f"{self.spec.mixture}.{key}"] for key in ("alpha", "per_example"))
        shares = torch.distributions.Beta(alpha, alpha).sample((len(inputs) if each else 1,))
        partner = torch.randperm(len(inputs), device=inputs.device)

        def mixed(values: Tensor) -> Tensor:
            share = shares.to(values).view(-1, *[1] * (values.ndim - 1))
            return share * values + (1.0 - share) * values[partner]

        if self.spec.target == "mixup":
            return mixed(inputs), mixed(probs)
        size = (inputs.shape[-2], inputs.shape[-1])
        places = torch.rand(len(shares), 2).double().numpy()
        boxes = box_in(shares.double().numpy(), places, size)
        shares = torch.from_numpy(share_outside(boxes, size))
        inside = torch.zeros(len(boxes), *size, dtype=torch.bool)
        for one, (top, left, bottom, right) in zip(inside, boxes.tolist(), strict=True):
            one[top:bottom, left:right] = True
        inside = inside.view(-1, *[1] * (inputs.ndim - 3), *size).to(inputs.device)
        return torch.where(inside, inputs[partner], inputs), mixed(probs)

    def _probs(self, targets: Tensor) -> Tensor:
        """Return classes as probabilities, NaN where a label is missing."""
        assert self.facts is not None
        missing = targets < 0
        if self.task == "multilabel":
            return targets.double().masked_fill(missing, torch.nan)
        one_hot = functional.one_hot(targets.clamp_min(0), self.facts.n_classes).double()
        return one_hot.masked_fill(missing.unsqueeze(-1), torch.nan)

    def extra_repr(self) -> str:
        """Return the settings, for printing."""
        return ", ".join(f"{key}={value}" for key, value in self.spec.to_dict().items())

    def _facts(self, class_counts: Sequence[int] | Tensor | ClassFacts) -> ClassFacts:
        if isinstance(class_counts, ClassFacts):
            return class_counts
        counts, given = torch.as_tensor(class_counts), self._given
        return ClassFacts(
            counts, task=self.task, weights=given["weights"], similarity=given["similarity"]
        )

    def _objective(self, logits: Tensor) -> Objective:
        """Return the objective for logits of this kind, which is made once."""
        kind = (logits.dtype, logits.device, logits.shape[-1])
        # The shape of the memory of an example.
        remembered = (*logits.shape[1:], *((2,) if self.task == "multilabel" else ()))
        self._make_objective(*kind, remembered if self._remembers else ())
        return self._objectives[kind]

    def _make_objective(
        self, dtype: torch.dtype, device: torch.device, last: int, remembered: tuple[int, ...]
    ) -> None:
        """Make the objective for logits of this kind, unless it exists."""
        kind = (dtype, device, last)
        if kind in self._objectives:
            return
        facts = self.facts
        if facts is None:
            facts = self._facts(torch.ones((last, 2) if self.task == "multilabel" else (last,)))
        made = Objective((self.spec,), facts, dtype=dtype, device=device)
        if self._remembers and self.facts is not None:
            n_rows = math.ceil(facts.population.sum())
            made.reserve(n_rows, torch.empty(1, 0, *remembered, dtype=dtype, device=device))
        self._objectives[kind] = made


# A traced graph does not include making the objective. The decorator
# torch.compiler.assume_constant_result sets this flag too, but takes seconds to load the compiler.
LossModule._make_objective._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _owner_of_counts(spec: SpecData) -> str | None:
    """Return the component of a loss that requires class counts, or None."""
    if spec.prior != "none":
        return f"prior={spec.prior!r}"
    if "class_counts" in spec.needs:
        return f"base={spec.base!r}"
    return f"target={spec.target!r}" if spec.mixture else None


def _owner_of_all_logits(spec: SpecData) -> str | None:
    """Return the component of a loss that does not support masked classes, or None."""
    components = (get(spec.base), TARGETS.get(spec.target), PENALTIES.get(spec.penalty))
    return next((one.name for one in components if one is not None and not one.masked), None)


def _tensor(values: Any) -> Tensor | None:
    """Return numbers as a tensor; None for None."""
    return None if values is None else torch.as_tensor(values)
