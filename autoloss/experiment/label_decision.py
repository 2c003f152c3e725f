"""The decision on several labels a row: thresholds of each label, or a number of labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.inference.classifier import Classifier
from autoloss.losses import ClassFacts
from autoloss.metrics import Metric
from autoloss.metrics.costs import EXPECTED_COST, pair_thresholds
from autoloss.metrics.label_places import LabelPlaces
from autoloss.metrics.label_thresholds import f1_thresholds
from autoloss.readout import Items
from autoloss.records import LabelInsights

BY_METRIC, LIKELIER, BY_F1 = "metric", "likelier", "f1"
# Metrics of the labels that are found: their best decisions are far from a half for rare labels.
_FOUND = ("f1", "jaccard")


def check_label_decision(rule: str | int, task: Task) -> None:
    """Check the rule of the decision on several labels.

    Args:
        rule: The rule; see `KnowledgeOptions`.
        task: The kind of label.

    Raises:
        InputError: It is unknown, no number of labels, or the task has one label a row.
    """
    if not task.names:
        if rule != BY_METRIC:
            raise InputError(
                f"label_decision must be left out for one label per row, but got {rule!r}."
            )
        return
    text = str(rule)
    if text in (BY_METRIC, LIKELIER, BY_F1):
        return
    if not text.isdecimal() or not 1 <= int(text) < len(task.names):
        raise InputError(
            f"label_decision must be {BY_METRIC!r}, {LIKELIER!r}, {BY_F1!r} or a number of labels"
            f" from 1 to {len(task.names) - 1}, but got {rule!r}."
        )


def as_decided(labels: LabelInsights | None, model: Classifier) -> LabelInsights | None:
    """Return the figures of labels with the decision of the shipped model."""
    if labels is None:
        return None
    thresholds = () if model.thresholds is None else tuple(model.thresholds.tolist())
    return replace(labels, labels_each=model.labels_each, thresholds=thresholds)


def with_label_decision(
    model: Classifier,
    rule: str | int,
    metric: Metric,
    log_probs: NDArray[np.floating],
    items: Items,
    facts: ClassFacts,
) -> Classifier:
    """Return a model that decides on several labels by a rule; others stay as they are.

    Args:
        model: The model.
        rule: The rule; see `KnowledgeOptions`.
        metric: The metric of the study, with the costs of the labels.
        log_probs: The model's predictions for rows that its members did not train on.
        items: The items of these rows.
        facts: The kind of label.

    Shape:
        log_probs (M, 2).
    """
    places = LabelPlaces.of(items, facts)
    if places is None:
        return model
    text = str(rule)
    if text.isdecimal():
        return replace(model, labels_each=int(text))
    name = metric.name.split("_")[0]
    is_by_costs = text == BY_METRIC and metric.name == EXPECTED_COST
    if is_by_costs and metric.costs is not None:
        return replace(model, thresholds=pair_thresholds(metric.costs))
    if text == BY_F1 or (text == BY_METRIC and name in _FOUND):
        log_odds = np.asarray(log_probs[:, 1] - log_probs[:, 0], dtype=np.float64)
        found = f1_thresholds(log_odds, items.labels.numpy() == 1, places)
        return replace(model, thresholds=torch.from_numpy(special.expit(found)))
    return model
