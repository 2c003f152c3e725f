"""The title, number format, direction and meaning of each metric."""

from __future__ import annotations

from dataclasses import dataclass

from autoloss.metrics.declare import Kind
from autoloss.metrics.known import DECLARED
from autoloss.records import REFINED_LOG_LOSS


@dataclass(frozen=True)
class MetricWords:
    """A metric in words.

    Args:
        title: Name as a reader says it.
        kind: ``"share"`` is shown as a percentage, ``"nats"`` and ``"plain"`` with four decimals.
        lower_is_better: Its direction.
        meaning: Its meaning in one sentence.
    """

    title: str
    kind: Kind
    lower_is_better: bool
    meaning: str = ""


METRICS = {
    "raw_error": MetricWords(
        "Error before read-out", "share", True, "Error of the class with the largest logit."
    ),
    REFINED_LOG_LOSS: MetricWords(
        "Log loss after calibration",
        "nats",
        True,
        "Negative log-likelihood in nats of the calibrated probabilities: the objective.",
    ),
    "raw_log_loss": MetricWords(
        "Log loss before calibration", "nats", True, "Negative log-likelihood of the raw softmax."
    ),
    "calibration_loss": MetricWords(
        "Calibration loss", "nats", True, "Log loss before calibration minus after it."
    ),
    **{
        one.name: MetricWords(one.title, one.kind, one.lower_is_better, one.meaning)
        for one in DECLARED.values()
    },
    "debiased_calibration_error": MetricWords(
        "Debiased calibration error", "plain", True, "Squared calibration error less its bias."
    ),
    "ece": MetricWords(
        "ECE", "plain", True, "Expected calibration error; compare it with its null level."
    ),
    "ece_null": MetricWords(
        "ECE null level", "plain", True, "The ECE of perfectly calibrated probabilities."
    ),
    "smooth_ece": MetricWords("Smooth ECE", "plain", True, "Calibration error without bins."),
    "temperature": MetricWords(
        "Temperature", "plain", True, "The divisor of the logits; 1 leaves them unchanged."
    ),
}
"""The metrics that are declared, and the other figures of a trial."""
NAMES_OF_PEOPLE = tuple(
    dict.fromkeys(one.title.split()[0] for one in DECLARED.values() if one.is_named_after)
)
"""The words that keep their capital in the middle of a sentence."""


def metric_words(name: str, *, lower_is_better: bool = True) -> MetricWords:
    """Return the words for a metric; a custom metric gets its name and `lower_is_better`."""
    return METRICS.get(name) or MetricWords(
        name.replace("_", " ").strip().capitalize(), "plain", lower_is_better
    )
