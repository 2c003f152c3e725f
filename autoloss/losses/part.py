"""The parts around a base loss: priors, targets and penalties, and the batch of a penalty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from autoloss.core.task import ALL_TASKS, TaskKind
from autoloss.losses.parameters import Parameter

Readable = Literal["kept", "slope", "lost"]
"""What a penalty does to the read-out of the base; see `declare_penalty`."""


@dataclass(frozen=True)
class Part:
    """A prior, target or penalty.

    Args:
        name: Its name.
        summary: What it does, one line.
        source: Where it comes from.
        parameters: Its parameters.
        use: When to use it, one sentence.
        tasks: The kinds of label that it has a form for.
        needs: What it cannot do without: fields of `ClassFacts` or `LossContext`, or ``"mixup"``,
            a training loop that mixes the inputs.
        aliases: Other names of it, each with the parameters that the name stands for.
        masked: Whether classes may have a logit of minus infinity beside it.
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
    """What a penalty sees of a batch: items, which are examples, positions or labels.

    Args:
        logits: What the base puts into its softmax, float32 or float64.
        log_probs: Its log-softmax.
        targets: Classes, or class probabilities (floats).
        mask: Which items have a label; None for all.
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
        """Return how sure the network is of its decision, and the probability that it is right.

        Of several yes and no labels, the probability of yes, and that of the label itself.

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
class Penalty(Part):
    """A penalty, made by `declare_penalty`: ``weight`` times its function is added to the loss.

    Args:
        function: ``f(scored, **parameters without weight)``.
        readable: What it does to the read-out.

    The others are as in `Part`.
    """

    function: Callable[..., Tensor] = lambda: torch.empty(0)
    readable: Readable = "lost"

    @property
    def doc(self) -> str:
        """Return its description."""
        return self.function.__doc__ or ""
