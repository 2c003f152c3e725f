"""Two models on each of several labels a row, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from autoloss.records.reliability import Reliability


@dataclass(frozen=True)
class LabelFigures:
    """One label on the rows of the verdict.

    Figures of decisions refer to the shipped model if it decides for yes where yes is likelier,
    unless the threshold is named.

    Args:
        name: The label.
        rows: Rows of which the label is known.
        positives: Rows that have it.
        decided: Rows that are decided for it.
        error: Share of wrong decisions.
        average_precision: Area under the precision-recall curve; NaN unless the label varies.
        auroc: Area under the ROC curve; NaN unless the label varies.
        calibration: Debiased squared calibration error of its probability.
        threshold: The probability above which yes is decided for, chosen for F1 on all rows.
        f1: F1 at thresholds that other rows decide; NaN unless the label varies.
        f1_at_half: F1 at a probability of a half.
        difference: Log loss of the challenger less that of tuned cross-entropy, in nats.
        low: Lower end of its 95 % interval.
        high: Upper end of it.
        p_value: Its two-sided p-value, corrected by Holm over the labels.
    """

    name: str
    rows: int
    positives: int
    decided: int
    error: float
    average_precision: float
    auroc: float
    calibration: float
    threshold: float
    f1: float
    f1_at_half: float
    difference: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class LabelPair:
    """Two labels that the shipped model confuses, or whose correlation it misses.

    Args:
        one: A label.
        other: Another label.
        rows: Rows of which both are known.
        correlation: Correlation of the two labels.
        missed: Correlation of the residuals of each; 0 if the inputs explain
            why the labels go together.
        swapped: Rows that have one of them and are decided for the other in its place.
    """

    one: str
    other: str
    rows: int
    correlation: float
    missed: float
    swapped: int


@dataclass(frozen=True)
class LabelInsights:
    """Challenger and tuned cross-entropy on several labels, on the rows of the verdict.

    Args:
        labels: The figures of each label, in the order of the task.
        missed: The pairs with the largest missed correlations, the largest first.
        swapped: The pairs that are confused on the most rows, the most first.
        positives: All positives, of all labels.
        decided: All decisions for yes of the challenger at a half.
        baseline_decided: The same of tuned cross-entropy.
        worst: Reliability diagrams of the least calibrated labels, for the shipped model.
        labels_each: The number of labels that the shipped model gives each row; 0 for no fixed
            number.
        thresholds: The probability above which the shipped model decides for each label; empty
            for a half.
    """

    labels: tuple[LabelFigures, ...]
    missed: tuple[LabelPair, ...]
    swapped: tuple[LabelPair, ...]
    positives: int
    decided: int
    baseline_decided: int
    worst: tuple[Reliability, ...] = ()
    labels_each: int = 0
    thresholds: tuple[float, ...] = ()
