"""Labels that may be wrong, by confident learning, and the number that overlap alone gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from autoloss.records.diagnosis import Suspect, Suspects

_MOST_LISTED = 20
_BLOCK = 1 << 20
_DRAWS = 20
_TIE = 1e-5
"""Difference of two log probabilities that says nothing."""


def suspects_of(
    log_probs: Tensor, targets: Tensor, classes: tuple[str, ...], *, seed: int = 0
) -> tuple[Suspects, Tensor]:
    """Return labels that may be wrong, and the mask of their rows.

    The confident joint of Northcutt, Jiang and Chuang 2021 (Confident Learning, JMLR 70,
    arXiv:1911.00068): a class is confident for a row if its probability reaches its mean
    probability over the rows with its label. A row is suspect if its likeliest confident class
    is not its label. Where classes overlap, the rule also names correct labels; labels drawn from
    the probabilities themselves estimate their number.

    Args:
        log_probs: Cross-fitted log probabilities of held-out rows.
        targets: Their labels.
        classes: Names of the classes.
        seed: Seed of the drawn labels.

    Shape:
        log_probs ``(N, C)``, targets ``(N,)`` → mask ``(N,)``.
    """
    other = _confident(log_probs, targets)
    mask = (other >= 0) & (other != targets)
    generator = torch.Generator().manual_seed(seed)
    draws = max(1, min(_DRAWS, 2_000_000 // log_probs.numel()))
    drawn = 0
    for _ in range(draws):
        labels = _drawn(log_probs, generator)
        found = _confident(log_probs, labels)
        drawn += int(((found >= 0) & (found != labels)).sum())
    rows = mask.nonzero().flatten()
    p_given = log_probs[rows, targets[rows]].exp()
    p_other = log_probs[rows, other[rows]].exp()
    order = (p_given - p_other).argsort(stable=True)[:_MOST_LISTED].tolist()
    worst = tuple(
        Suspect(
            row=int(rows[n]),
            given=classes[int(targets[rows[n]])],
            suggested=classes[int(other[rows[n]])],
            p_given=float(p_given[n]),
            p_suggested=float(p_other[n]),
        )
        for n in order
    )
    count = int(mask.sum())
    return Suspects(count, count / len(mask), drawn / draws, worst), mask


def _confident(log_probs: Tensor, labels: Tensor) -> Tensor:
    """Return the likeliest confident class of each row, -1 without any."""
    n_classes = log_probs.shape[-1]
    total = torch.zeros(n_classes, dtype=torch.float64)
    own = log_probs.gather(-1, labels[:, None])[:, 0].exp().double()
    total.scatter_add_(0, labels, own)
    count = torch.bincount(labels, minlength=n_classes)
    # A class without rows has no threshold, so it is confident nowhere.
    threshold = torch.where(count > 0, (total / count).log(), torch.inf).to(log_probs.dtype)
    step = max(64, _BLOCK // n_classes)
    found = []
    for part, given in zip(torch.split(log_probs, step), torch.split(labels, step), strict=True):
        # A tie is the label's: where all classes are alike, rounding contradicts no label.
        part = part.scatter_add(-1, given[:, None], part.new_full((len(part), 1), _TIE))
        confident = torch.where(part >= threshold, part, -torch.inf)
        value, place = confident.max(-1)
        found.append(torch.where(value > -torch.inf, place, -1))
    return torch.cat(found)


def _drawn(log_probs: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a label from the probabilities of each row, ``(N,)``."""
    step = max(64, _BLOCK // log_probs.shape[-1])
    found = []
    for part in torch.split(log_probs, step):
        below = part.exp().cumsum(-1)
        chance = torch.rand(len(part), 1, generator=generator, dtype=part.dtype) * below[:, -1:]
        found.append((below <= chance).sum(-1).clamp_max(part.shape[-1] - 1))
    return torch.cat(found)


def placed(suspects: Suspects, rows: Tensor, name: Callable[[int], str]) -> Suspects:
    """Return suspect items with their rows as places, and the items named in their labels.

    Args:
        suspects: The suspects, by the number of the item.
        rows: The row of each item, ``(N,)``.
        name: Returns the name of an item in its row.
    """

    def moved(one: Suspect) -> Suspect:
        own = name(one.row)
        return replace(
            one,
            row=int(rows[one.row]),
            given=f"{own}: {one.given}",
            suggested=f"{own}: {one.suggested}",
        )

    return replace(suspects, worst=tuple(map(moved, suspects.worst)))
