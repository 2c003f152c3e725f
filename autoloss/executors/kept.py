"""Outcomes whose weights stay with the worker that trained them until somebody reads them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from autoloss.training import Outcome


class KeptOutcome(Outcome):
    """An outcome whose weights are fetched when they are read first.

    Args:
        outcome: The outcome, without weights.
        fetch: Returns the weights, ``(P,)``.
    """

    def __init__(self, outcome: Outcome, fetch: Callable[[], Tensor]) -> None:
        # The dataclass is frozen, and its own field of weights is hidden by the property.
        vars(self).update(report=outcome.report, logits=outcome.logits, fetch=fetch)

    @property
    def weights(self) -> Tensor:
        """Return the best weights."""
        own = vars(self)
        if "found" not in own:
            own["found"] = own.pop("fetch")()
        found: Tensor = own["found"]
        return found
