"""Strangers as sentences, rows and a figure, for terminal and page."""

from __future__ import annotations

from autoloss.records.strangers import Estimate, Strangers, TemperatureCurve
from autoloss.report.words import capital, count_text, listed

HEADS = ("score", "AUROC", "average precision", "accepted at 95%")
NAMES = {
    "max_probability": "maximum probability",
    "entropy": "entropy",
    "energy": "energy",
    "max_logit": "maximum logit",
    "class_distance": "distance to the class means",
}


def score_rows(found: Strangers) -> list[tuple[str, ...]]:
    """Return a row for each score: name and figures with their intervals."""
    return [
        (
            capital(NAMES[one.name]),
            _text(one.auroc),
            _text(one.average_precision),
            _text(one.false_acceptance, percent=True),
        )
        for one in found.scores
    ]


def summary_text(found: Strangers) -> str:
    """Return the best score in a sentence, and whether a temperature helps."""
    best = max(found.scores, key=lambda one: one.auroc.value)
    name, groups = (
        NAMES[best.name],
        (f"the {count_text(found.rows, 'stranger')} from the {found.known:,} known rows"),
    )
    sentences = [
        f"The {name} tells {groups} best: AUROC {_text(best.auroc)}; "
        f"{best.false_acceptance.value:.0%} of them are accepted where 95% of the known rows are."
    ]
    if is_fooled(found):
        sentences = [
            f"No score tells {groups} better than chance: the largest AUROC, of the {name}, is "
            f"{_text(best.auroc)}."
        ]
    return " ".join([*sentences, *map(temperature_text, found.curves)])


def temperature_text(curve: TemperatureCurve) -> str:
    """Return in a sentence whether a temperature helps a score."""
    name = f"the {NAMES[curve.name]}"
    change = f"{curve.gain.value:+.3f} ({curve.gain.low:+.3f} to {curve.gain.high:+.3f})"
    change = change.replace("-", "−")
    if curve.helps is None:
        return f"A temperature changes the AUROC of {name} by {change}: no evidence that it helps."
    if not curve.helps:
        return f"A temperature changes the AUROC of {name} by {change}: it harms."
    return f"A temperature of {curve.best:g} helps {name}: AUROC {change} on rows kept apart."


def is_fooled(found: Strangers) -> bool:
    """Return whether no score tells strangers from known rows better than chance."""
    return all(one.auroc.low <= 0.5 for one in found.scores)


def curve_names(found: Strangers) -> str:
    """Return the names of the scores that are drawn over the temperature."""
    return listed([NAMES[one.name] for one in found.curves])


def _text(one: Estimate, *, percent: bool = False) -> str:
    if percent:
        return f"{one.value:.0%} ({one.low:.0%} to {one.high:.0%})"
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
