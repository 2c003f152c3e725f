"""Challenger and tuned cross-entropy on each of several labels, and on pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor

from autoloss.metrics import debiased_calibration_error
from autoloss.metrics.label_places import LabelPlaces
from autoloss.metrics.label_ranking import label_areas
from autoloss.metrics.label_thresholds import crossfitted_decisions, f1_thresholds
from autoloss.metrics.reliability_bins import positive_reliability
from autoloss.records.labels import LabelFigures, LabelInsights, LabelPair
from autoloss.records.reliability import Reliability
from autoloss.verdict.comparisons import holm
from autoloss.verdict.resampling import mean_error

FloatArray = NDArray[np.float64]
_PAIRS, _WORST = 10, 4
# A correlation of fewer rows says little.
_FEWEST = 20


@dataclass(frozen=True, eq=False)
class _Judged:
    """The items of a verdict and the shipped model on them, all (M,)."""

    places: LabelPlaces
    yes: NDArray[np.bool_]
    log_odds: FloatArray
    fitted: NDArray[np.bool_]
    difference: FloatArray

    @cached_property
    def own(self) -> list[NDArray[np.int64]]:
        """Return the places of the items of each label."""
        return self.places.by_label()

    @cached_property
    def probs(self) -> FloatArray:
        """Return the probabilities of yes."""
        found: FloatArray = special.expit(self.log_odds)
        return found

    @cached_property
    def half(self) -> NDArray[np.bool_]:
        """Return whether yes is likelier."""
        return self.log_odds > 0


def label_insights(
    log_probs: tuple[Tensor, Tensor],
    targets: Tensor,
    places: LabelPlaces,
    names: Sequence[str],
    *,
    shipped: int,
) -> LabelInsights:
    """Return the figures of each label, and the pairs that go wrong together.

    Args:
        log_probs: Log probabilities of challenger and tuned cross-entropy.
        targets: 1 where the label is there, else 0.
        places: The label and the row of each item.
        names: The labels.
        shipped: 0 if the challenger ships, 1 if tuned cross-entropy does.

    Shape:
        log_probs twice (M, 2), targets (M,).
    """
    own, other = (one.double().cpu().numpy() for one in log_probs)
    yes = targets.cpu().numpy() == 1
    model = (own, other)[shipped]
    log_odds = model[:, 1] - model[:, 0]
    items = np.arange(len(yes))
    judged = _Judged(
        places,
        yes,
        log_odds,
        crossfitted_decisions(log_odds, yes, places),
        other[items, yes.astype(int)] - own[items, yes.astype(int)],
    )
    figures = _figures(judged, names)
    decided, baseline = (int((one[:, 1] > one[:, 0]).sum()) for one in (own, other))
    missed, swapped = _pairs(judged, names)
    worst = _worst(judged, figures)
    return LabelInsights(figures, missed, swapped, int(yes.sum()), decided, baseline, worst)


def _figures(judged: _Judged, names: Sequence[str]) -> tuple[LabelFigures, ...]:
    thresholds = special.expit(f1_thresholds(judged.log_odds, judged.yes, judged.places))
    auroc, precision = label_areas(judged.log_odds[None], judged.yes, judged.places)
    tests = [_difference(judged, own) for own in judged.own]
    tested = [place for place, one in enumerate(tests) if np.isfinite(one[3])]
    p_values = np.full(len(names), np.nan)
    if tested:
        p_values[tested] = holm(np.array([tests[place][3] for place in tested]))
    return tuple(
        _of_label(
            judged,
            number,
            name=name,
            threshold=float(thresholds[number]),
            areas=(float(auroc[0, number]), float(precision[0, number])),
            difference=(*tests[number][:3], float(p_values[number])),
        )
        for number, name in enumerate(names)
    )


def _of_label(
    judged: _Judged,
    number: int,
    *,
    name: str,
    threshold: float,
    areas: tuple[float, float],
    difference: tuple[float, float, float, float],
) -> LabelFigures:
    """Return the figures of one label with its areas: of ROC, of precision and recall."""
    own = judged.own[number]
    yes, half = judged.yes[own], judged.half[own]
    answers = torch.from_numpy(yes.astype(np.float64))[None]
    varies = bool(yes.any() and not yes.all())
    probs = torch.from_numpy(judged.probs[own])[None]
    error = debiased_calibration_error(probs, answers) if len(yes) else None
    return LabelFigures(
        name,
        len(yes),
        int(yes.sum()),
        int(half.sum()),
        float((half != yes).mean()) if len(yes) else float("nan"),
        areas[1],
        areas[0],
        float("nan") if error is None else float(error[0]),
        threshold,
        _f1(judged.fitted[own], yes) if varies else float("nan"),
        _f1(half, yes) if varies else float("nan"),
        *difference,
    )


def _f1(decided: NDArray[np.bool_], yes: NDArray[np.bool_]) -> float:
    below = int(decided.sum() + yes.sum())
    return 2.0 * int((decided & yes).sum()) / below if below else 0.0


def _difference(judged: _Judged, own: NDArray[Any]) -> tuple[float, float, float, float]:
    """Return the difference in log loss in nats, its interval, and its p-value."""
    unknown = float("nan")
    if len(own) < 2:
        return unknown, unknown, unknown, unknown
    difference, clusters = judged.difference[own], judged.places.clusters[own]
    is_alone = len(np.unique(clusters)) == len(own)
    mean, error = float(difference.mean()), mean_error(difference, None if is_alone else clusters)
    width = float(special.ndtri(0.975)) * error
    if error == 0.0:
        return mean, mean, mean, 1.0
    return mean, mean - width, mean + width, float(2.0 * special.ndtr(-abs(mean) / error))


def _worst(judged: _Judged, figures: Sequence[LabelFigures]) -> tuple[Reliability, ...]:
    """Return the diagrams of the labels with the largest calibration errors above zero."""
    order = sorted(
        (place for place, one in enumerate(figures) if one.calibration > 0.0),
        key=lambda place: -figures[place].calibration,
    )
    found = []
    for place in order[:_WORST]:
        own = judged.own[place]
        probs = torch.from_numpy(judged.probs[own])
        log_probs = torch.stack([1.0 - probs, probs], -1).log()
        answers = torch.from_numpy(judged.yes[own].astype(np.int64))
        clusters = torch.from_numpy(judged.places.clusters[own])
        name = figures[place].name
        found.append(positive_reliability(log_probs, answers, name=name, clusters=clusters))
    return tuple(found)


def _pairs(
    judged: _Judged, names: Sequence[str]
) -> tuple[tuple[LabelPair, ...], tuple[LabelPair, ...]]:
    """Return the pairs with the largest missed correlations, and the most confused pairs."""
    known, yes, half = (_table(judged.places, one) for one in _answers(judged))
    rest = _table(judged.places, judged.yes - judged.probs)
    rows = known.T @ known
    correlation, missed = _correlation(yes, known), _correlation(rest, known)
    # A row that has a label and is decided for another that it has not.
    lost, wrong = yes * (1.0 - half) * known, half * (1.0 - yes) * known
    swapped = lost.T @ wrong
    swapped = swapped + swapped.T
    one, other = np.triu_indices(len(names), 1)
    # By the size of a correlation against its standard error of about one by the root of rows.
    size = np.abs(missed[one, other]) * np.sqrt(rows[one, other])
    size = np.where(rows[one, other] >= _FEWEST, np.nan_to_num(size), 0.0)

    def of(order: NDArray[np.intp]) -> tuple[LabelPair, ...]:
        return tuple(
            LabelPair(
                names[a],
                names[b],
                int(rows[a, b]),
                float(correlation[a, b]),
                float(missed[a, b]),
                int(swapped[a, b]),
            )
            for a, b in zip(one[order], other[order], strict=True)
        )

    # Below two standard errors a missed correlation is chance, and of many pairs some are above.
    least = special.ndtri(1.0 - 0.025 / max(1, len(one)))
    far = np.argsort(-size, kind="stable")[:_PAIRS]
    most = np.argsort(-swapped[one, other], kind="stable")[:_PAIRS]
    return of(far[size[far] > least]), of(most[swapped[one, other][most] > 0])


def _answers(judged: _Judged) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return whether each item is known, is yes, and is decided for."""
    ones = np.ones(len(judged.yes))
    return ones, judged.yes.astype(np.float64), judged.half.astype(np.float64)


def _table(places: LabelPlaces, values: FloatArray) -> FloatArray:
    """Return a value for each row and label, 0 where there is no item: (M,) -> (N, L)."""
    _, rows = np.unique(places.rows, return_inverse=True)
    found = np.zeros((int(rows.max()) + 1, places.n_labels))
    found[rows, places.numbers] = values
    return found


def _correlation(values: FloatArray, known: FloatArray) -> FloatArray:
    """Return the correlations of columns over the rows in which both are known, (L, L)."""
    rows = np.maximum(known.T @ known, 1.0)
    values = values * known
    mean, square = values.T @ known / rows, (values**2).T @ known / rows
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    both = values.T @ values / rows - mean * mean.T
    below = spread * spread.T
    found: FloatArray = np.divide(both, below, out=np.full_like(both, np.nan), where=below > 1e-12)
    return found
