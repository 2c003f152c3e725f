"""How well a model's scores separate out-of-distribution (OOD) rows from its own rows."""

from __future__ import annotations

from dataclasses import dataclass

from autoloss.records.estimates import Estimate

SCORES = ("max_probability", "entropy", "energy", "max_logit", "class_distance")
"""The OOD scores; each is higher for OOD rows."""
FIGURES = {"auroc": True, "aupr": True, "fpr95": False}
"""The figures of a score, and whether higher is better."""
PREFIX = "ood_"


def ood_names() -> dict[str, bool]:
    """Return the names of the figures that can be an objective, and whether higher is better.

    ``"ood_auroc"`` is that of the best score at temperature 1, ``"ood_auroc_energy"`` that of the
    energy.

    Examples:
        >>> ood_names()["ood_fpr95"], ood_names()["ood_auroc_energy"]
        (False, True)
    """
    every = {f"{PREFIX}{figure}": higher for figure, higher in FIGURES.items()}
    return every | {
        f"{PREFIX}{figure}_{score}": higher
        for figure, higher in FIGURES.items()
        for score in SCORES
    }


@dataclass(frozen=True)
class StrangerScore:
    """How well a score separates OOD rows from in-distribution rows.

    Args:
        name: A name of `SCORES`, with ``@T`` for a temperature.
        auroc: The chance that an OOD row scores above an in-distribution row; 0.5 by chance.
        average_precision: OOD rows being positive; by chance their share of all rows.
        false_acceptance: The share of the OOD rows that is accepted where 95 % of the
            in-distribution rows are: the false positive rate at 95 % recall.
    """

    name: str
    auroc: Estimate
    average_precision: Estimate
    false_acceptance: Estimate

    @property
    def figures(self) -> dict[str, float]:
        """Return the figures by the names of `FIGURES`."""
        every = (self.auroc, self.average_precision, self.false_acceptance)
        return {name: one.value for name, one in zip(FIGURES, every, strict=True)}


@dataclass(frozen=True)
class TemperatureCurve:
    """The area under the ROC curve of a score over the temperature that divides the logits.

    Args:
        name: The score.
        auroc: At each of some temperatures.
        best: The temperature of the largest area, in a search that of the OOD rows that choose.
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
    """OOD rows beside the rows of a diagnosis.

    Args:
        rows: The number of OOD rows.
        known: The number of in-distribution rows.
        scores: Each score, at T = 1.
        temperatures: The temperatures of the curves, ascending.
        curves: The scores over the temperature; none for probabilities.
    """

    rows: int
    known: int
    scores: tuple[StrangerScore, ...]
    temperatures: tuple[float, ...] = ()
    curves: tuple[TemperatureCurve, ...] = ()


@dataclass(frozen=True)
class FinalistStrangers:
    """How well a finalist separates OOD rows from the rows that its training runs held out.

    Args:
        number: Its trial.
        chosen: The score that was chosen on one half of the OOD rows, judged on the other half.
        scores: Every score at T = 1 on the other half; of challenger and tuned cross-entropy.
        curves: The scores over the temperature there; of challenger and tuned cross-entropy.
    """

    number: int
    chosen: StrangerScore
    scores: tuple[StrangerScore, ...] = ()
    curves: tuple[TemperatureCurve, ...] = ()


@dataclass(frozen=True)
class SearchStrangers:
    """The OOD rows of a search: a score is chosen on half of them and judged on the locked half.

    Args:
        source: Where they come from.
        chose: The number of OOD rows on which the scores were chosen.
        judged: The number of locked OOD rows.
        known: The number of in-distribution rows on which the shipped model is judged.
        ships: The score of the shipped model, on these rows and the locked OOD rows.
        finalists: The finalists.
        temperatures: The temperatures of their curves, ascending.
    """

    source: str
    chose: int
    judged: int
    known: int
    ships: StrangerScore
    finalists: tuple[FinalistStrangers, ...] = ()
    temperatures: tuple[float, ...] = ()
