"""The models that could ship, as rows of a table and in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from autoloss.records import ShippingPolicy, Summary
from autoloss.report.finalists import trial_label
from autoloss.report.rows import rows_name
from autoloss.report.words import (
    difference_text,
    interval_text,
    is_number,
    label_words,
    listed,
    value_text,
    whole_share_text,
)

_WORDS = {"verdict": "recommended loss", "best": "best finalist", "blend": "blend"}
_SAME = "the same model"


@dataclass(frozen=True)
class PolicyRow:
    """A model that could ship as a reader sees it.

    Args:
        policy: The policy in words.
        model: Its losses, with their weights if there are several.
        metric: The study's metric.
        log_loss: The log loss.
        change: Change of the log loss from that of the recommended loss.
        interval: The 95 % interval of this change.
        temperature: Temperature of the mean of its members.
        ships: Whether it ships.
    """

    policy: str
    model: str
    metric: str
    log_loss: str
    change: str
    interval: str
    temperature: str
    ships: bool


def policy_rows(summary: Summary) -> tuple[PolicyRow, ...]:
    """Return the models that could ship, in the order verdict, best, blend."""
    return tuple(_row(summary, one) for one in summary.policies)


def policy_note(summary: Summary) -> str:
    """Return a sentence on the rows and the choices behind the figures of the policies."""
    resampling = summary.resampling
    if resampling is not None and resampling.verdict == "locked":
        rows = f"On the {rows_name(summary)}"
    else:
        rows = (
            "On the rows that the final training runs held out, with weights and temperatures "
            "fitted on other rows"
        )
    return f"{rows}; each change is relative to the recommended loss."


def shipping_policy(summary: Summary) -> ShippingPolicy | None:
    """Return the policy whose model ships; None if a person chose another model."""
    return next((one for one in summary.policies if one.ships), None)


def blend_text(summary: Summary) -> str:
    """Return a sentence on a blend that ships, or an empty string.

    A blend of the recommended trial alone is that trial.
    """
    found = shipping_policy(summary)
    if found is None or found.numbers == (summary.recommended,):
        return ""
    if len(found.numbers) == 1:
        (number,) = found.numbers
        loss = label_words(trial_label(summary, number))
        return f"Shipped model: {loss} (trial {number}), the only finalist in the blend."
    parts = [
        f"{whole_share_text(weight)} {label_words(trial_label(summary, number))} (trial {number})"
        for number, weight in zip(found.numbers, found.weights, strict=True)
    ]
    return f"Shipped model: a blend of {listed(parts)}."


def _row(summary: Summary, one: ShippingPolicy) -> PolicyRow:
    """Return the table row of a policy."""
    first = summary.policies[0]
    is_first, is_same = one.name == first.name, one.numbers == first.numbers
    known = is_number(one.log_loss_low) and is_number(one.log_loss_high)
    change = difference_text("log_loss", one.log_loss_change)
    interval = interval_text("log_loss", one.log_loss_low, one.log_loss_high) if known else ""
    return PolicyRow(
        policy=_WORDS.get(one.name, one.name),
        model=_SAME if is_same and not is_first else _model(summary, one),
        metric=value_text(summary.metric, one.metric),
        log_loss=value_text("log_loss", one.log_loss),
        change="" if is_first else change,
        interval="" if is_first else interval,
        temperature=f"{one.temperature:.2f}",
        ships=one.ships,
    )


def _model(summary: Summary, one: ShippingPolicy) -> str:
    """Return the losses of a policy with their trials and weights."""
    named = [f"{trial_label(summary, number)} (trial {number})" for number in one.numbers]
    if len(named) == 1:
        return named[0]
    shares = [whole_share_text(weight) for weight in one.weights]
    return ", ".join(f"{share} {name}" for share, name in zip(shares, named, strict=True))
