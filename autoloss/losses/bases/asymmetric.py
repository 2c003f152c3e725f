"""The asymmetric loss for several yes-or-no labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.loss import Special
from autoloss.losses.numerics import divided_log1p, log_softmax
from autoloss.losses.parameters import FloatParam, Interval


def _log_shifted(log_yes: Tensor, log_no: Tensor, m: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``log p_m`` and ``log(1 - p_m)`` for ``p_m = p - m``, and whether it is above 0.

    If it is not above 0, the logarithms are finite but have no meaning.

    Args:
        log_yes: ``log p``.
        log_no: ``log(1 - p)``.
        m: Shift, in a shape that broadcasts.
    """
    log_m = m.log()
    log_ratio = (log_m - log_yes).clamp_max(-torch.finfo(log_yes.dtype).eps)
    log_shifted = log_yes + torch.log(-torch.expm1(log_ratio))
    return log_shifted, torch.logaddexp(log_no, log_m), log_yes > log_m


def _log_slope(gamma: Tensor, log_focus: Tensor, log_miss: Tensor) -> Tensor:
    """Return ``log(q^γ + γ q^(γ-1) (1-q) (-log(1-q)))``, from ``log q`` and ``log(1 - q)``.

    It is the slope of ``-q^γ log(1-q)`` in q, times ``1 - q``.
    """
    # -(1-q) log(1-q) / q = log(1+v) / v with the odds v, 0 to the last digit where v is clamped.
    odds = (log_focus - log_miss).clamp_max(80.0).exp()
    return gamma * log_focus + torch.log1p(gamma * divided_log1p(torch.ones_like(odds), odds))


def asymmetric_link(logits: Tensor, *, gamma_pos: Tensor, gamma_neg: Tensor, m: Tensor) -> Tensor:
    """Return the log posterior, from the slopes under no and under yes.

    The log odds are ``log(g₋ / -g₊)``. For ``p <= m`` there is no slope under no, and yes has the
    lowest finite log probability. With ``γ₊ = 0`` and ``m > 0`` the log odds stay below a limit, η
    = 0.96 by default: the minimum for a likelier yes lies at infinity.
    """
    log_p = log_softmax(logits)
    log_no, log_yes = log_p[..., :1], log_p[..., 1:]
    log_shifted, log_rest, is_above = _log_shifted(log_yes, log_no, m)
    # g₊ = -(1-p) φ(1-p), and g₋ = p (1-p) φ(p_m) / (1-p_m), with φ from `_log_slope`.
    no = log_yes - log_rest + _log_slope(gamma_neg, log_shifted, log_rest)
    yes = _log_slope(gamma_pos, log_no, log_yes)
    lowest = (1.0 + gamma_neg) * math.log(torch.finfo(log_p.dtype).tiny)
    log_odds = (no - yes).where(is_above, lowest)
    return log_softmax(torch.cat([torch.zeros_like(log_odds), log_odds], -1))


@declare(
    source="Ridnik et al. 2021, Asymmetric Loss for Multi-Label Classification, ICCV, "
    "arXiv:2009.14119",
    family="focusing",
    masked=True,
    use="Several yes-or-no labels, when few are yes or some yes labels are missing.",
    tasks=("binary", "multilabel"),
    link=asymmetric_link,
    symmetric=False,
    special=(
        Special(at={"gamma_pos": 0.0, "gamma_neg": 0.0, "m": 0.0}, equals="cross_entropy"),
        Special(
            at={"gamma_pos": 2.0, "gamma_neg": 2.0, "m": 0.0}, equals="focal", using={"gamma": 2.0}
        ),
    ),
    gamma_pos=FloatParam(0.0, 2.0, default=1.0, valid=Interval(0.0, float("inf"))),
    gamma_neg=FloatParam(1.0, 6.0, default=4.0, valid=Interval(0.0, float("inf"))),
    m=FloatParam(0.0, 0.2, default=0.05, valid=Interval(0.0, 1.0, open_high=True)),
)
def asymmetric(
    logits: Tensor, targets: Tensor, *, gamma_pos: Tensor, gamma_neg: Tensor, m: Tensor
) -> Tensor:
    """Focal loss that fades out a "no" faster than a "yes" and ignores an easy "no".

    ``L = -(1 - p)^γ₊ log p`` for yes and ``L = -p_m^γ₋ log(1 - p_m)`` for no, with ``p_m = max(p -
    m, 0)`` and the probability p of class 1, yes; in nats per example. The weights are part of the
    gradient. At the minimum p is far above the posterior, so a threshold of 1/2 on p is wrong.

    Args:
        logits: Raw scores of no and yes.
        targets: Labels.
        gamma_pos: γ₊, the power that fades out a learnt yes, at least 0.
        gamma_neg: γ₋, the power that fades out a learnt no, usually larger than γ₊.
        m: Probability of yes up to which a no costs nothing, 0 to below 1.

    Shape:
        ``(K, B, 2)``, ``(K, B)``, ``(K, 1)`` each → ``(K, B)``.

    Raises:
        InputError: If there are not two classes.

    Examples:
        >>> asymmetric(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([1, 0]))
        tensor([0.0842, 0.2459])
    """
    if logits.shape[-1] != 2:
        raise InputError(
            "asymmetric must have the two classes no and yes, "
            f"but got logits.shape[-1]={logits.shape[-1]}."
        )
    log_p = log_softmax(logits)
    log_no, log_yes = log_p[..., 0], log_p[..., 1]
    log_shifted, log_rest, is_above = _log_shifted(log_yes, log_no, m)
    yes = -(gamma_pos * log_no).exp() * log_yes
    no = (-(gamma_neg * log_shifted).exp() * log_rest).where(is_above, 0.0)
    return pick(torch.stack([no, yes], -1), targets)
