"""Reliability diagrams, and the calibration of rare positives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reliability:
    """Points of a reliability diagram on the rows of the verdict, one per bin of confidence.

    Args:
        name: The model: ``"challenger"`` or ``"cross-entropy"``, with or without the
            read-out.
        confidence: Mean confidence of each bin.
        accuracy: Share of correct rows of each bin.
        count: Rows of each bin.
        low: Lower end of the 95 % band of the accuracy if the model were calibrated.
        high: Upper end of it.
        histogram: Rows by their confidence, in bins of equal width from 0 to 1; empty in older
            studies.
    """

    name: str
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    count: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    histogram: tuple[int, ...] = ()


@dataclass(frozen=True)
class TopShare:
    """The examples with the highest probability of the positive class.

    Args:
        share: Their share of all rows, such as 0.01.
        count: How many they are.
        expected: Positives among them by the probabilities.
        observed: Positives among them.
        recall: Share of all positives that they hold.
    """

    share: float
    count: int
    expected: float
    observed: int
    recall: float


@dataclass(frozen=True)
class Tails:
    """The calibration of rare positives, for the shipped model on the rows of the verdict.

    Args:
        prevalence: Share of the positives.
        bins: Bins of the log-odds: `Reliability` of the positive class.
        top: The examples at the top.
    """

    prevalence: float
    bins: Reliability
    top: tuple[TopShare, ...]
