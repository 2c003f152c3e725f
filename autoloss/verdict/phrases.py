"""Differences and verdicts in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from autoloss.records import Comparison
from autoloss.report.words import capital, in_sentence, interval_text, label_words, points_text
from autoloss.report.words import metric_words as words_of
from autoloss.verdict.comparisons import CALIBRATION
from autoloss.verdict.paired import PairedTest
from autoloss.verdict.significance import Findings

NO_EVIDENCE = "no evidence that it beats tuned cross-entropy"
_SHIPS = "Tuned cross-entropy is recommended."


def verdict_text(subject: str, found: Findings, *, where: str, after: str = "") -> str:
    """Return a verdict, the difference in the primary metric first.

    Args:
        subject: Subject and verb of the sentence, such as ``"Focal has"``.
        found: The tests.
        where: The rows, such as ``"on 200 test rows"``.
        after: A sentence that follows.
    """
    than = f"{difference_words(found.primary)} than tuned cross-entropy {where}"
    ships = "" if found.decision == "better" else f" {_SHIPS}"
    text = f"{subject} {than} ({interval_words(found.primary)}): {_finding(found)}.{ships}"
    return f"{text} {after}" if after else text


def undecided_text(reason: str, best: str) -> str:
    """Return the text of a verdict that decides nothing.

    Args:
        reason: The reason.
        best: The loss with the lowest held-out log loss, in words.
    """
    return (
        f"{capital(reason)}. {best} is recommended as the best model by held-out log loss, not "
        "because it beat another."
    )


def _finding(found: Findings) -> str:
    """Describe the significant tests, as the second half of a sentence."""
    primary, decision = found.primary, found.decision
    gained = [one for one in found.significant if one.is_gain]
    gains, losses = _listed(gained), _listed([one for one in found.significant if not one.is_gain])
    if decision == "better" and primary in [one.comparison for one in gained]:
        return f"it beats tuned cross-entropy, significantly in {gains}"
    words = metric_words(primary.metric)
    if decision == "better":
        amounts = ", ".join(difference_words(one.comparison) for one in gained)
        return (
            f"no clear difference in {words}, and it beats tuned cross-entropy significantly in "
            f"{gains} alone ({amounts})"
        )
    if decision == "worse":
        return f"it is worse than tuned cross-entropy, significantly in {losses}"
    if gains and losses:
        both = f"significantly better in {gains}, but significantly worse in {losses}"
        return f"{NO_EVIDENCE} ({both})"
    if gains:
        return (
            f"{NO_EVIDENCE} (significantly better in {gains}, but worse in {words} by more than "
            "one standard error)"
        )
    reason = (
        "interval covers zero" if primary.covers_zero else "not significant among the tests made"
    )
    return f"{NO_EVIDENCE} ({reason})"


def loss_name(label: str) -> str:
    """Return a loss in words as the subject of a sentence, without its parameters."""
    return capital(label_words(label))


def difference_words(one: Comparison) -> str:
    """Return a difference without its interval, such as ``0.30 pp less error``."""
    words = metric_words(one.metric)
    amount = points_text(one.metric, one.difference)
    if amount == points_text(one.metric, 0.0):
        return f"neither less nor more {words}"
    side = "less" if one.difference < 0.0 else "more"
    return f"{amount} {side} {words}"


def interval_words(one: Comparison) -> str:
    """Return the interval of a difference, such as ``95% interval −0.50 to +0.10 pp``."""
    return f"95% interval {interval_text(one.metric, one.low, one.high)}"


def metric_words(metric: str) -> str:
    """Return a metric's name for use within a sentence."""
    return "calibration error" if metric == CALIBRATION else in_sentence(words_of(metric).title)


def _listed(some: Sequence[PairedTest]) -> str:
    *others, last = [metric_words(one.comparison.metric) for one in some] or [""]
    return f"{', '.join(others)} and {last}" if others else last
