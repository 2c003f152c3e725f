"""How well a model's scores tell strangers, rows that belong to no class, from its own rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval by the bootstrap over rows, or over clusters of rows.

    Args:
        value: The figure.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class StrangerScore:
    """How well a score tells strangers from known rows.

    Args:
        name: ``"max_probability"``, ``"entropy"``, ``"energy"``, ``"max_logit"`` or
            ``"class_distance"``.
        auroc: The chance that a stranger scores above a known row; 0.5 by chance.
        average_precision: Strangers being positive; by chance their share of all rows.
        false_acceptance: The share of the strangers that is accepted where 95 % of the known rows
            are: the false positive rate at 95 % recall.
    """

    name: str
    auroc: Estimate
    average_precision: Estimate
    false_acceptance: Estimate


@dataclass(frozen=True)
class TemperatureCurve:
    """The area under the ROC curve of a score over the temperature that divides the logits.

    Args:
        name: The score.
        auroc: At each temperature of `Strangers.temperatures`.
        best: The temperature of the largest area.
        gain: Area on rows that did not choose the temperature, at the temperature that the other
            rows chose, less the area at T = 1.
    """

    name: str
    auroc: tuple[float, ...]
    best: float
    gain: Estimate

    @property
    def helps(self) -> bool | None:
        """Return whether a temperature is shown to help; None where nothing is shown."""
        if self.gain.low > 0.0:
            return True
        return False if self.gain.high < 0.0 else None


@dataclass(frozen=True)
class Strangers:
    """Strangers beside the rows of a diagnosis.

    Args:
        rows: The number of strangers.
        known: The number of known rows.
        scores: Each score, at T = 1.
        temperatures: The temperatures of the curves, ascending.
        curves: The scores over the temperature; none for probabilities.
    """

    rows: int
    known: int
    scores: tuple[StrangerScore, ...]
    temperatures: tuple[float, ...] = ()
    curves: tuple[TemperatureCurve, ...] = ()
