"""The components beside a base loss: priors, targets and penalties; the batch of a penalty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from autoloss.core.task import ALL_TASKS, TaskKind
from autoloss.losses.parameters import Parameter

Readable = Literal["kept", "slope", "lost"]
"""The effect of a penalty on the read-out of the base; see `declare_penalty`."""


@dataclass(frozen=True)
class Component:
    """A prior, target or penalty.

    Args:
        name: Its name.
        summary: Its effect, one line.
        source: Its paper.
        parameters: Its parameters by name.
        use: When to use it, one sentence.
        tasks: The kinds of label that it has a form for.
        needs: Its requirements: fields of `ClassFacts` or `LossContext`, or ``"mixup"`` for a
            training loop that mixes the inputs.
        aliases: Its other names, each with the parameters that the name implies.
        masked: Whether it supports masked classes, with a logit of minus infinity.
    """

    name: str
    summary: str
    source: str
    parameters: Mapping[str, Parameter]
    use: str = ""
    tasks: tuple[TaskKind, ...] = ALL_TASKS
    needs: tuple[str, ...] = ()
    aliases: Mapping[str, Mapping[str, float]] | None = None
    masked: bool = True


@dataclass(frozen=True, eq=False)
class Scored:
    """A scored batch, as a penalty reads it: items, which are examples, positions or labels.

    Args:
        logits: Inputs of the base's softmax, float32 or float64.
        log_probs: Their log-softmax.
        targets: Classes, or class probabilities (floats).
        mask: Whether each item has a label; None for all.
        task: The kind of label.

    Shape:
        ``logits`` and ``log_probs (k, B, C)``, ``(k, B, T, C)`` or ``(k, B, L, 2)``; ``targets``
        the same without the classes, or with them as probabilities; ``mask`` broadcasts against
        the items.
    """

    logits: Tensor
    log_probs: Tensor
    targets: Tensor
    mask: Tensor | None = None
    task: TaskKind = "multiclass"

    def weights(self) -> Tensor:
        """Return 1 for every item that has a label and 0 for the others, ``(k, *items)``."""
        items = self.logits.shape[:-1]
        if self.mask is None:
            return self.logits.new_ones(items)
        return self.mask.to(self.logits.dtype).expand(items)

    def confidence_and_hit(self) -> tuple[Tensor, Tensor]:
        """Return the confidence of each decision, and the probability that it is right.

        For several yes-or-no labels, these are the probability of yes and the label.

        Shape:
            both ``(k, *items)``.
        """
        probs = self.log_probs.exp()
        if self.task == "multilabel":
            confidence, decided = probs[..., 1], torch.ones_like(probs[..., 1], dtype=torch.int64)
        else:
            confidence, decided = probs.max(-1)
        if not self.targets.is_floating_point():
            return confidence, (decided == self.targets).to(confidence.dtype)
        hit = self.targets.gather(-1, decided.unsqueeze(-1)).squeeze(-1)
        return confidence, hit.to(confidence.dtype)


@dataclass(frozen=True, eq=False)
class Penalty(Component):
    """A penalty, made by `declare_penalty`; it adds ``weight`` times its function to the loss.

    Args:
        function: ``f(scored, **parameters without weight)``.
        readable: Its effect on the read-out.

    `Component` describes the other fields.
    """

    function: Callable[..., Tensor] = lambda: torch.empty(0)
    readable: Readable = "lost"

    @property
    def doc(self) -> str:
        """Return its description."""
        return self.function.__doc__ or ""
