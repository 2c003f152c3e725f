"""The accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import Judged


@declare(
    title="Accuracy",
    kind="share",
    meaning="Share of correct decisions.",
    lower_is_better=False,
    complement_of="error",
)
def accuracy(judged: Judged) -> Tensor:
    """Return the share of rows whose likeliest class is right, in [0, 1]."""
    return 1.0 - judged.wrong.double().mean(-1).where(judged.is_finite, float("nan"))
