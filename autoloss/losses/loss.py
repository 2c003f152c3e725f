"""A declared loss: its values per example, and the facts that search, report and tests read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from autoloss.core.errors import InputError, closest
from autoloss.core.task import TaskKind
from autoloss.losses.context import LossContext
from autoloss.losses.from_gradients import by_gradient, local_log_posterior, log_posterior
from autoloss.losses.guards import (
    check_kind,
    check_logits,
    given_to_masked,
    holds,
    is_masked,
    masked_label,
    no_masks,
    without_infinity,
    wrong_label,
)
from autoloss.losses.labels import EVERY, pick
from autoloss.losses.numerics import MASKED, log_softmax, widened
from autoloss.losses.parameters import Parameter

Family = Literal["proper", "margin", "focusing", "robust", "ordinal", "normalised", "own"]
"""The purpose of a loss: a proper score; a margin between the classes; weight on hard or on easy
examples; wrong labels; classes in an order; logits of bounded norm; or a custom loss."""
Head = Literal["linear", "unbiased", "cosine"]
"""The last layer that a loss is made for; see `declare`."""

# Every loss has a finite read-out for logits down to this value.
_LOW = -1e4


@dataclass(frozen=True)
class Special:
    """A setting at which a loss equals another: ``loss(at) = times * equals(using)``.

    Args:
        at: Parameters of this loss; its other parameters may have any value.
        equals: Name of the other loss.
        using: Parameters of the other loss; their defaults where left out.
        times: The factor between the losses.
    """

    at: Mapping[str, float]
    equals: str
    using: Mapping[str, float] = field(default_factory=dict)
    times: float = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class Loss:
    """A base loss, made by `declare`.

    A call on tensors returns a value per example, in nats if the loss has a unit. Targets are
    classes, or class probabilities in the shape of the logits; probabilities give the expectation
    of the loss over the label.

    Args:
        name: The name in its paper.
        function: The formula, of ``(logits, targets)``, or of ``(log_p,)`` if `local`.
        parameters: Its parameters by name.
        source: Its paper.
        family: Its purpose.

    `declare` describes the other fields.

    Shape:
        ``logits (B, C)``, ``targets (B,)``, numbers → ``(B,)``; stacked: ``logits (K, B, C)``,
        ``targets (K, B)`` or ``(B,)``, parameters ``(K, 1)`` → ``(K, B)``. There may be more axes
        before the classes, such as positions; parameters then have one for each, ``(K, 1, 1)``.

    Examples:
        >>> from autoloss.losses import get
        >>> focal = get("focal")
        >>> focal(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), gamma=2.0)
        tensor([0.0485])
    """

    name: str
    function: Callable[..., Tensor]
    parameters: Mapping[str, Parameter]
    source: str
    family: Family
    use: str
    tasks: tuple[TaskKind, ...]
    special: tuple[Special, ...] = ()
    proper: bool = False
    link: Callable[..., Tensor] | None = None
    local: bool = False
    symmetric: bool = True
    masked: bool = False
    head: Head = "linear"
    view: Callable[..., Tensor] | None = None
    needs: tuple[str, ...] = ()
    memory: Callable[..., Tensor] | None = None
    aliases: tuple[str, ...] = ()
    same_as: str | None = None

    def __call__(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        context: LossContext | None = None,
        **parameters: float | Tensor,
    ) -> Tensor:
        """Return the loss of every example.

        Args:
            logits: Raw scores.
            targets: Classes (whole numbers), or class probabilities (floats of the logits' shape).
            context: The fields that the loss `needs`.
            **parameters: Parameters of the loss, numbers or stacked tensors; their defaults where
                left out.

        If `masked`, a logit of minus infinity removes its class.

        Raises:
            InputError: If a parameter is unknown or not allowed, a shape does not fit, a label is
                not a class, a logit is minus infinity but not allowed to be, or the context lacks
                a field.
        """
        context = self._complete(context)
        logits = widened(logits)
        check_logits(logits, targets, "multiclass")
        ready = self._ready(logits, parameters)
        soft = targets.is_floating_point()
        shape = logits.shape if soft else logits.shape[:-1]
        if targets.ndim == 0 or targets.shape != shape[-targets.ndim :]:
            check_kind(targets, logits, "multiclass")
        targets = targets.expand(shape) if soft else targets.long().expand(shape)
        logits = self._unmasked(logits, targets)
        if not soft:
            return self.of_labels(logits, targets, ready, context=context)
        every = self.of_every_label(
            logits, {name: value[..., None] for name, value in ready.items()}, context=context
        )
        return (targets.to(every.dtype) * every).sum(-1)

    def _unmasked(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return logits that are finite for masked classes, after a check of labels and logits."""
        if not targets.is_floating_point():
            wrong = (targets < 0) | (targets >= logits.shape[-1])
            if holds(wrong):
                raise wrong_label(targets, wrong, logits, "multiclass", missing=())
        masked = is_masked(logits)
        if holds(masked):
            if not self.masked:
                raise no_masks(self.name)
            if holds(lost := given_to_masked(targets, masked, "multiclass")):
                raise masked_label(lost)
        return without_infinity(logits, masked) if self.masked else logits

    def of_labels(
        self,
        logits: Tensor,
        targets: Tensor,
        parameters: Mapping[str, Tensor],
        *,
        context: LossContext | None = None,
    ) -> Tensor:
        """Return the loss of every example, without checks.

        Args:
            logits: Raw scores.
            targets: Classes, int64.
            parameters: All parameters, as tensors.
            context: Passed on to a loss with `needs`.

        Shape:
            ``(K, B, C)``, ``(K, B)``, ``(K, 1)`` → ``(K, B)``.
        """
        if self.local:
            return self.function(pick(log_softmax(logits), targets), **parameters)
        return self.function(logits, targets, **parameters, **self._with(context))

    def of_every_label(
        self,
        logits: Tensor,
        parameters: Mapping[str, Tensor],
        *,
        context: LossContext | None = None,
    ) -> Tensor:
        """Return the loss of every example under every label, without checks.

        An example costs O(C) for a local loss, up to O(C²) for others.

        Shape:
            ``(K, B, C)``, parameters ``(K, 1, 1)`` → ``(K, B, C)``.
        """
        if self.local:
            return self.function(log_softmax(logits), **parameters)
        context = None if context is None else context.for_every_label()
        return self.of_labels(logits.unsqueeze(-2), EVERY, parameters, context=context)

    def readout(
        self,
        logits: Tensor,
        *,
        context: LossContext | None = None,
        **parameters: float | Tensor,
    ) -> Tensor:
        """Return the log posterior by which the expected loss is least at these logits.

        It is exact if `has_exact_readout`; other losses return the log-softmax.

        Args:
            logits: Raw scores.
            context: The fields that the loss `needs`; a trained candidate has class counts alone.
            **parameters: As in the call.

        Shape:
            ``(..., C)`` → ``(..., C)``.

        Examples:
            >>> from autoloss.losses import get
            >>> get("focal").readout(torch.tensor([[2.1972, 0.0]]), gamma=2.0).exp()
            tensor([[0.9974, 0.0026]])
        """
        logits = widened(logits)
        masked = is_masked(logits)
        if is_cut := self.masked and holds(masked):
            # The read-out is finite for logits this low; the class is removed from its result.
            logits = logits.masked_fill(masked, _LOW)
        ready = self._ready(logits, parameters)
        if self.link is not None and self.link is not by_gradient:
            context = self._complete(context)
        per_class = {name: value[..., None] for name, value in ready.items()}
        found = self.log_posterior(logits, per_class, context=context)
        return log_softmax(found.masked_fill(masked, MASKED)) if is_cut else found

    def log_posterior(
        self,
        logits: Tensor,
        parameters: Mapping[str, Tensor],
        *,
        context: LossContext | None = None,
    ) -> Tensor:
        """Return the log posterior of `readout`, without checks.

        Shape:
            ``(K, N, C)``, parameters ``(K, 1, 1)`` → ``(K, N, C)``.
        """
        if self.link is None:
            return log_softmax(logits)
        if self.link is by_gradient and self.local:
            return local_log_posterior(lambda log_p: self.function(log_p, **parameters), logits)
        if self.link is by_gradient:
            return log_posterior(
                lambda z: self.of_every_label(z, parameters, context=context), logits
            )
        return self.link(logits, **parameters, **self._with(context))

    def viewed(
        self,
        logits: Tensor,
        parameters: Mapping[str, Tensor],
        *,
        context: LossContext | None = None,
    ) -> Tensor:
        """Return the inputs of the loss's softmax, without checks.

        Shape:
            ``(K, B, C)``, parameters ``(K, 1, 1)`` → ``(K, B, C)``.
        """
        if self.view is None:
            return logits
        return self.view(logits, **parameters, **self._with(context))

    def gradient_scale(
        self, n_classes: int, *, context: LossContext | None = None, **parameters: float
    ) -> float:
        """Return the gradient on the true logit at equal logits, in units of cross-entropy's.

        A learning rate tuned for cross-entropy suits this loss when divided by it.

        Examples:
            >>> from autoloss.losses import get
            >>> round(get("generalized_cross_entropy").gradient_scale(10, q=0.7), 3)
            0.2
        """
        logits = torch.zeros(1, n_classes, dtype=torch.float64, requires_grad=True)
        targets = torch.zeros(1, dtype=torch.int64)
        ready = self._ready(logits, parameters)
        value = self.of_labels(logits, targets, ready, context=self._complete(context)).sum()
        (gradient,) = torch.autograd.grad(value, logits)
        return -float(gradient[0, 0]) / (1.0 - 1.0 / n_classes)

    @property
    def has_exact_readout(self) -> bool:
        """Return whether the true posterior can be read from the logits at the minimum."""
        return self.proper or self.link is not None

    @property
    def summary(self) -> str:
        """Return the first line of its description."""
        return self.doc.partition("\n")[0]

    @property
    def doc(self) -> str:
        """Return its description."""
        return self.function.__doc__ or ""

    def _with(self, context: LossContext | None) -> dict[str, Any]:
        """Return the argument `context` if the functions of the loss take it."""
        return {"context": context} if self.needs or self.view is not None else {}

    def _complete(self, context: LossContext | None) -> LossContext | None:
        """Return the context after a check that it has the fields that the loss needs."""
        if self.needs:
            (context or LossContext()).require(self.needs, loss=self.name)
        return context

    def _ready(self, logits: Tensor, given: Mapping[str, float | Tensor]) -> dict[str, Tensor]:
        """Return all parameters as tensors that broadcast against the values."""
        for name in given:
            if name not in self.parameters:
                known = closest(name, self.parameters) if self.parameters else "; it has none."
                raise InputError(f"{self.name} must get known parameters, but got {name}{known}")
        return {
            name: _tensor(name, given.get(name, parameter.default), parameter, logits)
            for name, parameter in self.parameters.items()
        }

    def __repr__(self) -> str:
        return f"<loss {self.name}>"

    def __reduce__(self) -> str:
        # In its module the loss has the name of its function, so the function cannot be pickled; a
        # pickle holds the name instead. `own` pickles the losses that it registers.
        return self.name


def _tensor(name: str, value: float | Tensor, parameter: Parameter, logits: Tensor) -> Tensor:
    """Return a checked parameter as a tensor with the dtype and device of the logits."""
    if not isinstance(value, Tensor):
        numbers: list[object] = [value]
    else:
        numbers = value.detach().flatten().tolist()
        if value.ndim not in (0, logits.ndim - 1):
            rule = "be a number or have an axis less than the logits, as (K, 1) for (K, B, C)"
            raise InputError(f"{name} must {rule}, but got {name}.shape={tuple(value.shape)}.")
    for number in numbers:
        mistake = parameter.mistake(name, number)
        if mistake:
            raise InputError(mistake)
    return torch.as_tensor(value, dtype=logits.dtype, device=logits.device)
