"""The Fenchel-Young losses of softmax, entmax and sparsemax."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.loss import Special
from autoloss.losses.numerics import log_softmax, softmax
from autoloss.losses.parameters import ChoiceParam

# The probability that the read-out gives to a class with probability 0, for a finite logarithm.
_FLOOR = 1e-12


@torch.no_grad()
def _roots(below_top: Tensor, alpha: Tensor) -> Tensor:
    """Return ``p^(α-1) = max(0, (α-1) z - τ)`` with the τ for which the p of α-entmax sum to 1.

    For α = 1.5 and 2 the threshold τ has a closed form, given the classes above it. These are the
    longest run of the sorted logits whose last logit lies above the τ of the run.

    Args:
        below_top: Logits minus their maximum.
        alpha: 1.5 or 2; the result has no meaning at other values.

    Shape:
        ``below_top (..., C)``, ``alpha (..., 1)`` → ``(..., C)``.
    """
    scaled = (alpha - 1.0) * below_top
    falling = scaled.sort(-1, descending=True).values
    size = torch.arange(1, scaled.shape[-1] + 1, device=scaled.device, dtype=scaled.dtype)
    mean = falling.cumsum(-1) / size
    spread = falling.square().cumsum(-1) - size * mean.square()
    square_root = ((1.0 - spread).clamp_min(0.0) / size).sqrt()
    every = mean - torch.where(alpha == 2.0, 1.0 / size, square_root)
    # The floor is for NaN logits, which must not raise an error for the other candidates.
    last = ((every < falling).sum(-1, keepdim=True) - 1).clamp_min(0)
    threshold = every.gather(-1, last)
    # A Newton step, because the sums over many classes cancel in float32.
    roots = (scaled - threshold).relu()
    slope = torch.where(alpha == 2.0, (roots > 0.0).to(roots.dtype), 2.0 * roots)
    excess = (roots * roots.where(alpha != 2.0, 1.0)).sum(-1, keepdim=True) - 1.0
    return (scaled - threshold - excess / slope.sum(-1, keepdim=True)).relu()


@torch.no_grad()
def _conjugate(below_top: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Return α-entmax p, and ``<p, z> + H(p)``, whose maximum is at p.

    Shape:
        ``below_top (..., C)``, ``alpha (..., 1)`` → ``(..., C)``, ``(...)``.
    """
    roots = _roots(below_top, alpha)
    sparse = roots * roots.where(alpha != 2.0, 1.0)
    # H(p) = sum_k p_k (1 - p_k^(α-1)) / (α (α-1)), the entropy of Tsallis.
    share = torch.where(alpha == 1.0, 1.0, alpha * (alpha - 1.0))
    largest = (sparse * (below_top + (1.0 - roots) / share)).sum(-1)
    is_softmax = alpha == 1.0
    probs = torch.where(is_softmax, softmax(below_top), sparse)
    return probs, torch.where(is_softmax.squeeze(-1), below_top.logsumexp(-1), largest)


def log_sparsemax(logits: Tensor) -> Tensor:
    """Return the logarithm of the distribution nearest to the logits, at least 1e-12 per class.

    Shape:
        ``(..., C)`` → ``(..., C)``.
    """
    below_top = logits - logits.amax(-1, keepdim=True)
    probs = _roots(below_top, torch.full_like(below_top[..., :1], 2.0))
    return log_softmax(probs.clamp_min(_FLOOR).log())


def entmax_link(logits: Tensor, *, alpha: Tensor) -> Tensor:
    """Return the log posterior, α-entmax; at least 1e-12 per class for α above 1."""
    probs, _ = _conjugate(logits - logits.amax(-1, keepdim=True), alpha)
    return log_softmax(torch.where(alpha == 1.0, logits, probs.clamp_min(_FLOOR).log()))


@declare(
    source="Blondel et al. 2020, Learning with Fenchel-Young Losses, JMLR 21(35); Peters et al. "
    "2019, Sparse Sequence-to-Sequence Models, ACL, arXiv:1905.05702; at α = 2 Martins and "
    "Astudillo 2016, From Softmax to Sparsemax, ICML, arXiv:1602.02068",
    family="proper",
    masked=True,
    use="Many classes, mostly impossible, and learnt examples that should stop contributing.",
    link=entmax_link,
    special=(Special(at={"alpha": 1.0}, equals="cross_entropy"),),
    alpha=ChoiceParam((1.0, 1.5, 2.0), default=1.5),
)
def entmax(logits: Tensor, targets: Tensor, *, alpha: Tensor) -> Tensor:
    """Loss of a sparse softmax, in which a class can have probability 0; 0 at a sure hit.

    ``L = <p, z> + H(p) - z_y``, where p is α-entmax of z, the maximum of ``<p, z> + H(p)``, with
    ``H(p) = (1 - sum_k p_k^α) / (α (α-1))``. It is cross-entropy at α = 1 and the sparsemax loss
    at α = 2. The gradient is ``p - u``; there is no second derivative. It is strictly proper in p.

    Args:
        logits: Raw scores.
        targets: Labels.
        alpha: 1 (softmax), 1.5 or 2 (sparsemax); the higher, the sparser.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> entmax(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), alpha=1.5)
        tensor([0.0617])
    """
    below_top = logits - logits.detach().amax(-1, keepdim=True)
    fixed = below_top.detach()
    probs, largest = _conjugate(fixed, alpha[..., None])
    # This adds 0 to the value and p to the gradient: the slope on p is 0 at its maximum.
    largest = largest + (probs * (below_top - fixed)).sum(-1)
    return largest - pick(below_top, targets)
