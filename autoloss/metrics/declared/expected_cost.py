"""The expected cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import Judged


@declare(
    title="Expected cost",
    meaning="Mean cost of the decisions, in units of the cost matrix.",
    lower_is_better=True,
    decision="expected_cost",
    needs_costs=True,
    always=True,
)
def expected_cost(judged: Judged) -> Tensor:
    """Return the mean cost of the cheapest decisions, in units of the costs."""
    from autoloss.metrics.costs import expected_cost

    if judged.places is not None:
        return judged.label_costs
    return expected_cost(
        judged.log_probs, judged.classes, judged.costs, row_costs=judged.row_costs
    )
