"""The study's metric on some of the rows, for the selection and the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from autoloss.losses import ClassFacts
from autoloss.metrics import Judged, Metric, Scores, balanced_scores
from autoloss.metrics.known import mean_of_wrong
from autoloss.readout import Items
from autoloss.verdict.resampling import leave_out_values
from autoloss.verdict.select import ExampleLosses


@dataclass(frozen=True)
class MetricOnRows:
    """A metric as a function of probabilities (N, C) and classes (N,), with its direction."""

    name: str
    lower_is_better: bool
    fn: Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]


def metric_on_rows(metric: Metric, facts: ClassFacts) -> MetricOnRows:
    """Return a named metric or the user's metric as a function.

    Args:
        metric: The metric.
        facts: The kind of label, with the training rows of each class.
    """

    def declared(probs: npt.NDArray[Any], targets: npt.NDArray[Any]) -> float:
        costs = metric.costs
        judged = Judged.of_probs(probs, targets, facts=facts, cost_matrix=costs)
        return float(metric.of(judged)[0])

    return MetricOnRows(metric.name, metric.lower_is_better, metric.function or declared)


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
    without = _without(
        scores.metric, log_probs, classes.numpy(), facts, seed=seed, clusters=clusters
    )
    return [
        ExampleLosses(log_loss[k], wrong[k].numpy(), without[k] if without else None)
        for k in range(len(log_loss))
    ]


def _without(
    metric: Metric,
    log_probs: Tensor,
    targets: npt.NDArray[np.integer],
    facts: ClassFacts,
    *,
    seed: int,
    clusters: npt.NDArray[Any] | None,
) -> list[npt.NDArray[np.floating]] | None:
    """Return the metric with groups of rows left out, if it is not a mean over rows."""
    if not metric.is_own and mean_of_wrong(metric.name):
        return None
    function = metric_on_rows(metric, facts).fn
    return [
        leave_out_values(function, p.exp().numpy(), targets, seed=seed, clusters=clusters)
        for p in log_probs
    ]
