"""The log loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import Judged


@declare(
    title="Log loss",
    kind="nats",
    meaning="Negative log-likelihood in nats of the probabilities.",
    lower_is_better=True,
    aliases=("neg_log_loss",),
    judges="probabilities",
    always=True,
)
def log_loss(judged: Judged) -> Tensor:
    """Return the mean negative log probability of the true class, in nats."""
    from autoloss.metrics.proper import log_loss

    return log_loss(judged.log_probs, judged.classes)
