"""The sources of the gain: the steps from default cross-entropy to the challenger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoloss.records import REFINED_LOG_LOSS, Gain, Summary
from autoloss.report.words import (
    MISSING,
    difference_text,
    in_sentence,
    interval_text,
    is_number,
    listed,
    metric_words,
    points_text,
    reading_text,
    value_text,
)

_DOERS = {
    "tuned": "tuning",
    "temperature": "a temperature",
    "threshold": "a moved threshold",
    "prior": "a corrected prior",
}
# Metrics that equal the log loss.
_LOG_LOSSES = ("log_loss", REFINED_LOG_LOSS)


@dataclass(frozen=True)
class Change:
    """The effect of a step on a number: the value after it, the change, its interval."""

    value: str
    change: str
    interval: str
    reading: str


@dataclass(frozen=True)
class GainRow:
    """A step as a reader sees it."""

    step: str
    detail: str
    metric: Change
    log_loss: Change


@dataclass(frozen=True)
class StepValue:
    """One number of a step: the value after it, the change and the ends of its interval."""

    name: str
    value: float
    change: float
    low: float
    high: float


def gain_rows(summary: Summary) -> tuple[GainRow, ...]:
    """Return the steps in their order."""
    metric, log_loss = (gain_steps(summary, name) for name in (summary.metric, "log_loss"))
    return tuple(
        GainRow(
            step=gain.step,
            detail=detail_text(gain.detail, summary.data.classes),
            metric=_change(summary, summary.metric, one),
            log_loss=_change(summary, "log_loss", two),
        )
        for gain, one, two in zip(summary.gains, metric, log_loss, strict=True)
    )


def detail_text(detail: str, classes: Sequence[str]) -> str:
    """Return the change of a step, with the name of the positive class in place of its code.

    Examples:
        >>> detail_text("class 1 above a probability of 0.56", ("stayed", "churned"))
        'churned above a probability of 0.56'
    """
    start = "class 1 above"
    if not detail.startswith(start):
        return detail
    return f"{classes[1]} above{detail.removeprefix(start)}"


def gain_metrics(summary: Summary) -> tuple[str, ...]:
    """Return the metrics of the steps: the study's metric, and the log loss if that differs."""
    if summary.metric in _LOG_LOSSES:
        return (summary.metric,)
    return (summary.metric, "log_loss")


def gain_steps(summary: Summary, metric: str) -> tuple[StepValue, ...]:
    """Return the steps in one of `gain_metrics`."""
    return tuple(_step(gain, is_metric=metric == summary.metric) for gain in summary.gains)


def gain_sentences(summary: Summary) -> tuple[str, ...]:
    """Return the gain of each step, a sentence per metric; none if no change is known."""
    return tuple(
        sentence
        for metric in gain_metrics(summary)
        if (sentence := _sentence(summary, metric, gain_steps(summary, metric)))
    )


def gains_short(summary: Summary) -> str:
    """Return the gain of each step in the study's metric, with uncertain steps apart."""
    sign = -1.0 if summary.lower_is_better else 1.0
    zero = points_text(summary.metric, 0.0)
    clear: list[str] = []
    doubtful: list[str] = []
    for step in gain_steps(summary, summary.metric):
        if not is_number(step.change) or points_text(summary.metric, step.change) == zero:
            continue
        is_doubtful = _covers_zero(step)
        verb = "" if is_doubtful else " gave" if sign * step.change > 0 else " cost"
        amount = points_text(summary.metric, step.change)
        if is_doubtful and sign * step.change < 0:
            amount = f"−{amount}"
        text = f"{_DOERS.get(step.name, step.name)}{verb} {amount}"
        (doubtful if is_doubtful else clear).append(text)
    doubts = f"interval covers zero: {', '.join(doubtful)}" if doubtful else ""
    return "; ".join(part for part in (", ".join(clear), doubts) if part)


def lower_is_better(summary: Summary, metric: str) -> bool:
    """Return the direction of the study's metric, or of the log loss."""
    return summary.lower_is_better if metric == summary.metric else True


def _step(gain: Gain, *, is_metric: bool) -> StepValue:
    """Return one number of a step."""
    figures = (
        (gain.metric, gain.metric_change, gain.metric_low, gain.metric_high)
        if is_metric
        else (gain.log_loss, gain.log_loss_change, gain.log_loss_low, gain.log_loss_high)
    )
    return StepValue(gain.step, *figures)


def _change(summary: Summary, metric: str, step: StepValue) -> Change:
    """Return one number of a step in words."""
    reading = reading_text(step.low, step.high, lower_is_better=lower_is_better(summary, metric))
    known = reading != "unknown"
    return Change(
        value=value_text(metric, step.value),
        change=difference_text(metric, step.change),
        interval=interval_text(metric, step.low, step.high) if known else MISSING,
        reading=reading,
    )


def _sentence(summary: Summary, metric: str, steps: tuple[StepValue, ...]) -> str:
    """Return the gain of each step in one metric."""
    sign = -1.0 if lower_is_better(summary, metric) else 1.0
    parts = [_part(metric, step, sign * step.change) for step in steps if is_number(step.change)]
    title = metric_words(metric, lower_is_better=sign < 0).title
    return f"In {in_sentence(title)}, {listed(parts)}." if parts else ""


def _part(metric: str, step: StepValue, gained: float) -> str:
    """Return the gain of a step: ``"tuning gave 1.20 points"``."""
    doer = _DOERS.get(step.name, step.name)
    amount = points_text(metric, gained)
    if amount == points_text(metric, 0.0):
        return f"{doer} changed nothing"
    doubt = " (interval covers zero)" if _covers_zero(step) else ""
    return f"{doer} {'gave' if gained > 0 else 'cost'} {amount}{doubt}"


def _covers_zero(step: StepValue) -> bool:
    """Return whether the interval of a change is known and covers zero."""
    return is_number(step.low) and is_number(step.high) and step.low <= 0.0 <= step.high
