"""OOD rows as sentences and rows of tables, for terminal and page."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from autoloss.records import Summary
from autoloss.records.estimates import Estimate
from autoloss.records.ood import (
    FinalistStrangers,
    SearchStrangers,
    Strangers,
    StrangerScore,
    TemperatureCurve,
)
from autoloss.report.finalists import trial_label
from autoloss.report.roles import BASELINE, CHALLENGER, trial_roles
from autoloss.report.rows import rows_name
from autoloss.report.shipped import is_promoted
from autoloss.report.words import capital, count_text, listed

HEADS = ("score", "AUROC", "average precision", "accepted at 95%")
NAMES = {
    "max_probability": "maximum probability",
    "entropy": "entropy",
    "energy": "energy",
    "max_logit": "maximum logit",
    "class_distance": "distance to the class means",
}


def score_rows(scores: Sequence[StrangerScore]) -> list[tuple[str, ...]]:
    """Return a row for each score: name and figures with their intervals."""
    return [(capital(score_name(one.name)), *_figures(one)) for one in scores]


def score_name(text: str) -> str:
    """Return the name of a score, with its temperature if it has one.

    Examples:
        >>> score_name("energy@10")
        'energy at T = 10'
    """
    name, mark, temperature = text.partition("@")
    return f"{NAMES[name]} at T = {temperature}" if mark else NAMES[name]


def summary_text(found: Strangers) -> str:
    """Return the best score in a sentence, and whether a temperature helps."""
    best = max(found.scores, key=lambda one: one.auroc.value)
    name, known = NAMES[best.name], f"{found.known:,} in-distribution rows"
    groups = f"the {count_text(found.rows, 'OOD row')} from the {known}"
    sentences = [
        f"The {name} separates {groups} best: AUROC {_text(best.auroc)}; "
        f"{best.false_acceptance.value:.0%} of them are accepted where 95% of the in-distribution "
        "rows are."
    ]
    if is_fooled(found):
        sentences = [
            f"No score separates {groups} better than chance: the largest AUROC, of the {name}, "
            f"is {_text(best.auroc)}."
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
    return f"A temperature of {curve.best:g} helps {name}: AUROC {change} on unseen rows."


def is_fooled(found: Strangers) -> bool:
    """Return whether no score separates OOD rows from in-distribution rows better than chance."""
    return all(one.auroc.low <= 0.5 for one in found.scores)


def curve_names(found: Strangers) -> str:
    """Return the names of the scores that are drawn over the temperature."""
    return listed([NAMES[one.name] for one in found.curves])


def _text(one: Estimate, *, percent: bool = False) -> str:
    if percent:
        return f"{one.value:.0%} ({one.low:.0%} to {one.high:.0%})"
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


@dataclass(frozen=True)
class StrangerFacts:
    """The OOD rows of a search as a reader sees them.

    Args:
        text: The score of the shipped model, and how well it detects the OOD rows.
        where: The rows of the tables.
        rows: A row for each finalist: number, label, roles, score and figures.
        sides: The scores of each side of the verdict: its title, and a row for each score.
        sentences: Whether a temperature helps, a sentence for each side and score.
    """

    text: str
    where: str
    rows: tuple[tuple[int, str, tuple[str, ...], str, tuple[str, ...]], ...]
    sides: tuple[tuple[str, list[tuple[str, ...]]], ...]
    sentences: tuple[str, ...]


def stranger_facts(summary: Summary) -> StrangerFacts | None:
    """Return the OOD rows of a search, or None without any."""
    found = summary.strangers
    if found is None:
        return None
    roles = trial_roles(summary)
    sides = side_finalists(summary, found)
    return StrangerFacts(
        _ships_text(summary, found),
        f"Each score was chosen on {count_text(found.chose, 'OOD row')} and is judged on "
        f"{found.judged:,} locked OOD rows, against the rows that each training run held out: "
        "means over the training runs, with 95% intervals by the bootstrap over clusters.",
        tuple(
            (
                one.number,
                trial_label(summary, one.number),
                tuple(roles.get(one.number, ())),
                score_name(one.chosen.name),
                _figures(one.chosen),
            )
            for one in found.finalists
        ),
        tuple((role, score_rows(one.scores)) for role, one in sides),
        tuple(side_text(role, curve) for role, one in sides for curve in one.curves),
    )


def strangers_short(summary: Summary) -> str:
    """Return the score of the shipped model in a line; empty without OOD rows."""
    found = summary.strangers
    if found is None:
        return ""
    one = found.ships
    accepted = f"{one.false_acceptance.value:.0%}"
    return (
        f"{score_name(one.name)}: AUROC {_text(one.auroc)}, {accepted} accepted where "
        "95% of in-distribution rows are"
    )


def side_finalists(
    summary: Summary, found: SearchStrangers
) -> tuple[tuple[str, FinalistStrangers], ...]:
    """Return challenger and tuned cross-entropy with their roles; a trial that is both once."""
    verdict = summary.verdict
    numbers = {verdict.challenger: CHALLENGER, verdict.baseline: BASELINE}
    shown = {one.number: one for one in found.finalists}
    return tuple((role, shown[n]) for n, role in numbers.items() if n in shown)


def side_text(role: str, curve: TemperatureCurve) -> str:
    """Return in a sentence whether a temperature helps a score of a side, and in which form."""
    rising = {b > a for a, b in itertools.pairwise(curve.auroc) if abs(b - a) > 0.001}
    shape = " Over the temperature it both rises and falls." if len(rising) == 2 else ""
    return f"{capital(role)}: {temperature_text(curve)}{shape}"


def _ships_text(summary: Summary, found: SearchStrangers) -> str:
    """Return the score of the shipped model, and how well it detects the OOD rows."""
    one, strangers = found.ships, count_text(found.judged, "OOD row")
    model = f"The {'first ' if is_promoted(summary) else ''}shipped model"
    rows = f"{found.known:,} of the {rows_name(summary)}"
    if one.auroc.low <= 0.5:
        more = " They look more in-distribution to the model than these rows."
        return (
            f"{model} does not separate the {strangers} of {found.source} from {rows}: "
            f"AUROC of the {score_name(one.name)} {_text(one.auroc)}, and 0.5 is chance."
            f"{more if one.auroc.high < 0.5 else ''}"
        )
    return (
        f"{model} has the {score_name(one.name)} as its score: AUROC "
        f"{_text(one.auroc)} between {strangers} of {found.source} and {rows}, average precision "
        f"{_text(one.average_precision)}. Where 95% of these rows are accepted, "
        f"{_text(one.false_acceptance, percent=True)} of the OOD rows are."
    )


def _figures(one: StrangerScore) -> tuple[str, ...]:
    return (
        _text(one.auroc),
        _text(one.average_precision),
        _text(one.false_acceptance, percent=True),
    )
