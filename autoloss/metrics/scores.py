"""All metrics of K candidates on one set of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses import Objective
from autoloss.metrics.calibration import (
    confidence_ece,
    debiased_calibration_error,
    ece_null,
    top_label,
)
from autoloss.metrics.decisions import error
from autoloss.metrics.entities import entity_tags
from autoloss.metrics.judged import Judged, MetricFunction
from autoloss.metrics.known import DECLARED
from autoloss.metrics.label_places import LabelPlaces
from autoloss.metrics.proper import log_loss
from autoloss.metrics.resolve import Metric, resolve_metric
from autoloss.metrics.smooth import smooth_ece
from autoloss.metrics.token_places import TokenPlaces
from autoloss.readout import Items, Predictions, Readouts, fit_readouts


@dataclass(frozen=True)
class Scores:
    """Metrics of K candidates, with their read-outs.

    A metric is computed from the shipped probabilities (the chosen read-out with its temperature);
    only a metric whose name begins with ``raw_`` is computed from the softmax of the logits.
    ``log_loss`` and ``refined_log_loss`` are the same number. On the rows on which the read-outs
    were fitted, the probabilities are cross-fitted.

    Args:
        metrics: Metric by name, shape (K,), float64; NaN for a candidate without finite logits.
        metric: The metric of the study.
        readouts: The read-outs.
        predictions: The shipped probabilities of the items of these rows.
    """

    metrics: dict[str, Tensor]
    metric: Metric
    readouts: Readouts
    predictions: Predictions

    @property
    def example_log_loss(self) -> Tensor:
        """Return the log loss of each example in nats, shape (K, N)."""
        return self.predictions.example_log_loss

    @property
    def example_wrong(self) -> Tensor:
        """Return whether each decision is wrong, shape (K, N)."""
        return self.predictions.wrong

    @property
    def value(self) -> Tensor:
        """Return the metric of the study, shape (K,)."""
        return self.metrics[self.metric.name]

    def with_figures(self, figures: Mapping[str, Sequence[float]]) -> Scores:
        """Return the scores with further metrics of the candidates, (K,) by name."""
        like = self.metrics["log_loss"]
        more = {name: like.new_tensor(list(values)) for name, values in figures.items()}
        return replace(self, metrics={**self.metrics, **more})

    def row(self, k: int) -> dict[str, float]:
        """Return the metrics of candidate k as plain numbers."""
        return {name: float(values[k]) for name, values in self.metrics.items()}


def score(
    logits: Tensor,
    targets: Tensor | Items,
    objective: Objective,
    *,
    folds: Tensor,
    metric: str | MetricFunction | Metric | None = None,
    own: Sequence[Metric] = (),
    start: Tensor | None = None,
) -> Scores:
    """Fit the read-outs by cross-fitting on these rows and return all metrics.

    Args:
        logits: Logits of the validation rows.
        targets: Their classes, or their items.
        objective: The losses of the K candidates.
        folds: Fold of each row, from `autoloss.readout.fold_numbers`.
        metric: The metric of the study, as in `resolve_metric`.
        own: Custom metrics, which are computed beside it.
        start: State of an earlier fit, which only saves time.

    Shape:
        logits (K, N, C), targets (N,), folds (N,), start (K, 3). Other kinds of label: as in
        `autoloss.readout.fit_readouts`.

    Raises:
        InputError: If the shapes or classes do not fit, or the metric does not.
    """
    items = _checked(logits, targets, objective)
    resolved = resolve_metric(metric, facts=objective.facts)
    readouts = fit_readouts(logits, items, objective, folds=folds, start=start)
    return _scores(readouts, readouts.predictions, logits, items, objective, resolved, own)


def score_with(
    readouts: Readouts,
    logits: Tensor,
    targets: Tensor | Items,
    objective: Objective,
    *,
    metric: str | MetricFunction | Metric | None = None,
) -> Scores:
    """Apply read-outs that were fitted on other rows and return all metrics; nothing is fitted.

    Args:
        readouts: The read-outs, fitted on validation rows.
        logits: Logits of the same candidates on other rows.
        targets: Their classes, or their items.
        objective: The losses of the K candidates.
        metric: The metric of the study, as in `resolve_metric`.

    Shape:
        logits (K, N, C), targets (N,).

    Raises:
        InputError: If the shapes or classes do not fit, or the metric does not.
    """
    items = _checked(logits, targets, objective)
    resolved = resolve_metric(metric, facts=objective.facts)
    predictions = readouts.predict(logits, items, objective)
    return _scores(readouts, predictions, logits, items, objective, resolved, ())


def _scores(
    readouts: Readouts,
    predictions: Predictions,
    logits: Tensor,
    items: Items,
    objective: Objective,
    metric: Metric,
    own: Sequence[Metric],
) -> Scores:
    """Compute every metric; candidates without finite logits have NaN.

    Metrics of models are left out.
    """
    judged = Judged(
        scores=predictions.log_probs,
        are_logs=True,
        classes=items.labels,
        given_wrong=predictions.wrong,
        log_odds=predictions.log_odds,
        facts=objective.facts,
        cost_matrix=metric.costs,
        places=LabelPlaces.of(items, objective.facts),
        tokens=TokenPlaces.of(items, objective.facts),
        row_costs=items.costs,
    )
    scores = items.scores(objective.facts.over_classes(logits))
    metrics = _metrics(judged, scores, torch.exp(-readouts.log_beta))
    for one in {**{one.name: one for one in own}, metric.name: metric}.values():
        if one.is_own and one.name in metrics:
            message = "A metric function must have a unique name"
            raise InputError(f"{message}, but got name={one.name!r}.")
        if one.name not in metrics and not one.is_of_models:
            metrics[one.name] = one.of_rows(judged)
    blanked = {
        name: torch.where(predictions.is_finite, values, torch.nan)
        for name, values in metrics.items()
    }
    return Scores(metrics=blanked, metric=metric, readouts=readouts, predictions=predictions)


def _metrics(judged: Judged, scores: Tensor, temperature: Tensor) -> dict[str, Tensor]:
    """Return the metrics that every trial has, in the order of a table's columns."""
    targets = judged.classes
    raw = log_loss(torch.log_softmax(scores.to(judged.log_probs.dtype), -1), targets)
    confidence, correct = top_label(judged.log_probs, targets)
    always = always_of(judged)
    return {
        "error": always.pop("error"),
        "balanced_error": always.pop("balanced_error"),
        "raw_error": error(scores, targets),
        "log_loss": always["log_loss"],
        "refined_log_loss": always["log_loss"],
        "raw_log_loss": raw,
        "calibration_loss": raw - always.pop("log_loss"),
        "brier": always.pop("brier"),
        "debiased_calibration_error": debiased_calibration_error(confidence, correct),
        "ece": confidence_ece(confidence, correct),
        "ece_null": ece_null(confidence),
        "smooth_ece": smooth_ece(confidence, correct),
        "temperature": temperature,
        **always,
    }


def always_of(judged: Judged) -> dict[str, Tensor]:
    """Return the metrics that do not depend on the study's metric, each (K,).

    A metric of yes and no is left out for other classes, the expected cost without a cost matrix.
    Several labels have F1 too, at fitted thresholds and at a half; tags have the F1 of entities,
    or the overlap of segments.
    """
    # The order of the columns in tables of trials.
    first = ("error", "balanced_error", "log_loss", "brier", "average_precision")
    of_kind: tuple[str, ...] = () if judged.places is None else ("f1_macro", "f1_micro")
    if judged.tokens is not None:
        of_kind = (_of_tags(judged.tokens.names),)
    return {
        name: judged.value(DECLARED[name].function)
        for name in dict.fromkeys((*first, *of_kind, *DECLARED))
        if (DECLARED[name].always or name in of_kind)
        and not (DECLARED[name].two_classes and not judged.facts.is_yes_or_no)
        and not (DECLARED[name].several_labels and judged.places is None)
        and not (DECLARED[name].needs_costs and judged.cost_matrix is None)
    }


def _of_tags(names: tuple[str, ...]) -> str:
    """Return the metric that every trial of sequences has, by the form of its tags."""
    return "segment_overlap" if entity_tags(names) is None else "entity_f1"


def _checked(logits: Tensor, targets: Tensor | Items, objective: Objective) -> Items:
    """Return the items; refuse logits and targets that do not fit."""
    items = Items.of(targets, objective.facts)
    logits, targets = items.scores(objective.facts.over_classes(logits)), items.labels
    if logits.ndim != 3 or min(logits.shape) == 0 or logits.shape[-1] < 2:
        message = "Logits must have the shape (candidates, rows, classes)"
        raise InputError(f"{message}, but got shape={tuple(logits.shape)}.")
    if targets.shape != logits.shape[1:2]:
        message = "Targets must have a class for each row"
        shapes = f"targets={tuple(targets.shape)}, logits={tuple(logits.shape)}"
        raise InputError(f"{message}, but got {shapes}.")
    if (
        targets.is_floating_point()
        or not 0 <= int(targets.min()) <= int(targets.max()) < (logits.shape[-1])
    ):
        message = f"Targets must be whole numbers in [0, {logits.shape[-1]})"
        raise InputError(
            f"{message}, but got {targets.dtype} in [{targets.min()}, {targets.max()}]."
        )
    return items
