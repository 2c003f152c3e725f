"""The cost of each decision rule as rows of a table."""

from __future__ import annotations

from dataclasses import dataclass

from autoloss.records import Summary
from autoloss.records.estimates import Estimate
from autoloss.records.insights import RuleCost
from autoloss.report.roles import model_title
from autoloss.report.rows import rows_name
from autoloss.report.shipped import judged
from autoloss.report.words import value_text

RULES = {
    "one": "the same decision for all rows",
    "likeliest": "the likeliest class",
    "raw": "cheapest by the softmax",
    "corrected": "cheapest, the prior of the loss undone",
    "calibrated": "cheapest by the calibrated probabilities",
}
_COST = "expected_cost"


@dataclass(frozen=True)
class RuleCostFacts:
    """The decision rules as a reader sees them.

    Args:
        text: How to read the table, and the rule that is the cheapest.
        rows: Model, rule, cost with interval, saving with interval.
    """

    text: str
    rows: tuple[tuple[str, str, str, str], ...]


def rule_cost_facts(summary: Summary) -> RuleCostFacts | None:
    """Return the cost of each decision rule; None without costs."""
    found = summary.rule_costs
    if not found:
        return None
    return RuleCostFacts(
        f"Mean cost per row on the {rows_name(summary)}, with 95% intervals; a saving is against "
        f"the likeliest class of the same model. {_shipped_text(summary, found)}",
        tuple(
            (
                model_title(one.role) if one.role else "No model",
                _rule(one),
                _text(one.cost),
                _text(one.saved) if one.rule not in ("one", "likeliest") else "",
            )
            for one in found
        ),
    )


def rule_short(summary: Summary) -> str:
    """Return the savings of decisions by the costs in a line; empty without costs."""
    own = _shipped(summary, "calibrated")
    if own is None:
        return ""
    return f"by their costs {_text(own.cost)} a row, which saves {_text(own.saved)}"


def _shipped(summary: Summary, rule: str) -> RuleCost | None:
    """Return a rule of the loss that the verdict recommends."""
    is_baseline = judged(summary) == summary.verdict.baseline
    role = "cross-entropy" if is_baseline else "challenger"
    of_role = {(one.role, one.rule): one for one in summary.rule_costs}
    return of_role.get((role, rule))


def _shipped_text(summary: Summary, found: tuple[RuleCost, ...]) -> str:
    """Return the saving of the rule of the recommended loss, and whether it beats no model."""
    own, alike = _shipped(summary, "calibrated"), found[0]
    if own is None:
        return ""
    better = "less" if own.cost.value < alike.cost.value else "no less"
    is_open = own.saved.low <= 0.0 <= own.saved.high
    sure = "an interval that covers zero" if is_open else "an interval without zero"
    return (
        f"{model_title(own.role)} decides by its calibrated probabilities: this saves "
        f"{value_text(_COST, own.saved.value)} a row, with {sure}, and costs {better} than the "
        "best decision for all rows alike."
    )


def _rule(one: RuleCost) -> str:
    """Return the rule in words, with the share of rows that it rejects."""
    return f"{RULES[one.rule]}, {one.rejected:.1%} rejected" if one.rejected else RULES[one.rule]


def _text(one: Estimate) -> str:
    value, low, high = (value_text(_COST, part) for part in (one.value, one.low, one.high))
    return f"{value} ({low} to {high})"
