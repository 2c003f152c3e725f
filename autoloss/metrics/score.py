"""All metrics of K candidates on one set of rows."""

from __future__ import annotations

from dataclasses import dataclass

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
from autoloss.metrics.costs import EXPECTED_COST, expected_cost
from autoloss.metrics.decisions import balanced_error, error
from autoloss.metrics.proper import brier, log_loss
from autoloss.metrics.ranking import auroc, average_precision
from autoloss.metrics.resolve import Metric, MetricFunction, resolve_metric
from autoloss.metrics.smooth import smooth_ece
from autoloss.readout import Predictions, Readouts, fit_readouts


@dataclass(frozen=True)
class Scores:
    """Metrics of K candidates, with the read-outs behind them.

    They are of the shipped probabilities (the chosen read-out with its temperature), but for those
    whose name begins with ``raw_``, which are of the softmax of the logits. ``log_loss`` and
    ``refined_log_loss`` are one number, that of what is shipped: cross-fitted on the rows that the
    read-outs were fitted on.

    Args:
        metrics: Metric by name, shape (K,), float64; NaN for a candidate without finite logits.
        metric: The one that takes the place of the error.
        readouts: The read-outs.
        predictions: The shipped probabilities on these rows.
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
        """Return the metric that takes the place of the error, shape (K,)."""
        return self.metrics[self.metric.name]

    def row(self, k: int) -> dict[str, float]:
        """Return the metrics of candidate k as plain numbers."""
        return {name: float(values[k]) for name, values in self.metrics.items()}


def score(
    logits: Tensor,
    targets: Tensor,
    objective: Objective,
    *,
    folds: Tensor,
    metric: str | MetricFunction | Metric | None = None,
    start: Tensor | None = None,
) -> Scores:
    """Fit the read-outs by cross-fitting on these rows and return all metrics.

    Args:
        logits: Logits of the validation rows.
        targets: Their classes.
        objective: The losses of the K candidates.
        folds: Fold of each row, from `autoloss.readout.fold_numbers`.
        metric: What takes the place of the error, as in `resolve_metric`.
        start: State of an earlier fit, which only saves time.

    Shape:
        logits (K, N, C), targets (N,), folds (N,), start (K, 3).

    Raises:
        InputError: If the shapes or classes do not fit, or the metric does not.
    """
    _check(logits, targets)
    resolved = resolve_metric(metric, n_classes=logits.shape[-1])
    readouts = fit_readouts(logits, targets, objective, folds=folds, start=start)
    return _scores(readouts, readouts.predictions, logits, targets, objective, resolved)


def score_with(
    readouts: Readouts,
    logits: Tensor,
    targets: Tensor,
    objective: Objective,
    *,
    metric: str | MetricFunction | Metric | None = None,
) -> Scores:
    """Apply read-outs that were fitted on other rows and return all metrics; nothing is fitted.

    Args:
        readouts: The read-outs, fitted on validation rows.
        logits: Logits of the same candidates on other rows.
        targets: Their classes.
        objective: The losses of the K candidates.
        metric: What takes the place of the error, as in `resolve_metric`.

    Shape:
        logits (K, N, C), targets (N,).

    Raises:
        InputError: If the shapes or classes do not fit, or the metric does not.
    """
    _check(logits, targets)
    resolved = resolve_metric(metric, n_classes=logits.shape[-1])
    predictions = readouts.predict(logits, targets, objective)
    return _scores(readouts, predictions, logits, targets, objective, resolved)


def _scores(
    readouts: Readouts,
    predictions: Predictions,
    logits: Tensor,
    targets: Tensor,
    objective: Objective,
    metric: Metric,
) -> Scores:
    """Compute every metric and blank those of candidates without finite logits."""
    log_probs = predictions.log_probs
    shipped = predictions.example_log_loss.mean(-1, dtype=torch.float64)
    raw = log_loss(torch.log_softmax(logits.to(log_probs.dtype), -1), targets)
    confidence, correct = top_label(log_probs, targets)
    metrics = {
        "error": predictions.wrong.double().mean(-1),
        "balanced_error": balanced_error(log_probs, targets, class_counts=objective.class_counts),
        "raw_error": error(logits, targets),
        "log_loss": shipped,
        "refined_log_loss": shipped,
        "raw_log_loss": raw,
        "calibration_loss": raw - shipped,
        "brier": brier(log_probs, targets),
        "debiased_calibration_error": debiased_calibration_error(confidence, correct),
        "ece": confidence_ece(confidence, correct),
        "ece_null": ece_null(confidence),
        "smooth_ece": smooth_ece(confidence, correct),
        "temperature": torch.exp(-readouts.log_beta),
    }
    if predictions.log_odds is not None:
        metrics["average_precision"] = average_precision(predictions.log_odds, targets)
        metrics["auroc"] = auroc(predictions.log_odds, targets)
    is_finite = predictions.is_finite
    if metric.costs is not None:
        metrics[EXPECTED_COST] = expected_cost(log_probs, targets, metric.costs)
    if metric.is_own and metric.name in metrics:
        message = "A metric function must have a name of its own"
        raise InputError(f"{message}, but got name={metric.name!r}.")
    if metric.name == "accuracy":
        metrics["accuracy"] = 1.0 - metrics["error"]
    elif metric.name == "balanced_accuracy":
        metrics["balanced_accuracy"] = 1.0 - metrics["balanced_error"]
    elif metric.name not in metrics:
        metrics[metric.name] = metric.of_all(log_probs, targets, is_finite)
    blanked = {name: torch.where(is_finite, of, torch.nan) for name, of in metrics.items()}
    return Scores(metrics=blanked, metric=metric, readouts=readouts, predictions=predictions)


def _check(logits: Tensor, targets: Tensor) -> None:
    """Refuse logits and targets that do not fit."""
    if logits.ndim != 3 or min(logits.shape) == 0 or logits.shape[-1] < 2:
        message = "Logits must have the shape (candidates, rows, classes)"
        raise InputError(f"{message}, but got shape={tuple(logits.shape)}.")
    if targets.shape != logits.shape[1:2]:
        message = "Targets must have one class a row"
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
