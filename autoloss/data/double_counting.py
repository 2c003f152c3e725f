"""Detection of costs counted twice: by the weights of a loss and by the decision rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoloss.metrics.known import is_balanced

_MOVED = {
    True: "the cost matrix moves its decisions again",
    False: "balanced error divides its probabilities by the prior again",
}


def double_counting(
    loss: Mapping[str, Any], readout: str, *, has_costs: bool, metric: str = "error"
) -> str:
    """Return a warning if a model favours some classes twice, otherwise an empty string.

    A loss with class weights or an adjusted prior moves the softmax of its logits just as a cost
    matrix moves the decision: a weight of 10 for the positive class is the threshold 1/11 of the
    costs 10 to 1. Decisions are right if the read-out undoes the first before the second.

    Args:
        loss: The loss as dotted keys, as in `TrialRecord.loss`.
        readout: Name of its read-out, as in `TrialRecord.readout`.
        has_costs: Whether a cost matrix decides.
        metric: The study's metric; balanced error moves the decision too.

    Examples:
        >>> loss = {"base": "focal", "prior": "class_weight"}
        >>> double_counting(loss, "softmax+temperature", has_costs=True)[:47]
        'focal + class_weight counts the costs twice: it'
        >>> double_counting(loss, "prior", has_costs=True)
        ''
    """
    prior = str(loss.get("prior", "none"))
    is_undone = not readout.startswith("softmax")
    if prior == "none" or is_undone or not (has_costs or is_balanced(metric)):
        return ""
    return (
        f"{loss['base']} + {prior} counts the costs twice: its read-out, the softmax, keeps what "
        f"{prior} does to the probabilities, and {_MOVED[has_costs]}."
    )


def weights_beside_costs(*, has_weights: bool, has_costs: bool) -> str:
    """Return a warning if a user gives class weights and a cost matrix, else an empty string."""
    if not (has_weights and has_costs):
        return ""
    return (
        "Both class weights and a cost matrix are given: the read-out removes the weights from "
        "the probabilities, and only the cost matrix affects decisions. Put each cost into the "
        "matrix; in both places it would count twice."
    )
