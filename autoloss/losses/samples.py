"""Random inputs for trying losses: logits that a head can give, labels and contexts."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from autoloss.losses.context import LossContext
from autoloss.losses.loss import Loss

_OF_CLASSES = ("class_counts", "teacher_logits", "norms", "memory")
_OF_LOGITS = ("teacher_logits", "norms", "memory", "mask")
_OF_EXAMPLES = ("row_ids", "features")


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    """Return normal numbers in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64) * scale


def draw_labels(*shape: int, n_classes: int, seed: int = 1) -> Tensor:
    """Return labels."""
    return torch.randint(n_classes, shape, generator=torch.Generator().manual_seed(seed))


def logits_for(loss: Loss, *shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    """Return logits that the head of a loss can give, in float64."""
    return within_head(loss, draw(*shape, seed=seed, scale=scale))


def within_head(loss: Loss, logits: Tensor) -> Tensor:
    """Return the logits, mapped to cosines for a loss with a cosine head."""
    return 0.95 * logits.tanh() if loss.head == "cosine" else logits


def sizes_for(loss: Loss, *sizes: int) -> tuple[int, ...]:
    """Return the numbers of classes, nearest to `sizes`, that the tasks of a loss allow."""
    most = max(sizes) if {"multiclass", "sequence"} & set(loss.tasks) else 2
    least = 2 if {"binary", "multilabel"} & set(loss.tasks) else 3
    return tuple(dict.fromkeys(min(max(size, least), most) for size in sizes))


def context_for(loss: Loss, logits: Tensor, *, seed: int = 7) -> LossContext | None:
    """Return a context with every field for these logits; None for a loss that needs no context.

    Shape:
        ``(B, C)``, ``(K, B, C)`` or ``(K, B, T, C)``, also of its fields.
    """
    if not loss.needs:
        return None
    dtype, n_classes = logits.dtype, logits.shape[-1]
    n_examples = logits.shape[1] if logits.ndim == 4 else logits.shape[-2]
    drawn = draw(*logits.shape, seed=seed)
    return LossContext(
        class_counts=10.0 * torch.arange(n_classes, 0, -1, dtype=dtype),
        row_ids=torch.arange(n_examples),
        progress=0.7,
        teacher_logits=drawn.to(dtype),
        features=draw(n_examples, 8, seed=seed).to(dtype),
        mask=torch.ones(logits.shape[:-1], dtype=torch.bool),
        # A logit is the product of this norm and a cosine.
        norms=(logits.detach().abs() * (1.0 + drawn.abs()) + 0.5).to(dtype),
        memory=drawn.softmax(-1).to(dtype),
    )


def part_of(
    context: LossContext | None, index: object, *, examples: object = slice(None)
) -> LossContext | None:
    """Return the context for ``logits[index]``.

    Args:
        context: A context of `context_for`.
        index: The index into the logits, without their class axis.
        examples: The index of the examples.

    Examples:
        >>> from autoloss.losses import get
        >>> part_of(context_for(get("focal"), torch.zeros(4, 3)), slice(1))
    """
    if context is None:
        return None
    found = {name: getattr(context, name)[index] for name in _OF_LOGITS}
    found |= {name: getattr(context, name)[examples] for name in _OF_EXAMPLES}
    return replace(context, **found)


def reordered(context: LossContext | None, order: Tensor) -> LossContext | None:
    """Return the context for ``logits[..., order]``, with the classes in another order."""
    if context is None:
        return None
    return replace(context, **{name: getattr(context, name)[..., order] for name in _OF_CLASSES})
