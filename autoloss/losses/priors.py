"""The terms of priors for all candidates: weights, scales and shifts, finite for empty classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses.facts import ClassFacts
from autoloss.losses.spec_data import SpecData

STARTS = ("class_weight.start", "effective_number.start", "given_weights.start")
"""The keys of the share of the training after which class weights count."""


@dataclass(frozen=True)
class PriorTerms:
    """The priors of K candidates, neutral for candidates without a prior, float64 on the CPU.

    Args:
        log_weights: Logarithm of the class weights.
        scale: Factor of the logits.
        shift: Term that is then added to them.

    Shape:
        all ``(K, C)``; multi-label ``(K, L, 2)``.
    """

    log_weights: Tensor
    scale: Tensor
    shift: Tensor

    @classmethod
    def of(cls, specs: Sequence[SpecData], facts: ClassFacts) -> PriorTerms:
        """Return the priors of some losses.

        Raises:
            InputError: If a prior needs class weights that are not given.
        """

        def column(key: str) -> Tensor:
            numbers = [spec.get(key, 0.0) for spec in specs]
            return torch.tensor(numbers, dtype=torch.float64).view(-1, *[1] * facts.own_axes)

        counts = facts.counts
        power, decay = column("class_weight.power"), column("effective_number.decay")
        log_weights = log_class_weights(counts, power) + log_effective_weights(counts, decay)
        given = column("given_weights.power")
        if bool(given.any()):
            if facts.weights is None:
                raise InputError(
                    "class_weights must be given for prior='given_weights', but got None."
                )
            log_weights = log_weights + log_given_weights(counts, facts.weights, given)
        return cls(
            log_weights=log_weights,
            scale=vector_scale(counts, column("vector_scaling.gamma")),
            shift=logit_adjustment(
                counts, column("logit_adjust.tau") + column("vector_scaling.tau")
            ),
        )


def log_class_weights(class_counts: Tensor, power: Tensor) -> Tensor:
    """Return the logarithm of class weights proportional to ``n_c ** -power``.

    They are scaled so that ``sum_c π_c w_c = 1`` with the shares π of the training rows. The mean
    weight of an example is then 1, and the gradient keeps its scale. A `power` of 1 gives
    scikit-learn's ``"balanced"`` weights.

    Args:
        class_counts: Training rows of each class.
        power: 0 for no weights.

    Shape:
        ``class_counts (C,) or (K, C)``, ``power (K, 1)`` → ``(K, C)``.

    Examples:
        >>> log_class_weights(torch.tensor([90.0, 10.0]), torch.ones(1, 1)).exp()
        tensor([[0.5556, 5.0000]])
    """
    log_weights = -power * _without_zeros(class_counts).log()
    return _of_mean_one(class_counts, log_weights).masked_fill(power == 0, 0.0)


def log_effective_weights(class_counts: Tensor, decay: Tensor) -> Tensor:
    """Return the logarithm of class weights by the effective number of samples.

    ``w_c`` is proportional to ``(1 - b) / (1 - b^n_c)`` with ``b = 1 - decay``: no weights at
    ``decay = 1``, inverse counts as it tends to 0. The scale is that of `log_class_weights`.

    Args:
        class_counts: Training rows of each class.
        decay: Relative loss of value with each further sample of a class; 0 for no weights.

    Shape:
        ``class_counts (C,) or (K, C)``, ``decay (K, 1)`` → ``(K, C)``.

    Examples:
        >>> log_effective_weights(torch.tensor([90.0, 10.0]), torch.full((1, 1), 0.01)).exp()
        tensor([[0.6568, 4.0889]])
    """
    kept = torch.log1p(-decay.clamp(1e-15, 1.0))
    # n log b is 0 times -inf for decay = 1.
    samples = _without_zeros(class_counts)
    log_weights = -torch.log(-torch.expm1((samples * kept).clamp_max(-1e-300)))
    return _of_mean_one(class_counts, log_weights).masked_fill(decay == 0, 0.0)


def log_given_weights(class_counts: Tensor, weights: Tensor, power: Tensor) -> Tensor:
    """Return the logarithm of given class weights to a power, scaled as `log_class_weights`.

    Shape:
        ``class_counts (C,) or (K, C)``, ``weights (C,)``, ``power (K, 1)`` → ``(K, C)``.
    """
    return _of_mean_one(class_counts, power * weights.log()).masked_fill(power == 0, 0.0)


def logit_adjustment(class_counts: Tensor, tau: Tensor) -> Tensor:
    """Return the term that logit adjustment adds to the logits in training, ``tau * log π_c``.

    Args:
        class_counts: Training rows of each class.
        tau: 0 for no adjustment.

    Shape:
        ``class_counts (C,) or (K, C)``, ``tau (K, 1)`` → ``(K, C)``.

    Examples:
        >>> logit_adjustment(torch.tensor([90.0, 10.0]), torch.ones(1, 1))
        tensor([[-0.1054, -2.3026]])
    """
    counts = _without_zeros(class_counts)
    return tau * (counts / class_counts.sum(-1, keepdim=True)).log()


def vector_scale(class_counts: Tensor, gamma: Tensor) -> Tensor:
    """Return the factor of the logits by vector scaling, ``(n_c / n_max) ** gamma``.

    Shape:
        ``class_counts (C,) or (K, C)``, ``gamma (K, 1)`` → ``(K, C)``.

    Examples:
        >>> vector_scale(torch.tensor([90.0, 10.0]), torch.full((1, 1), 0.5))
        tensor([[1.0000, 0.3333]])
    """
    counts = _without_zeros(class_counts)
    return (counts / counts.amax(-1, keepdim=True)) ** gamma


def _of_mean_one(class_counts: Tensor, log_weights: Tensor) -> Tensor:
    """Return log weights shifted so that the mean weight of a training row is 1."""
    log_shares = (class_counts / class_counts.sum(-1, keepdim=True)).log()
    return log_weights - (log_shares + log_weights).logsumexp(-1, keepdim=True)


def _without_zeros(counts: Tensor) -> Tensor:
    """Return counts in which an empty class has one row, or the least count if that is below 1."""
    least = counts.masked_fill(counts == 0, 1.0).amin(-1, keepdim=True).clamp_max(1.0)
    return torch.where(counts == 0, least, counts)
