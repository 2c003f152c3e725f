"""What stands around a base loss, and how a penalty is declared."""

from __future__ import annotations

import functools
import inspect
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


def declare_penalty(
    *,
    source: str,
    use: str,
    tasks: tuple[TaskKind, ...] = ALL_TASKS,
    readable: Readable = "lost",
    masked: bool = True,
    **parameters: Parameter,
) -> Callable[[Callable[..., Tensor]], Penalty]:
    """Make a penalty of a function; it has the function's name.

    The function is ``f(scored, *, ...)`` of a `Scored` batch. It returns a value per item, ``(k,
    *items)``, or, where it is a statistic of the batch, one per candidate with every item's axis
    of length 1 (per label for labels of several yes and no, ``(k, 1, L)``). It leaves out the
    items without a label. The parameter `weight` is not its own: it multiplies the value.

    Args:
        source: Authors, year, title, where.
        use: When to use it, one sentence.
        tasks: The kinds of label that it has a form for.
        readable: ``"kept"`` where the minimum of the expected loss is that of the base (the
            penalty is least at the posterior itself); ``"slope"`` where the posterior can be read
            with the penalty's slope, which then must not depend on the label; ``"lost"``
            otherwise.
        masked: Whether it stays as it is where a class that has no chance gets a logit of minus
            infinity; where it does not, such logits are refused.
        **parameters: Its parameters, with axes for the items: ``(k, 1)`` or ``(k, 1, 1)``.
    """

    def decorate(function: Callable[..., Tensor]) -> Penalty:
        options = set(inspect.signature(function).parameters) - {"scored"}
        if "weight" not in parameters or options != set(parameters) - {"weight"}:
            raise TypeError(
                f"{function.__name__} must take the keywords it declares but for weight, "
                f"{sorted(set(parameters) - {'weight'})}, but got {sorted(options)}."
            )
        penalty = Penalty(
            name=function.__name__,
            summary=(function.__doc__ or "").partition("\n")[0],
            source=source,
            parameters=parameters,
            use=use,
            tasks=tasks,
            function=function,
            readable=readable,
            masked=masked,
        )
        for name in (*functools.WRAPPER_ASSIGNMENTS, "__wrapped__"):
            value = function if name == "__wrapped__" else getattr(function, name, None)
            object.__setattr__(penalty, name, value)
        return penalty

    return decorate
