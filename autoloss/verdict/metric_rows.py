"""The study's metric on some of the rows, for the selection and the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from autoloss.losses import ClassFacts
from autoloss.metrics import Judged, Metric, Scores, balanced_scores
from autoloss.metrics.known import mean_of_wrong
from autoloss.metrics.label_places import LabelPlaces
from autoloss.metrics.segment_sums import quotient_of
from autoloss.metrics.token_places import TokenPlaces
from autoloss.readout import Items
from autoloss.verdict.paired import PairedTest
from autoloss.verdict.resampling import leave_out_values
from autoloss.verdict.select import ExampleLosses


@dataclass(frozen=True)
class MetricOnRows:
    """A metric as a function of probabilities (N, C) and classes (N,), with its direction.

    Args:
        metric: The metric.
        facts: The kind of label, with the training rows of each class.
        places: The labels of the items that `fn` is computed on, for several labels a row.
        tokens: The sequences of these items, if they are tokens.
        row_costs: The cost of each of these items; None for 1.
        paired: The comparison of challenger and baseline by paired training runs; None for none.
    """

    metric: Metric
    facts: ClassFacts
    places: LabelPlaces | None = None
    tokens: TokenPlaces | None = None
    row_costs: Tensor | None = None
    paired: PairedTest | None = None

    @property
    def name(self) -> str:
        """Return the name."""
        return self.metric.name

    @property
    def lower_is_better(self) -> bool:
        """Return the direction."""
        return self.metric.lower_is_better

    @property
    def is_of_trainings(self) -> bool:
        """Return whether whole training runs are compared, because no bootstrap of rows serves."""
        return self.metric.is_of_trainings

    @property
    def fn(self) -> Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]:
        """Return the function of probabilities and classes; NaN for a metric of models."""
        return self._of_rows

    def among(self, rows: npt.NDArray[Any] | slice) -> MetricOnRows:
        """Return the metric on some of the items, some of which may be there several times."""
        places = None if self.places is None else self.places.take(rows)
        tokens = None if self.tokens is None else self.tokens.take(rows)
        costs = None if self.row_costs is None else self.row_costs[rows]
        return replace(self, places=places, tokens=tokens, row_costs=costs)

    def quotient(
        self, probs: npt.NDArray[Any], targets: npt.NDArray[Any]
    ) -> npt.NDArray[np.float64] | None:
        """Return each item's part in the numerator and the denominator of the metric, (N, 2).

        None for a metric that is not a quotient of sums over items.
        """
        if self.metric.is_own:
            return None
        return quotient_of(self.name, self._judged(probs, targets))

    def _of_rows(self, probs: npt.NDArray[Any], targets: npt.NDArray[Any]) -> float:
        if self.metric.is_of_models:
            return math.nan
        return float(self.metric.of_rows(self._judged(probs, targets))[0])

    def _judged(self, probs: npt.NDArray[Any], targets: npt.NDArray[Any]) -> Judged:
        return Judged.of_probs(
            probs,
            targets,
            facts=self.facts,
            cost_matrix=self.metric.costs,
            places=self.places,
            tokens=self.tokens,
            row_costs=self.row_costs,
        )


def metric_on_rows(
    metric: Metric,
    facts: ClassFacts,
    items: Items | None = None,
    *,
    paired: Mapping[str, PairedTest] | None = None,
) -> MetricOnRows:
    """Return a named metric or the user's metric as a function.

    Args:
        metric: The metric.
        facts: The kind of label, with the training rows of each class.
        items: The items that it is computed on; needed for several labels a row and for tokens.
        paired: The comparisons by paired training runs, by name of the metric.
    """
    tested = (paired or {}).get(metric.name)
    if items is None:
        return MetricOnRows(metric, facts, paired=tested)
    return MetricOnRows(
        metric,
        facts,
        LabelPlaces.of(items, facts),
        TokenPlaces.of(items, facts),
        None if items.costs is None else items.costs.cpu(),
        tested,
    )


def example_losses(
    scores: Scores, items: Items, *, facts: ClassFacts, seed: int
) -> list[ExampleLosses]:
    """Return the losses of each candidate on each item, as a selection by this metric needs them.

    Args:
        scores: The scores of K candidates.
        items: The items; the items of a cluster are left out together.
        facts: The kind of label, with the training rows of each class.
        seed: Seed of the groups that are left out.
    """
    log_probs = scores.predictions.log_probs.detach().cpu()
    log_loss = scores.example_log_loss.detach().cpu().float().numpy()
    classes = items.labels.cpu()
    wrong = scores.example_wrong.cpu()
    if scores.metric.is_balanced:
        wrong = balanced_scores(log_probs, facts.item_counts).argmax(-1) != classes
    clusters = None if items.clusters is None else items.clusters.cpu().numpy()
    metric = metric_on_rows(scores.metric, facts, items)
    without = _without(metric, log_probs, classes.numpy(), seed=seed, clusters=clusters)
    return [
        ExampleLosses(log_loss[k], wrong[k].numpy(), without[k] if without else None)
        for k in range(len(log_loss))
    ]


def _without(
    metric: MetricOnRows,
    log_probs: Tensor,
    targets: npt.NDArray[np.integer],
    *,
    seed: int,
    clusters: npt.NDArray[Any] | None,
) -> list[npt.NDArray[np.floating]] | None:
    """Return the metric with groups of rows left out, if it is not a mean over rows."""
    if metric.is_of_trainings or (not metric.metric.is_own and mean_of_wrong(metric.name)):
        return None
    rows = np.arange(len(targets))
    return [
        leave_out_values(partial(_on_some, metric, p), rows, targets, seed=seed, clusters=clusters)
        for p in log_probs.exp().numpy()
    ]


def _on_some(
    metric: MetricOnRows,
    probs: npt.NDArray[np.floating],
    rows: npt.NDArray[np.integer],
    targets: npt.NDArray[np.integer],
) -> float:
    """Return a metric on some of the rows, whose classes are the targets."""
    return float(metric.among(rows).fn(probs[rows], targets))
