"""The sources of the gain: the steps from default cross-entropy to the challenger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autoloss.records import Comparison, Gain
from autoloss.verdict.comparisons import compare, compare_metric
from autoloss.verdict.named_metric import NamedMetric
from autoloss.verdict.paired import PairedTest
from autoloss.verdict.posthoc import PostHoc

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class GainStep:
    """The predictions of a step for the rows of the verdict.

    Args:
        step: Its name, as in `Gain.step`.
        detail: The change in words.
        log_probs: Log probabilities, which the log loss judges; (N, C).
        decided: Log probabilities of moved decisions, which the metric judges; (N, C). None if
            they equal `log_probs`.
    """

    step: str
    detail: str
    log_probs: FloatArray
    decided: FloatArray | None = None

    @property
    def judged(self) -> FloatArray:
        """Return the log probabilities that the metric judges."""
        return self.log_probs if self.decided is None else self.decided


def steps_of(
    default: FloatArray,
    tuned: FloatArray,
    calibrated: FloatArray,
    challenger: FloatArray | None,
    *,
    readout: str = "",
    label: str = "",
    posthoc: PostHoc | None = None,
    challenger_posthoc: PostHoc | None = None,
) -> tuple[GainStep, ...]:
    """Return the steps from default cross-entropy to the challenger.

    Moving the decisions after training is a separate step. The challenger's decisions are moved in
    the same way, so that the last step shows the effect of the loss alone.

    Args:
        default: Log probabilities by softmax of cross-entropy at its default settings.
        tuned: Log probabilities of tuned cross-entropy by softmax.
        calibrated: Log probabilities of tuned cross-entropy after its read-out.
        challenger: Log probabilities of the challenger as it ships; None for no challenger.
        readout: Read-out of tuned cross-entropy in words, such as ``"temperature 1.3"``.
        label: Readable name of the challenger's loss.
        posthoc: The shift of tuned cross-entropy's decisions; None for no shift.
        challenger_posthoc: The shift of the challenger's, fitted on its held-out rows.

    Shape:
        default (N, C), tuned (N, C), calibrated (N, C), challenger (N, C).
    """
    readout = readout or "its probabilities read out on held-out rows"
    steps = [
        GainStep("default cross-entropy", "at its default settings", default),
        GainStep("tuned", "its learning rate and other settings searched", tuned),
        GainStep("temperature", readout, calibrated),
    ]
    if posthoc is not None:
        moved = posthoc.decided(calibrated)
        steps.append(GainStep(posthoc.kind, posthoc.detail, calibrated, moved))
    if challenger is not None:
        moves = posthoc is not None and challenger_posthoc is not None
        decided = challenger_posthoc.decided(challenger) if moves and challenger_posthoc else None
        steps.append(GainStep("another loss", label, challenger, decided))
    return tuple(steps)


def gain_steps(
    steps: Sequence[GainStep],
    targets: IntArray,
    *,
    metric: NamedMetric,
    class_counts: IntArray | None = None,
    clusters: npt.NDArray[Any] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Gain, ...]:
    """Return metric and log loss at each step and their changes, with 95 % intervals.

    Args:
        steps: The steps, in order.
        targets: Classes of the rows of the verdict.
        metric: The study's metric.
        class_counts: Training rows of each class, which balanced error needs for its decisions.
        clusters: The cluster of each row; None for independent rows.
        resamples: Resamples of the paired bootstrap.
        seed: Its seed.

    Shape:
        targets (N,), clusters (N,).
    """
    how = _Bootstrap(targets, class_counts, clusters, resamples, seed)
    gains = []
    for place, one in enumerate(steps):
        of_metric, of_log_loss = how.changes(metric, one, steps[max(0, place - 1)])
        gain = Gain(one.step, one.detail, of_metric.challenger, of_log_loss.challenger)
        if place:
            gain = Gain(
                one.step,
                one.detail,
                metric=of_metric.challenger,
                log_loss=of_log_loss.challenger,
                metric_change=of_metric.difference,
                metric_low=of_metric.low,
                metric_high=of_metric.high,
                log_loss_change=of_log_loss.difference,
                log_loss_low=of_log_loss.low,
                log_loss_high=of_log_loss.high,
            )
        gains.append(gain)
    return tuple(gains)


@dataclass(frozen=True, eq=False)
class _Bootstrap:
    """The paired bootstrap on the rows of the verdict."""

    targets: IntArray
    class_counts: IntArray | None
    clusters: npt.NDArray[Any] | None
    resamples: int
    seed: int

    def changes(
        self, metric: NamedMetric, one: GainStep, before: GainStep
    ) -> tuple[Comparison, Comparison]:
        """Compare two steps in the study's metric and in log loss."""
        tested = self._known(one.log_probs, before.log_probs)
        log_loss = tested["log_loss"].comparison
        if metric.name not in tested:
            return self._any(metric, one.judged, before.judged), log_loss
        if one.decided is not None or before.decided is not None:
            tested = self._known(one.judged, before.judged)
        return tested[metric.name].comparison, log_loss

    def _known(self, one: FloatArray, before: FloatArray) -> dict[str, PairedTest]:
        return compare(
            one,
            before,
            self.targets,
            class_counts=self.class_counts,
            clusters=self.clusters,
            resamples=self.resamples,
            seed=self.seed,
        )

    def _any(self, metric: NamedMetric, one: FloatArray, before: FloatArray) -> Comparison:
        return compare_metric(
            metric,
            one,
            before,
            self.targets,
            clusters=self.clusters,
            resamples=min(self.resamples, max(200, 4_000_000 // len(self.targets))),
            seed=self.seed,
        ).comparison
