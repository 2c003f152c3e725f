"""The context of a loss: values that some losses need besides logits and targets."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from autoloss.core.errors import InputError


@dataclass(frozen=True)
class LossContext:
    """The values besides logits and targets that a training loop passes to a loss; None if absent.

    For stacked candidates a field has a leading K axis, or none if the candidates share it.

    Args:
        class_counts: Training rows of each class, ``(C,)``, or without and with each label,
            ``(L, 2)``.
        row_ids: Row numbers of the examples in the training data, ``(B,)``.
        progress: Finished share of the training, 0 to 1; ``(K,)`` if stacked candidates began at
            different times.
        teacher_logits: Logits of a teacher for these examples, in the shape of the logits.
        features: The inputs of the last layer, ``(B, H)``.
        mask: Whether each item has a label, boolean, in the shape of the targets; None for all.
        norms: Norm of the features times norm of each class's weights, ``(B, C)``: the factor
            between the cosine of their angle and the logit of a head without bias.
        memory: The memory that the loss has of these examples from earlier steps, ``(B, C)``.
        scale: The factor by which a prior scales the inputs of the softmax, ``(C,)``; for a loss
            with a view.
        shift: The term that the prior then adds to them, ``(C,)``.
    """

    class_counts: Tensor | None = None
    row_ids: Tensor | None = None
    progress: float | Tensor | None = None
    teacher_logits: Tensor | None = None
    features: Tensor | None = None
    mask: Tensor | None = None
    norms: Tensor | None = None
    memory: Tensor | None = None
    scale: Tensor | None = None
    shift: Tensor | None = None

    def require(self, names: tuple[str, ...], *, loss: str) -> None:
        """Check that the context has the fields that a loss needs.

        Raises:
            InputError: If one of them is None.

        Examples:
            >>> LossContext(progress=0.5).require(("progress",), loss="elr")
        """
        for name in names:
            if getattr(self, name) is None:
                raise InputError(f"{loss} must be given {name}, but got LossContext.{name}=None.")

    def for_every_label(self) -> LossContext:
        """Return the context for logits with an axis of length 1 before the classes."""
        per_class = ("class_counts", "norms", "memory", "scale", "shift")
        values = {name: getattr(self, name) for name in per_class}
        found = {name: value.unsqueeze(-2) for name, value in values.items() if value is not None}
        return replace(self, **found)


def tilted(inputs: Tensor, context: LossContext | None) -> Tensor:
    """Return the inputs of a softmax, scaled and shifted by the prior.

    Shape:
        ``(..., C)`` → ``(..., C)``.
    """
    if context is None:
        return inputs
    inputs = inputs if context.scale is None else inputs * context.scale
    return inputs if context.shift is None else inputs + context.shift


CONTEXT_FIELDS = tuple(field.name for field in fields(LossContext))


def neutral_context(logits: Tensor, class_counts: Tensor, *, norm: float = 10.0) -> LossContext:
    """Return a context with neutral values, for a loss outside of a training run.

    Args:
        logits: The logits; teacher and memory make the same predictions.
        class_counts: Training rows of each class.
        norm: Norm of the features times that of each class's weights.

    Shape:
        - logits: ``(N, C)``
        - class_counts: ``(C,)``
    """
    fixed = logits.detach()
    n_rows = len(fixed)
    return LossContext(
        class_counts=class_counts,
        row_ids=torch.arange(n_rows),
        progress=1.0,
        teacher_logits=fixed,
        features=torch.ones(n_rows, 8, dtype=fixed.dtype),
        mask=torch.ones(n_rows, dtype=torch.bool),
        norms=torch.full_like(fixed, norm),
        memory=fixed.softmax(-1),
    )
