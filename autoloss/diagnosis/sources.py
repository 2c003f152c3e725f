"""Other scores of the same rows: the softmax, the prior undone, the link of the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.losses.numerics import log_softmax
from autoloss.records.diagnosis import ReadoutName

_BLOCK = 1 << 19
# A link by gradient factors a C by C matrix per row: a minute for this many numbers.
_MOST_COSTLY = 20_000_000


def sources_of(
    logits: Tensor, spec: LossSpec, counts: Sequence[Tensor | ClassFacts], *, raw: bool
) -> tuple[dict[ReadoutName, Tensor], tuple[str, ...]]:
    """Return the scores of a loss's other read-outs, and notes on missing read-outs.

    Probabilities are averaged over the training runs.

    Args:
        logits: Logits of R training runs, ``(R, N, C)``.
        spec: Their loss.
        counts: Class counts or facts of each training run.
        raw: Whether to include the softmax of the logits.

    Returns:
        Scores ``(N, C)`` by name, whose softmax is a posterior; notes.
    """
    objectives = [Objective([spec], one, dtype=logits.dtype) for one in counts]
    first = objectives[0]
    found: dict[ReadoutName, Tensor] = {}
    notes: tuple[str, ...] = ()
    if raw:
        found["softmax"] = _mean(logits, [log_softmax] * len(logits))
    if bool(first.has_prior.any()):
        found["prior undone"] = _mean(logits, [_prior_undone(one) for one in objectives])
    if bool(first.has_link.any()):
        n_rows, n_classes = logits.shape[-2:]
        if bool(first.has_costly_link.any()) and n_rows * n_classes**2 > _MOST_COSTLY:
            notes = ("The link of this loss is left out: it is too slow for this many rows.",)
        else:
            found["link"] = _mean(logits, [_link(one) for one in objectives])
    return found, notes


def _prior_undone(objective: Objective) -> Callable[[Tensor], Tensor]:
    return lambda part: log_softmax(objective.prior_corrected(part[None])[0])


def _link(objective: Objective) -> Callable[[Tensor], Tensor]:
    def scores(part: Tensor) -> Tensor:
        found = objective.log_links(part[None])[0].to(part.dtype)
        # A link may give a class probability 0, or be undefined far from the minimum.
        return found.nan_to_num(nan=-100.0, neginf=-100.0).clamp_min(-100.0)

    return scores


def _mean(logits: Tensor, readers: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
    """Return the log of the mean probability over the training runs, ``(N, C)``."""
    step = max(64, _BLOCK // logits.shape[-1])
    found = []
    for part in torch.split(logits, step, dim=1):
        each = [read(one) for read, one in zip(readers, part, strict=True)]
        found.append(torch.stack(each).logsumexp(0) - math.log(len(each)))
    return torch.cat(found)
