"""Rare positives: notes for the user, and subsampling of negatives."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.metrics.known import is_of_error

RARE = 0.02
"""The prevalence below which positives are rare."""


def is_rare(class_counts: Sequence[float] | Tensor, *, below: float = RARE) -> bool:
    """Return whether the positive class is rare.

    Args:
        class_counts: Rows of the negative and of the positive class.
        below: The prevalence below which it is.

    Shape:
        - class_counts: ``(2,)``
    """
    negative, positive = (float(count) for count in class_counts)
    return 0 < positive < below * (negative + positive)


def rare_notes(
    class_counts: Sequence[float] | Tensor,
    batch_size: int,
    metric: str,
    has_costs: bool,
    *,
    negatives: float = 0,
) -> tuple[str, ...]:
    """Return notes if positives are rare, otherwise nothing.

    Args:
        class_counts: Rows of the negative and of the positive class, before any are left out.
        batch_size: Rows of a mini-batch.
        metric: Name of the study's metric.
        has_costs: Whether a cost matrix is given.
        negatives: Negatives that the search trains on for each positive; 0 for all.

    Shape:
        - class_counts: ``(2,)``

    Examples:
        >>> rare_notes([10000, 103], 256, "auroc", False)
        ('Positives are rare: 103 of 10,103 rows (1.02%), 2.6 positives in a mini-batch of 256.',)
    """
    if not is_rare(class_counts):
        return ()
    negative, positive = (float(count) for count in class_counts)
    share = positive / (negative + positive)
    notes = [
        f"Positives are rare: {positive:,.0f} of {negative + positive:,.0f} rows "
        f"({_percent(share)}), {batch_size * share:.1f} positives in a mini-batch of {batch_size}."
    ]
    if is_of_error(metric):
        other = (
            "leave --metric out for the expected cost."
            if has_costs
            else "give the costs of wrong decisions with --cost-matrix FILE."
        )
        notes.append(
            f"Error hardly reflects them: a model that finds none of them has an error of "
            f"{_percent(share)}. Choose --metric average_precision, or {other}"
        )
    if negatives and (rate := float(sampling_rates(class_counts, negatives)[0])) < 1.0:
        kept = positive / (positive + rate * negative)
        notes.append(
            f"The search trains on every positive and {negatives:g} negatives for each, "
            f"{batch_size * kept:.1f} positives in a mini-batch; the finalists train on all rows."
        )
    return tuple(notes)


def sampling_rates(class_counts: Sequence[float] | Tensor, negatives: float) -> Tensor:
    """Return the share of each class's rows to keep, for the given negatives per positive.

    Args:
        class_counts: Rows of the negative and of the positive class.
        negatives: Negatives kept for each positive; 0 for all.

    Raises:
        InputError: There are other than two classes, or `negatives` is below 0 or not finite.

    Shape:
        - class_counts: ``(2,)``
        - output: ``(2,)``, float64

    Examples:
        >>> sampling_rates([9000, 100], 10)
        tensor([0.1111, 1.0000], dtype=torch.float64)
    """
    counts = [float(count) for count in class_counts]
    if negatives and len(counts) != 2:
        raise InputError(
            f"protocol.negatives must be 0 where there are not two classes, but got "
            f"negatives={negatives} for {len(counts)} classes."
        )
    if not 0 <= negatives < math.inf:
        raise InputError(f"negatives must be at least 0, but got negatives={negatives}.")
    rates = torch.ones(len(counts), dtype=torch.float64)
    if negatives and counts[1]:
        kept = min(counts[0], max(1.0, round(negatives * counts[1])))
        rates[0] = kept / counts[0] if counts[0] else 1.0
    return rates


def subsample(targets: Tensor, negatives: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return every positive row and a random sample of negative rows, without replacement.

    Args:
        targets: Classes of the training rows.
        negatives: Negatives kept for each positive; 0 for all.
        seed: Seed of the draw.

    Returns:
        The numbers of the rows that are kept, rising, and the share that is kept of each class:
        `ClassFacts.sampling`.

    Raises:
        InputError: As in `sampling_rates`.

    Shape:
        - targets: ``(N,)``
        - output: ``(n,)``, int64, and ``(C,)``, float64

    Examples:
        >>> rows, rates = subsample(torch.tensor([0, 0, 1, 0, 0, 0, 0]), 2, seed=0)
        >>> len(rows), rates.tolist()
        (3, [0.3333333333333333, 1.0])
    """
    labels = targets.cpu()
    counts = torch.bincount(labels, minlength=2)
    rates = sampling_rates(counts, negatives)
    if bool((rates == 1.0).all()):
        return torch.arange(len(labels)), rates
    found = (labels == 0).nonzero().flatten()
    drawn = torch.randperm(len(found), generator=torch.Generator().manual_seed(seed))
    kept = found[drawn[: round(float(rates[0] * counts[0]))]]
    return torch.cat([kept, (labels == 1).nonzero().flatten()]).sort().values, rates


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.001 else f"{100 * share:.2f}%"
