"""Neighbouring candidates with the same base, whose losses are one expression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.losses.context import LossContext
from autoloss.losses.loss import Loss
from autoloss.losses.numerics import log_softmax
from autoloss.losses.registry import get
from autoloss.losses.spec import LossSpec
from autoloss.losses.targets import smooth, smoothed_values


@dataclass(frozen=True)
class Group:
    """Candidates with the same base.

    Args:
        loss: The base.
        size: Candidates, k.
        parameters: Parameters of the base, ``(k, 1)``.
        class_parameters: The same, ``(k, 1, 1)``.
        weights: Class weights ``(k, C)``, None where all are 1.
        epsilon: Label smoothing ``(k, 1)``, None where all are 0.
    """

    loss: Loss
    size: int
    parameters: dict[str, Tensor]
    class_parameters: dict[str, Tensor]
    weights: Tensor | None
    epsilon: Tensor | None

    @classmethod
    def make(cls, specs: Sequence[LossSpec], *, log_weights: Tensor, epsilon: Tensor) -> Group:
        """Return the group of some candidates.

        Args:
            specs: The candidates, of one base.
            log_weights: Logarithm of their class weights, on the device and in the dtype to
                compute in.
            epsilon: Their label smoothing.

        Shape:
            ``log_weights (k, C)``, ``epsilon (k, 1)``.
        """
        loss = get(specs[0].base)
        columns = {
            name: [spec.base_parameters[name] for spec in specs] for name in loss.parameters
        }
        parameters = {
            name: torch.tensor(column, dtype=epsilon.dtype, device=epsilon.device)[:, None]
            for name, column in columns.items()
        }
        return cls(
            loss=loss,
            size=len(specs),
            parameters=parameters,
            class_parameters={name: value[..., None] for name, value in parameters.items()},
            weights=log_weights.exp() if bool(log_weights.any()) else None,
            epsilon=epsilon if bool(epsilon.any()) else None,
        )

    def values(
        self,
        logits: Tensor,
        log_probs: Tensor,
        log_p: Tensor,
        targets: Tensor,
        *,
        context: LossContext | None = None,
    ) -> Tensor:
        """Return the loss of every example under its class.

        Args:
            logits: Scores of these candidates.
            log_probs: Their log-softmax.
            log_p: Its entry for the class.
            targets: Classes.
            context: Passed on to the base.

        Shape:
            ``(k, B, C)``, ``(k, B, C)``, ``(k, B)``, ``(k, B)`` → ``(k, B)``.
        """
        if self.epsilon is not None:
            every = self._every(logits, log_probs, context)
            weights = None if self.weights is None else self.weights[:, None]
            return smoothed_values(every, targets, self.epsilon, weights)
        if self.loss.local:
            values = self.loss.function(log_p, **self.parameters)
        else:
            values = self.loss.of_labels(logits, targets, self.parameters, context=context)
        return values if self.weights is None else values * self.weights.gather(1, targets)

    def expected_values(
        self,
        logits: Tensor,
        log_probs: Tensor,
        targets: Tensor,
        *,
        context: LossContext | None = None,
    ) -> Tensor:
        """Return the expected loss of every example whose label is given as class probabilities.

        Shape:
            ``logits``, ``log_probs`` and ``targets (k, B, C)`` → ``(k, B)``.
        """
        if self.epsilon is not None:
            targets = smooth(targets, self.epsilon[..., None])
        if self.weights is not None:
            targets = targets * self.weights[:, None]
        return (targets * self._every(logits, log_probs, context)).sum(-1)

    def link(self, logits: Tensor) -> Tensor:
        """Return the log posterior by the base's own read-out alone.

        Shape:
            ``(k, N, C)`` → ``(k, N, C)``.
        """
        if self.loss.link is None:
            return log_softmax(logits)
        return self.loss.link(logits, **self.class_parameters)

    def _every(self, logits: Tensor, log_probs: Tensor, context: LossContext | None) -> Tensor:
        """Return the loss of every example under every label."""
        if self.loss.local:
            return self.loss.function(log_probs, **self.class_parameters)
        return self.loss.of_every_label(logits, self.class_parameters, context=context)
