"""The error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import Judged


@declare(
    title="Error",
    kind="share",
    meaning="Share of wrong decisions.",
    lower_is_better=True,
    mean_of_wrong="rows",
    always=True,
)
def error(judged: Judged) -> Tensor:
    """Return the share of rows whose likeliest class is wrong, in [0, 1]."""
    return judged.wrong.double().mean(-1).where(judged.is_finite, float("nan"))
