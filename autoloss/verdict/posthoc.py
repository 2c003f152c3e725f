"""Moves decisions after training: by the class shares or, for no and yes, by a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from autoloss.losses import ClassFacts
from autoloss.metrics.known import DECLARED
from autoloss.verdict.named_metric import NamedMetric

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
Kind = Literal["prior", "threshold"]

_TAUS = np.round(np.arange(-1.0, 2.001, 0.1), 1)
_CUTS = 100
# With more log probabilities, the fit uses evenly spaced rows.
_MOST_NUMBERS = 1 << 23


@dataclass(frozen=True)
class PostHoc:
    """A shift of the log probabilities that decisions are taken from.

    The probabilities do not change, and the log loss judges them without the shift.

    Args:
        kind: ``"prior"`` (``log p - tau * log(class share)``) or ``"threshold"`` (class 1 if its
            probability is above the threshold).
        value: tau, or the threshold.
        shifts: The addend to the log probability of each class; (C,).
        metric: The study's metric after the shift, on the held-out rows of the fit.
    """

    kind: Kind
    value: float
    shifts: tuple[float, ...]
    metric: float

    @property
    def is_neutral(self) -> bool:
        """Return whether it changes no decision."""
        return not any(self.shifts)

    @property
    def detail(self) -> str:
        """Describe the shift in words."""
        where = "on the held-out rows"
        if self.kind == "prior":
            if self.is_neutral:
                return f"no correction for the class shares is better {where}"
            sign = "-" if self.value > 0 else "+"
            return f"log p {sign} {abs(self.value):.1f} x log(class share), the best {where}"
        if self.is_neutral:
            return f"no threshold is better {where}"
        return f"class 1 above a probability of {self.value:.3g}, the best {where}"

    def decided(self, log_probs: FloatArray) -> FloatArray:
        """Return the log probabilities that decisions are taken from.

        Shape:
            log_probs (N, C) -> (N, C).
        """
        return _shifted(log_probs, np.array(self.shifts))


def fit_posthoc(
    log_probs: FloatArray,
    targets: IntArray,
    *,
    metric: NamedMetric,
    facts: ClassFacts,
    kind: Kind | None = None,
) -> PostHoc | None:
    """Find the shift of the decisions that is best for the metric on held-out rows.

    If no shift improves the decisions, they stay. Among equally good shifts it takes the middle of
    the widest run.

    Args:
        log_probs: Log probabilities of rows that the model was not trained on.
        targets: Their classes.
        metric: The study's metric.
        facts: The kind of label, with the training rows of each class.
        kind: The kind of shift; by default the better kind, or the class shares in a tie.

    Returns:
        The shift; None if the metric does not depend on decisions, or if it moves decisions itself
        (balanced error, expected cost) and no further shift is better.

    Shape:
        log_probs (N, C), targets (N,).
    """
    every = max(1, -(-np.size(log_probs) // _MOST_NUMBERS))
    log_probs, targets = np.asarray(log_probs, dtype=np.float64)[::every], targets[::every]
    metric = metric.among(slice(None, None, every))
    if not len(targets) or not _decides(metric, log_probs, targets):
        return None
    found = []
    if kind in (None, "prior"):
        found.append(_prior(log_probs, targets, metric, facts.item_counts.numpy()))
    if kind in (None, "threshold") and facts.is_yes_or_no:
        found.append(_threshold(log_probs, targets, metric))
    if not found:
        return None
    sign = 1.0 if metric.lower_is_better else -1.0
    # If neither changes anything, people know the threshold better.
    if all(one.is_neutral for one in found):
        best = found[-1]
    else:
        best = min(found, key=lambda one: sign * one.metric)
    return None if best.is_neutral and _moves_itself(metric) else best


def _decides(metric: NamedMetric, log_probs: FloatArray, targets: IntArray) -> bool:
    """Return whether a metric reads only the decisions, or moves them itself."""
    declared = DECLARED.get(metric.name)
    if _moves_itself(metric) or (declared and declared.judges == "probabilities"):
        return _moves_itself(metric)
    alone = np.eye(log_probs.shape[1])[log_probs.argmax(axis=1)]
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = (float(metric.fn(probs, targets)) for probs in (np.exp(log_probs), alone))
    return abs(one - other) <= 1e-9 * max(1.0, abs(one))


def _moves_itself(metric: NamedMetric) -> bool:
    """Return whether a metric moves the decision itself, by the class shares or the costs."""
    return metric.name in DECLARED and DECLARED[metric.name].decision != "error"


def _shifted(log_probs: FloatArray, shift: FloatArray) -> FloatArray:
    return np.asarray(log_softmax(np.asarray(log_probs, dtype=np.float64) + shift, axis=1))


def _prior(
    log_probs: FloatArray, targets: IntArray, metric: NamedMetric, class_counts: FloatArray
) -> PostHoc:
    share = np.maximum(class_counts, 0.5) / np.maximum(class_counts, 0.5).sum()
    shifts = -_TAUS[:, None] * np.log(share)
    values = _values(log_probs, targets, metric, shifts)
    tau = _best(_TAUS, values)
    shift = tuple((-tau * np.log(share)).tolist()) if tau else (0.0,) * len(share)
    return PostHoc("prior", tau, shift, _value(log_probs, targets, metric, shift))


def _threshold(log_probs: FloatArray, targets: IntArray, metric: NamedMetric) -> PostHoc:
    """Try cuts between observed log odds, equally many from the rows of both classes."""
    odds = log_probs[:, 1] - log_probs[:, 0]
    edges = np.linspace(0.0, 1.0, _CUTS + 1)
    ends = [
        np.quantile(odds[targets == c], edges, method="nearest")
        for c in (0, 1)
        if (targets == c).any()
    ]
    distinct = np.unique(np.concatenate([*ends, [odds.min() - 1.0, odds.max() + 1.0]]))
    cuts = np.unique([*(distinct[1:] + distinct[:-1]) / 2.0, 0.0])
    values = _values(log_probs, targets, metric, np.stack([0.0 * cuts, -cuts], axis=1))
    cut = _best(cuts, values)
    shift = (0.0, -cut) if cut else (0.0, 0.0)
    value = _value(log_probs, targets, metric, shift)
    return PostHoc("threshold", float(1.0 / (1.0 + np.exp(-cut))), shift, value)


def _value(
    log_probs: FloatArray, targets: IntArray, metric: NamedMetric, shift: tuple[float, ...]
) -> float:
    return float(metric.fn(np.exp(_shifted(log_probs, np.array(shift))), targets))


def _values(
    log_probs: FloatArray, targets: IntArray, metric: NamedMetric, shifts: FloatArray
) -> FloatArray:
    """Return the metric of every shift, lower for better: shifts (S, C) -> (S,)."""
    sign = 1.0 if metric.lower_is_better else -1.0
    values = [sign * _value(log_probs, targets, metric, tuple(shift)) for shift in shifts]
    return np.where(np.isfinite(values), values, np.inf)


def _best(settings: FloatArray, values: FloatArray) -> float:
    """Return 0 if it is among the best settings, else the middle of their widest run."""
    is_best = values <= values.min() + 1e-12
    if is_best[settings == 0.0].any():
        return 0.0
    places = np.flatnonzero(is_best)
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    widest = max(runs, key=lambda run: settings[run[-1]] - settings[run[0]])
    return float(settings[widest[0]] + settings[widest[-1]]) / 2.0
