"""A trial, its learning curve, and the edges of the ranges that trials were drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from autoloss.core.display import Card, Shown, figures

TrialState = Literal["running", "complete", "diverged", "stopped", "pruned", "failed"]

REFINED_LOG_LOSS = "refined_log_loss"
"""Name of the metric that ranks trials: log loss after calibration, in nats."""

# The metrics that a printed trial shows.
_FIGURES = ("error", REFINED_LOG_LOSS, "brier", "debiased_calibration_error")


@dataclass(frozen=True)
class CurvePoint:
    """One point of a learning curve: epoch (from 1), refined log loss in nats, error in [0, 1]."""

    epoch: int
    refined_log_loss: float
    error: float


@dataclass(frozen=True, repr=False)
class TrialRecord(Shown):
    """A trial, for all parts outside the search.

    Args:
        number: Optuna's number of the trial, from 0.
        state: ``"complete"``, or another end; ``"pruned"`` if it left the race; then it
            has a learning curve but no metrics.
        loss: The loss as dotted keys, as in `LossSpec.to_dict`:
            ``{"base": "focal", "focal.gamma": 2.0}``.
        nuisance: Settings besides the loss: ``lr``, ``weight_decay``, ``dropout``, ...
        metrics: Validation metrics by name (``"error"``, ``"refined_log_loss"``, ``"ece"``, ...);
            empty if the trial has none.
        readout: How logits become probabilities: ``"softmax"``, ``"softmax+temperature"``,
            ``"link"`` or ``"link+temperature"``.
        curve: The learning curve on the validation rows, at most 20 points.
        seconds: Training time that this trial cost (its share of the population's), in seconds.
        started: Start, seconds since the epoch.
        ended: End, seconds since the epoch.
        origin: The reason for the trial: ``"default"`` (the literature's setting), ``"quota"`` or
            ``"sampler"``.
    """

    number: int
    state: TrialState
    loss: dict[str, Any]
    nuisance: dict[str, float]
    metrics: dict[str, float] = field(default_factory=dict)
    readout: str = "softmax"
    curve: tuple[CurvePoint, ...] = ()
    seconds: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    origin: str = "sampler"

    def _card(self) -> Card:
        shown = [(name, self.metrics[name]) for name in _FIGURES if name in self.metrics]
        pairs = (
            ("loss", self.label),
            ("settings", figures(self.nuisance.items())),
            ("validation", figures(shown) or "no metrics"),
            ("read-out", self.readout),
            ("trained", f"{self.seconds:.3g} s, {self.origin}"),
        )
        return Card(f"Trial {self.number}, {self.state}", pairs)

    @property
    def family(self) -> str:
        """Return the family: the name of the base loss."""
        return str(self.loss["base"])

    @property
    def label(self) -> str:
        """Return a short readable name of the loss."""
        return loss_label(self.loss)


def loss_label(loss: Mapping[str, Any]) -> str:
    """Return a short readable name of a loss in dotted keys.

    Examples:
        >>> loss_label({"base": "focal", "focal.gamma": 2.1, "target": "smoothing"})
        'focal gamma=2.1 + smoothing'
    """
    parts = [str(loss["base"])]
    for key in ("prior", "target", "penalty"):
        if loss.get(key, "none") != "none":
            parts.append(str(loss[key]))
    words = []
    for part in parts:
        shown = [
            f"{name.partition('.')[2]}={value:.3g}"
            if isinstance(value, float)
            else f"{name.partition('.')[2]}={value}"
            for name, value in loss.items()
            if name.startswith(f"{part}.")
        ]
        words.append(" ".join([part, *shown]))
    if loss.get("temperature", 1.0) != 1.0:
        words.append(f"temperature={loss['temperature']:.3g}")
    return " + ".join(words)


@dataclass(frozen=True)
class Edge:
    """A setting whose best value lies on the edge of its range.

    Args:
        family: The family.
        key: The dotted key, such as ``"lr"`` or ``"focal.gamma"``.
        value: Its value in the family's best trial.
        side: ``"low"`` or ``"high"``.
        low: Lower end of the range that was searched at the end.
        high: Upper end of it.
        is_widened: Whether the range was widened while the study ran.
    """

    family: str
    key: str
    value: float
    side: Literal["low", "high"]
    low: float
    high: float
    is_widened: bool
