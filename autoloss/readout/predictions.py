"""From logits to the shipped probabilities: a source of scores, a temperature, a bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from autoloss.losses import Objective
from autoloss.readout.items import Items

Source = Literal["softmax", "prior", "link"]
SOURCES: tuple[Source, ...] = ("softmax", "prior", "link")
# A link may give a class the probability 0; exp(-100) stands for it, whose log is finite.
_LOWEST_LINK = -100.0


@dataclass(frozen=True)
class Predictions:
    """Shipped probabilities of K candidates on N items; NaN where logits are not finite.

    Args:
        log_probs: Log probabilities, shape (K, N, C).
        example_log_loss: Their negative at the true class in nats, shape (K, N).
        wrong: Whether the most probable class is not the true class, shape (K, N).
        log_odds: For items of no and yes, the log odds of yes before the temperature, shape
            (K, N). They rank as the shipped model does; cross-fitted probabilities do so within a
            fold only. None for other classes.
    """

    log_probs: Tensor
    example_log_loss: Tensor
    wrong: Tensor
    log_odds: Tensor | None

    @property
    def is_finite(self) -> Tensor:
        """Return which candidates have probabilities, shape (K,)."""
        return torch.isfinite(self.example_log_loss).all(-1)


def finite_logits(logits: Tensor, items: Items, objective: Objective) -> tuple[Tensor, Tensor]:
    """Return logits with 0 for all of a candidate that has a NaN or inf, and which are finite.

    Logits without a label, such as those of pads, do not count.
    """
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    seen = items.scores(objective.facts.over_classes(logits))
    # A candidate's sum is NaN or inf if a logit is; the logits are read one by one only then.
    is_finite = torch.isfinite(seen.sum((-1, -2)))
    if not bool(is_finite.all()):
        is_finite = torch.isfinite(seen).all(-1).all(-1)
        kept = is_finite.view(-1, *[1] * (logits.ndim - 1))
        logits = torch.where(kept, logits, 0.0)
    return logits, is_finite


def scores_of(source: Source, logits: Tensor, objective: Objective, rows: Sequence[int]) -> Tensor:
    """Return the scores of some candidates from a source; their softmax is a posterior.

    Args:
        source: Where the scores come from.
        logits: Finite logits of all candidates, shape (K, N, C), or as the losses read them.
        objective: The losses of all candidates.
        rows: The candidates to return.

    Returns:
        Scores, shape (len(rows), N, C); for several labels (len(rows), N, L, 2).
    """
    if source == "softmax":
        return objective.facts.over_classes(logits[list(rows)])
    if len(rows) < len(logits):
        logits, objective = logits[list(rows)], objective.keep(rows)
    if source == "prior":
        return objective.prior_corrected(logits).to(logits.dtype)
    scores = objective.log_links(logits).to(logits.dtype)
    return scores.maximum(scores.amax(-1, keepdim=True) + _LOWEST_LINK)


def calibrated(scores: Tensor, log_beta: Tensor, *, mix: float) -> Tensor:
    """Return log probabilities at a temperature, mixed with a little of the uniform distribution.

    ``(1 - mix) * softmax(exp(log_beta) * scores) + mix / C``: with ``mix = 1 / (n + 1)`` for n
    rows that the temperature was fitted on, no example costs more than ``ln((n + 1) * C)`` nats.

    Args:
        scores: Scores, shape (K, N, C).
        log_beta: Log inverse temperatures, shape (K,) or (K, N).
        mix: Weight of the uniform distribution.
    """
    beta = log_beta.exp().to(scores.dtype)
    beta = beta[:, None, None] if beta.ndim == 1 else beta.unsqueeze(-1)
    centred = scores - scores.amax(-1, keepdim=True)
    probs = torch.softmax(centred * beta, -1)
    return torch.log(probs * (1 - mix) + mix / scores.shape[-1])


def predict(
    scores: Tensor,
    log_beta: Tensor,
    targets: Tensor,
    *,
    mix: float,
    is_finite: Tensor,
    is_yes_or_no: bool,
) -> Predictions:
    """Return the shipped probabilities of scores at their temperatures, with their log loss.

    Args:
        scores: Scores of the chosen sources, shape (K, N, C).
        log_beta: Log inverse temperatures, shape (K,) or (K, N).
        targets: Classes, shape (N,).
        mix: Weight of the uniform distribution.
        is_finite: Candidates whose logits were finite, shape (K,).
        is_yes_or_no: Whether the classes are no and yes.
    """
    log_probs = calibrated(scores, log_beta, mix=mix)
    log_probs[~is_finite] = torch.nan
    index = targets.expand(len(scores), -1).unsqueeze(-1)
    return Predictions(
        log_probs=log_probs,
        example_log_loss=-log_probs.gather(-1, index).squeeze(-1),
        wrong=(scores.argmax(-1) != targets) | ~is_finite.unsqueeze(-1),
        log_odds=scores[..., 1] - scores[..., 0] if is_yes_or_no else None,
    )
