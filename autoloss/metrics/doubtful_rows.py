"""Calibration where positives are rare: by log-odds, and among the highest probabilities."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.metrics.bands import chance_band, independent_rows
from autoloss.records import Reliability, Tails, TopShare

_SHARES = (0.001, 0.01, 0.05, 0.1)
# A rate below exp(-20), 2 in a thousand million, cannot be seen in any table.
_FARTHEST = 20.0


def tails(
    log_probs: Tensor,
    targets: Tensor,
    *,
    name: str = "challenger",
    bins: int = 10,
    clusters: Tensor | None = None,
) -> Tails:
    """Return the calibration of a rare positive class: by log-odds, and among the top rows.

    The bins are equally wide in log-odds, which separates small probabilities. Each bin has the
    mean probability, the share of positives, and a band: if the probabilities are right, 95 % of
    such shares lie in it (quantiles of the binomial law). Among equal probabilities at the edge of
    the top, a random choice counts.

    Args:
        log_probs: Log probabilities.
        targets: Classes 0 and 1.
        name: The name of the model.
        bins: The largest number of bins; bins without a row are left out.
        clusters: The cluster of each row; None if all are independent.

    Raises:
        InputError: If there are not two classes.

    Shape:
        - log_probs: ``(N, 2)``
        - targets and clusters: ``(N,)``
    """
    if log_probs.ndim != 2 or log_probs.shape[1] != 2 or len(log_probs) != len(targets):
        raise InputError(
            "log_probs must have shape (N, 2), a row for each target, but got "
            f"log_probs.shape={tuple(log_probs.shape)} and targets.shape={tuple(targets.shape)}."
        )
    values = log_probs.detach().double().cpu().numpy()
    probs, positive = np.exp(values[:, 1]), targets.cpu().numpy() == 1
    with np.errstate(invalid="ignore"):
        odds = np.clip(values[:, 1] - values[:, 0], -_FARTHEST, _FARTHEST)
    order = np.random.default_rng(0).permutation(len(probs))
    order = order[np.argsort(-odds[order], kind="stable")]
    counts = [(share, round(share * len(probs))) for share in _SHARES]
    return Tails(
        prevalence=float(positive.mean()),
        bins=_by_log_odds(odds, probs, positive, name=name, bins=bins, clusters=clusters),
        top=tuple(
            TopShare(
                share=share,
                count=count,
                expected=float(probs[order[:count]].sum()),
                observed=int(positive[order[:count]].sum()),
                recall=float(positive[order[:count]].sum() / max(positive.sum(), 1)),
            )
            for share, count in counts
            if count
        ),
    )


def _by_log_odds(
    odds: NDArray[np.float64],
    probs: NDArray[np.float64],
    positive: NDArray[np.bool_],
    *,
    name: str,
    bins: int,
    clusters: Tensor | None,
) -> Reliability:
    """Return the points of the bins that have a row."""
    width = max((odds.max() - odds.min()) / bins, np.finfo(np.float64).tiny)
    place = np.minimum((odds - odds.min()) / width, bins - 1).astype(np.int64)
    count = np.bincount(place, minlength=bins)
    used = count > 0
    count = count[used]
    mean = np.bincount(place, weights=probs, minlength=bins)[used] / count
    share = np.bincount(place, weights=positive, minlength=bins)[used] / count
    gaps, index = torch.from_numpy(positive - probs), torch.from_numpy(place)
    rows = independent_rows(gaps, index, bins, clusters=clusters)[used]
    low, high = chance_band(rows, mean.clip(0.0, 1.0))
    return Reliability(
        name=name,
        confidence=tuple(mean.tolist()),
        accuracy=tuple(share.tolist()),
        count=tuple(count.tolist()),
        low=low,
        high=high,
    )
