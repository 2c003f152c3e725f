"""The gradient signals of losses over the probability p of the true class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.losses import ClassFacts, LossSpec, get
from autoloss.losses.context import neutral_context
from autoloss.losses.objective import Objective
from autoloss.records.insights import SignalCurve, Signals

FloatArray = NDArray[np.float64]

DEAD = 0.01
"""Below this share of cross-entropy's gradient a row teaches almost nothing."""
# In log-odds, which show both ends; symmetric, so that p = 1/2 is a point.
_REACH, _STEPS = 9.0, 129
_BINS = 25
_LABELS = 10
# The most values of a curve; a spread label needs the square of the classes at each point.
_MOST_VALUES = 2e7


def gradient_signals(
    specs: Sequence[tuple[int, LossSpec]], probs: FloatArray, facts: ClassFacts, *, number: int
) -> Signals | None:
    """Return the signals of losses over the p of a model's rows; None if no loss has a signal.

    The signal is ``∂L/∂z_y / (p - 1)``, measured by autograd on the whole loss with prior,
    smoothing and temperature, without the penalty. All other classes share the rest evenly; the
    mean over the true classes is weighted by their shares. A loss that normalises its logits has
    no signal; nor has a loss that spreads labels over hundreds of classes: it would take long.

    Args:
        specs: Number and loss of each trial.
        probs: Probability of the true class by the softmax of a model's logits.
        facts: Facts about the classes.
        number: Number of the model's trial.

    Shape:
        probs (N,).
    """
    facts = facts.of_item()
    odds = torch.linspace(-_REACH, _REACH, _STEPS, dtype=torch.float64)
    seen = _log_odds(probs)
    curves = []
    for trial, spec in specs:
        signal = signal_of(spec, odds, facts)
        if signal is None:
            continue
        at_rows = np.interp(seen, odds.numpy(), signal)
        weight = np.abs(at_rows) * (1.0 - probs)
        total = float(weight.sum())
        curves.append(
            SignalCurve(
                trial,
                tuple(signal.tolist()),
                dead=float((np.abs(at_rows) < DEAD).mean()),
                unsure=float(weight[probs < 0.5].sum() / total) if total > 0 else math.nan,
            )
        )
    if not curves or not len(probs):
        return None
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    counts, _ = np.histogram(np.clip(probs, 0.0, 1.0), edges)
    return Signals(
        number,
        tuple(odds.sigmoid().tolist()),
        tuple(edges.tolist()),
        tuple(map(int, counts)),
        tuple(curves),
    )


def signal_of(spec: LossSpec, odds: Tensor, facts: ClassFacts) -> FloatArray | None:
    """Return the signal of a loss at log-odds of p, ``(S,)``; None if it has none.

    Shape:
        odds (S,).
    """
    if get(spec.base).view is not None:
        return None
    # A penalty is not a loss of the true class, and some penalties couple the rows of a batch.
    plain = spec.without("penalty")
    if spec.mixture:
        plain = plain.without("target")
    objective = Objective([plain], facts, dtype=torch.float64)
    n_classes = facts.n_classes
    cost = len(odds) * n_classes ** (1 if spec.target == "none" else 2)
    if cost > _MOST_VALUES:
        return None
    counts = facts.counts.reshape(-1, n_classes).mean(0)
    is_alike = get(spec.base).symmetric and spec.prior == "none" and spec.target == "none"
    most = 1 if is_alike else max(1, min(_LABELS, int(_MOST_VALUES / cost)))
    labels, shares = _labels(counts, most)
    total = torch.zeros_like(odds)
    for label, share in zip(labels, shares, strict=True):
        way = torch.full((n_classes,), -1.0 / n_classes, dtype=torch.float64)
        way[label] += 1.0
        logits = ((odds + math.log(n_classes - 1.0))[:, None] * way)[None].requires_grad_()
        targets = torch.full((len(odds),), label)
        values = objective(logits, targets, context=neutral_context(logits[0], counts))
        (slopes,) = torch.autograd.grad(values.sum(), logits, materialize_grads=True)
        # p - 1 is -sigmoid(-odds), which does not round to 0.
        total += share * slopes[0, :, label] / -(-odds).sigmoid()
    found: FloatArray = total.numpy()
    return found if bool(np.isfinite(found).all()) else None


def _labels(counts: Tensor, most: int) -> tuple[list[int], list[float]]:
    """Return the true classes to measure a signal for, from rare to common, with their shares."""
    order = counts.argsort().tolist()
    step = max(1.0, (len(order) - 1) / max(most - 1, 1))
    places = sorted({min(round(place * step), len(order) - 1) for place in range(most)})
    places = places if most > 1 else [len(order) // 2]
    labels = [order[place] for place in places]
    rows = counts[labels].clamp_min(1.0)
    return labels, (rows / rows.sum()).tolist()


def _log_odds(probs: FloatArray) -> FloatArray:
    """Return log-odds within the reach of the curves."""
    low = 1.0 / (1.0 + math.exp(_REACH))
    inside = np.clip(probs, low, 1.0 - low)
    found: FloatArray = np.log(inside) - np.log1p(-inside)
    return found
