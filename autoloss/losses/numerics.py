"""Expressions of log-probabilities that stay finite and exact at extreme values."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# With fewer classes, the CPU kernels over the last axis do not fill a vector register; with the
# classes first the same softmax takes a half (C = 2) to a fifth (C = 10) of the time.
_FEW_CLASSES = 16
# The logit of a masked class. It is so low that a softmax gives the class neither probability nor
# slope, and its third power is finite. The heaviest allowed tail, bi_tempered at t2 = 4, gives it
# 1e-4.
MASKED = -1e12


def log_softmax(logits: Tensor) -> Tensor:
    """Return the log-softmax over the classes, fast also for a few of them on a CPU.

    Shape:
        ``(..., C)`` → ``(..., C)``.
    """
    if logits.shape[-1] < _FEW_CLASSES and logits.device.type == "cpu":
        return logits.movedim(-1, 0).log_softmax(0).movedim(0, -1)
    return logits.log_softmax(-1)


def softmax(logits: Tensor) -> Tensor:
    """Return the softmax over the classes, fast also for a few of them on a CPU.

    Shape:
        ``(..., C)`` → ``(..., C)``.
    """
    if logits.shape[-1] < _FEW_CLASSES and logits.device.type == "cpu":
        return logits.movedim(-1, 0).softmax(0).movedim(0, -1)
    return logits.softmax(-1)


def widened(logits: Tensor) -> Tensor:
    """Return 16-bit numbers in float32, because exponentials and their sums need the precision."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def is_present(logits: Tensor) -> Tensor:
    """Return which classes are not masked, for a loss that reads more than their softmax."""
    return logits > 0.5 * MASKED


def miss_probs(log_p: Tensor) -> Tensor:
    """Return ``1 - p`` from ``log p``, at least the smallest positive number.

    For a learnt example ``1 - p`` underflows to 0, where its powers and its logarithm have no
    finite slope.

    Args:
        log_p: Log-probabilities, any shape.
    """
    return -torch.expm1(log_p.clamp_max(-torch.finfo(log_p.dtype).tiny))


def log_miss_probs(log_probs: Tensor) -> Tensor:
    """Return ``log(1 - p)`` for every class, exact even if p rounds to 1.

    For the likeliest class it is the logarithm of a sum, over the other classes, that does not
    cancel; the others have ``p <= 1/2``.

    Args:
        log_probs: Log-probabilities that sum to 1 over the last axis.

    Shape:
        ``(..., C)`` → ``(..., C)``.
    """
    top = log_probs.argmax(-1, keepdim=True)
    others = log_probs.scatter(-1, top, -torch.inf)
    return torch.log1p(-others.exp()).scatter(-1, top, others.logsumexp(-1, keepdim=True))


def margin_log_loss(log_p: Tensor, log_miss: Tensor, margin: Tensor) -> Tensor:
    """Return ``-log p`` of the true class with its logit lowered by a margin.

    ``margin - log p + log(1 - p + p e^(-margin))``, in a form that keeps all digits if p or the
    loss is near 0 or the margin is large.

    Args:
        log_p: Log-probability of the true class without the margin.
        log_miss: ``log(1 - p)``.
        margin: Margin in logits, at least 0, in a shape that broadcasts.
    """
    # From 40 on, log(1 + e^x) is x to the last digit of float64; torch stops at 20.
    return functional.softplus(margin + (log_miss - log_p), threshold=40.0)


def divided_expm1(x: Tensor, a: Tensor) -> Tensor:
    """Return ``(exp(a x) - 1) / a``, and its limit x at ``a = 0``.

    Args:
        x: Any shape.
        a: At least 0, of a shape that broadcasts with `x`.
    """
    a = off_zero(a)
    return torch.expm1(a * x) / a


def divided_log1p(x: Tensor, a: Tensor) -> Tensor:
    """Return ``log(1 + a x) / a``, and its limit x at ``a = 0``.

    Args:
        x: Any shape, with ``a x > -1``.
        a: At least 0, of a shape that broadcasts with `x`.
    """
    a = off_zero(a)
    return torch.log1p(a * x) / a


def off_zero(a: Tensor) -> Tensor:
    """Return `a`, at least 1e-20 so that it can be a divisor.

    ``expm1`` and ``log1p`` of an argument this small equal the argument, to the last digit.
    """
    return a.clamp_min(1e-20)
