"""The rules that name a trial from the validation rows, each in one sentence."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING

from autoloss.core.errors import InputError, closest
from autoloss.records import REFINED_LOG_LOSS
from autoloss.records.ood import PREFIX
from autoloss.verdict.baseline import comparable

if TYPE_CHECKING:
    # `autoloss --help` names the rules, and must not load the records.
    from autoloss.records import Summary, TrialRecord

CALIBRATION = "debiased_calibration_error"
COST = "expected_cost"

# The sentence of each rule, for the report and the command line.
RULES: dict[str, str] = {
    "error": "The lowest error on the validation rows.",
    "log_loss": "The lowest log loss after calibration on the validation rows.",
    "calibration": "The lowest calibration error among the trials that no other beats on both the "
    "metric and the log loss, which excludes a model that always predicts the class shares.",
    "balanced_error": "The lowest mean error over the classes on the validation rows.",
    "cost": "The lowest expected cost on the validation rows, each decision priced by the study's "
    "cost matrix.",
    "knee": "Of the trials that no other beats on both the metric and the log loss, the trial "
    "farthest below the straight line between the first and the last of them, both axes scaled to "
    "[0, 1].",
}


def rule_sentence(summary: Summary, by: str | int) -> str:
    """Return the sentence of a rule.

    Args:
        summary: The study.
        by: As in `select_trial`.

    Raises:
        InputError: If there is no such rule.
    """
    if isinstance(by, Integral):
        return "The trial of this number, whatever its figures."
    if by in RULES:
        return RULES[by]
    lower = summary.is_lower_better(str(by))
    if lower is None:
        known = _names(summary)
        raise InputError(
            f"The rule must be a trial's number or a known rule, but got by={by!r}"
            f"{closest(str(by), known)}{_listed(by, known)}"
        )
    extreme = "lowest" if lower else "highest"
    rows = "validation rows"
    if str(by).startswith(PREFIX):
        rows = "choosing half of the out-of-distribution rows and the validation rows"
    return f"The {extreme} {str(by).replace('_', ' ')} on the {rows}."


def _names(summary: Summary) -> tuple[str, ...]:
    """Return the rules, the study's metric, the custom metrics, and the OOD figures."""
    own = (one.name for one in summary.own_metrics)
    return tuple(dict.fromkeys([*RULES, summary.metric, *own, *summary.stranger_figures]))


def _listed(by: str | int, known: Iterable[str]) -> str:
    """Return all rules, if `closest` names only one of them."""
    names = ", ".join(known)
    return f" The rules: {names}." if closest(str(by), known).endswith("?") else ""


def rules_found(summary: Summary) -> dict[str, tuple[int, str]]:
    """Return by name of each rule the number of its trial and its sentence.

    The study's metric, the custom metrics and the OOD figures are rules too. Rules
    without a figure in this study are left out.
    """
    found = {}
    for by in _names(summary):
        with contextlib.suppress(InputError):
            found[by] = (select_trial(summary, by).number, rule_sentence(summary, by))
    return found


def select_trial(summary: Summary, by: str | int) -> TrialRecord:
    """Return the trial that a rule or a number names; the lower log loss breaks ties.

    Args:
        summary: The study.
        by: A key of `RULES`; the study's metric, a custom metric or a figure of
            OOD rows (its best value); or a trial's number.

    Raises:
        InputError: If there is no such rule or trial, or no trial has the rule's metric.
    """
    rule_sentence(summary, by)
    if isinstance(by, Integral):
        found = [trial for trial in summary.trials if trial.number == by]
        if not found:
            numbers = sorted(trial.number for trial in summary.trials)
            raise InputError(
                f"A trial must be one of the {len(numbers)} of study {summary.name!r}, numbered "
                f"{numbers[0]} to {numbers[-1]}, but got number={by}."
            )
        return found[0]
    if by == "cost" and summary.cost_matrix is None:
        raise InputError(
            "The rule 'cost' must have the costs of a study's decisions, but got "
            "cost_matrix=None; search with a cost matrix, or take another rule."
        )
    among = comparable(summary.trials)
    if by in ("calibration", "knee"):
        among = [trial for trial in among if trial.number in summary.pareto]
    name, sign = _figure_of(summary, by)
    needed = (name, summary.metric) if by == "knee" else (name,)
    valued = [t for t in among if all(math.isfinite(t.metrics.get(n, math.nan)) for n in needed)]
    if not valued:
        raise InputError(f"A trial must have the metric of the rule, but got no {name} in any.")
    score = _depth(summary, valued) if by == "knee" else lambda t: sign * t.metrics[name]
    best = min(
        valued, key=lambda t: (score(t), t.metrics.get(REFINED_LOG_LOSS, math.inf), t.number)
    )
    return summary.trial(best.number)


def _figure_of(summary: Summary, by: str | int) -> tuple[str, float]:
    """Return the metric of a rule, and 1 if lower is better, else -1."""
    names = {
        "log_loss": REFINED_LOG_LOSS,
        "calibration": CALIBRATION,
        "cost": COST,
        "knee": REFINED_LOG_LOSS,
    }
    if by in RULES:
        return names.get(str(by), str(by)), 1.0
    return str(by), 1.0 if summary.is_lower_better(str(by)) else -1.0


def _depth(summary: Summary, front: Sequence[TrialRecord]) -> Callable[[TrialRecord], float]:
    """Return the position of a trial of the front: 0 on the line between its ends, else below 0.

    With both axes scaled to [0, 1] the ends are (0, 1) and (1, 0), and the distance from the line
    between them is proportional to ``1 - x - y``.
    """
    sign = 1.0 if summary.lower_is_better else -1.0

    def point(trial: TrialRecord) -> tuple[float, float]:
        return sign * trial.metrics[summary.metric], trial.metrics[REFINED_LOG_LOSS]

    axes = list(zip(*map(point, front), strict=True))
    lows, highs = [min(axis) for axis in axes], [max(axis) for axis in axes]
    if lows[0] == highs[0] or lows[1] == highs[1]:
        return lambda _: 0.0

    def depth(trial: TrialRecord) -> float:
        x, y = (
            (value - low) / (high - low)
            for value, low, high in zip(point(trial), lows, highs, strict=True)
        )
        # Rounded, so that both ends of the front are equally deep.
        return round(float(x + y) - 1.0, 12)

    return depth
