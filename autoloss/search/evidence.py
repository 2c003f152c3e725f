"""What a study is concluded from, besides its trials."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from autoloss.records import Coverage, Finalist, Gain, Reference, Resampling, Verdict
from autoloss.verdict.select import Choice


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a study is concluded from, besides its trials.

    Args:
        choice: Challenger and tuned cross-entropy.
        verdict: The verdict.
        log_probs: What each of the two ships on the rows of the verdict, in the order of `ROLES`.
        targets: Classes of these rows.
        resampling: How rows were divided; None where another loop divided them.
        finalists: The trials that were trained again.
        gains: Where the gain comes from.
        reference: A model of another kind.
        looks: Studies that had looked at the same rows.
        notes: What else should be known, one sentence each.
        raw: The softmax of the logits of the two, before their read-outs; None where not known.
        rows: Number of each row in its table; None where they are counted from 0.
        table: Which table that is: ``"data"``, or ``"test"`` for a file of its own.
        coverage: How much of the planned training ran; None where it is not known.

    Shape:
        log_probs and raw twice (N, C), targets and rows (N,).
    """

    choice: Choice
    verdict: Verdict
    log_probs: tuple[Tensor, Tensor]
    targets: Tensor
    resampling: Resampling | None = None
    finalists: tuple[Finalist, ...] = ()
    gains: tuple[Gain, ...] = ()
    reference: Reference | None = None
    looks: int = 0
    notes: tuple[str, ...] = ()
    raw: tuple[Tensor, Tensor] | None = None
    rows: Tensor | None = None
    table: str = "data"
    coverage: Coverage | None = None

    @property
    def place(self) -> int:
        """Return which of the two ships: 0 for the challenger, 1 for tuned cross-entropy."""
        return self.choice.place_of_shipped(self.verdict.decision)
