"""Is the winner real? The role of chance, in sentences."""

from __future__ import annotations

from autoloss.records import REFINED_LOG_LOSS, Summary
from autoloss.report.finalists import chance_text, takes_part, trial_words
from autoloss.report.power import power_text
from autoloss.report.rows import looks_text
from autoloss.report.words import (
    capital,
    count_text,
    is_number,
    metric_in_sentence,
    points_text,
    value_text,
)

POWER = "Smallest detectable difference"


def doubts(summary: Summary) -> tuple[tuple[str, str], ...]:
    """Return name and sentence of each fact about the role of chance in the winner."""
    found = (
        ("Selection bias", optimism_text(summary)),
        ("Correction of the comparison", correction_text(summary)),
        ("The best of the finalists", chance_sentence(summary)),
        (POWER, power_text(summary)),
        ("Earlier looks", looks_text(summary)),
    )
    # The comparison shows the power already.
    known = tuple(pair for pair in found if pair[1])
    return known if {name for name, _ in known} != {POWER} else ()


def optimism_text(summary: Summary) -> str:
    """Return the selection bias of the best trial, or an empty string if unknown."""
    found = summary.optimism
    if found is None:
        return ""
    pairs = {
        summary.metric: (found.metric, found.metric_honest),
        REFINED_LOG_LOSS: (found.log_loss, found.log_loss_honest),
    }
    known = [
        (name, seen, honest)
        for name, (seen, honest) in pairs.items()
        if is_number(seen) and is_number(honest)
    ]
    if not known:
        return ""
    (name, seen, honest), *rest = known
    first = (
        f"The best of {count_text(found.trials, 'trial')} by log loss after calibration has "
        f"{metric_in_sentence(name)} {value_text(name, seen)} on the rows that selected it; on "
        f"new rows such a selection gives {value_text(name, honest)}: "
        f"{_bias(summary, name, honest - seen)}."
    )
    others = (
        f" In {metric_in_sentence(name)} it is {value_text(name, seen)} and "
        f"{value_text(name, honest)}: {_bias(summary, name, honest - seen)}."
        for name, seen, honest in rest
    )
    return first + "".join(others)


def optimism_short(summary: Summary) -> str:
    """Return a line on the selection bias of the best trial."""
    gap = _gap(summary)
    found = summary.optimism
    if gap is None or found is None:
        return ""
    trials = count_text(found.trials, "trial")
    if gap <= 0.0:
        return f"the best of {trials} looks no better than it is"
    title = metric_in_sentence(summary.metric)
    return f"the best of {trials} looks {points_text(summary.metric, gap)} too good in {title}"


def correction_text(summary: Summary) -> str:
    """Return the correction of the comparison for the selection, empty for none."""
    found = summary.pair_optimism
    if found is None:
        return ""
    start = (
        "The rows that judge the challenger took part in the choice of it and of tuned "
        "cross-entropy. A bootstrap of both choices finds that this"
    )
    amounts = _amounts(summary)
    if not amounts:
        return f"{start} does not favour the challenger: the comparison is not corrected."
    others = (
        ", and by as many standard errors in the other scores but the calibration error"
        if found.log_loss > 0.0
        else ""
    )
    return (
        f"{start} favours the challenger by {amounts}: its gains are reduced by that{others}, "
        "down to zero."
    )


def correction_short(summary: Summary) -> str:
    """Return a line on the correction of the comparison for the selection, empty for none."""
    if summary.pair_optimism is None:
        return ""
    amounts = _amounts(summary)
    return f"gains reduced by {amounts}" if amounts else "none needed"


def _amounts(summary: Summary) -> str:
    """Return the optimism of the pair in words; empty if it is zero."""
    found = summary.pair_optimism
    if found is None:
        return ""
    pairs = {"log_loss": found.log_loss, summary.metric: found.metric}
    return " and ".join(
        f"{points_text(name, value)} in {metric_in_sentence(name)}"
        for name, value in pairs.items()
        if is_number(value) and value > 0.0
    )


def chance_sentence(summary: Summary) -> str:
    """Return a sentence with the probability that the winner is the best finalist, if known."""
    chances = {one.number: one.chance_best for one in summary.finalists if takes_part(one)}
    winner, baseline = summary.verdict.challenger, summary.verdict.baseline
    if not is_number(chances.get(winner)):
        return ""
    known = {number: chance for number, chance in chances.items() if is_number(chance)}
    others = {"tuned cross-entropy": baseline} if baseline != winner and baseline in known else {}
    best = max(known, key=lambda number: known[number])
    if best not in (winner, baseline):
        others[trial_words(summary, best)] = best
    beside = "".join(f", {name} with {chance_text(known[n])}" for name, n in others.items())
    return (
        f"{capital(trial_words(summary, winner))} has the lowest log loss of "
        f"{count_text(len(known), 'finalist')} with a probability of "
        f"{chance_text(known[winner])}{beside}."
    )


def chance_short(summary: Summary) -> str:
    """Return a line with the probability that the winner is the best finalist."""
    sentence = chance_sentence(summary)
    if not sentence:
        return ""
    chances = {one.number: one.chance_best for one in summary.finalists if takes_part(one)}
    winner, baseline = summary.verdict.challenger, summary.verdict.baseline
    count = sum(map(is_number, chances.values()))
    other = chances.get(baseline)
    beside = ""
    if baseline != winner and is_number(other) and other is not None:
        beside = f"; tuned cross-entropy {chance_text(other)}"
    return f"{chance_text(chances[winner])} likely the best of {count} finalists{beside}"


def _gap(summary: Summary) -> float | None:
    """Return how much too good the metric of the selected trial looks; None if unknown."""
    found = summary.optimism
    if found is None or not (is_number(found.metric) and is_number(found.metric_honest)):
        return None
    sign = 1.0 if summary.lower_is_better else -1.0
    return sign * (found.metric_honest - found.metric)


def _bias(summary: Summary, name: str, change: float) -> str:
    """Return the words for a selection bias."""
    sign = 1.0 if name != summary.metric or summary.lower_is_better else -1.0
    gap = sign * change
    return (
        f"{points_text(name, gap)} of selection bias"
        if gap > 0.0
        else "no selection bias was found"
    )
