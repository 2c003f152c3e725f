"""What some losses need besides logits and targets."""

from __future__ import annotations

from dataclasses import dataclass, fields

from torch import Tensor

from autoloss.errors import InputError


@dataclass(frozen=True)
class LossContext:
    """What a training loop hands to a loss besides logits and targets; None for what it has not.

    Args:
        class_counts: Training rows of each class, ``(C,)``.
        row_ids: Row numbers of the examples in the training data, ``(B,)``.
        progress: Share of the training that is done, 0 to 1.
        teacher_logits: Logits of a teacher for these examples, ``(B, C)``.
        features: What the last layer sees, ``(K, B, H)``.
        mask: Which positions count, ``(B,)`` or ``(B, T)``, boolean.
    """

    class_counts: Tensor | None = None
    row_ids: Tensor | None = None
    progress: float | None = None
    teacher_logits: Tensor | None = None
    features: Tensor | None = None
    mask: Tensor | None = None

    def require(self, names: tuple[str, ...], *, loss: str) -> None:
        """Check that the fields that a loss needs are there.

        Raises:
            InputError: If one of them is None.

        Examples:
            >>> LossContext(progress=0.5).require(("progress",), loss="elr")
        """
        for name in names:
            if getattr(self, name) is None:
                raise InputError(f"{loss} must be given {name}, but got LossContext.{name}=None.")


CONTEXT_FIELDS = tuple(field.name for field in fields(LossContext))
