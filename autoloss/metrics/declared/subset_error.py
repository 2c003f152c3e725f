"""The subset error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import Judged


@declare(
    title="Subset error",
    kind="share",
    meaning="Share of rows with a wrong decision on some label.",
    lower_is_better=True,
    several_labels=True,
    always=True,
)
def subset_error(judged: Judged) -> Tensor:
    """Return the share of rows of which some label is wrong, in [0, 1]."""
    return judged.wrong_rows.double().mean(-1).where(judged.is_finite, float("nan"))
