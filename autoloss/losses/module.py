"""A loss as a module, for a training loop that is not ours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from autoloss.errors import InputError
from autoloss.losses.objective import Objective
from autoloss.losses.priors import check_class_counts
from autoloss.losses.spec import LossSpec


class LossModule(nn.Module):
    """The mean over the batch of a training loss.

    Args:
        spec: The loss.
        class_counts: Training rows of each class; only a prior needs them.

    Shape:
        ``logits (B, C)``, ``targets (B,)`` classes or ``(B, C)`` class probabilities → a scalar.

    Raises:
        InputError: If the loss has a prior and `class_counts` is None.

    Examples:
        >>> spec = LossSpec.from_dict({"base": "focal", "prior": "class_weight"})
        >>> criterion = spec.module([90, 10])
        >>> criterion(torch.zeros(4, 2), torch.tensor([0, 0, 0, 1]))
        tensor(0.2166)
    """

    def __init__(self, spec: LossSpec, class_counts: Sequence[int] | Tensor | None = None) -> None:
        super().__init__()
        if class_counts is None and spec.prior != "none":
            raise InputError(
                f"class_counts must be given for prior={spec.prior!r}, but got class_counts=None."
            )
        self.spec = spec
        self.class_counts = (
            None if class_counts is None else check_class_counts(torch.as_tensor(class_counts))
        )
        self._objectives: dict[tuple[torch.dtype, torch.device, int], Objective] = {}

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of a batch; half-precision logits are read in float32."""
        # Exponentials and their sums lose too much in 16 bits.
        wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        return self._objective(wide)(wide.unsqueeze(0), targets).mean()

    def extra_repr(self) -> str:
        """Return the settings, for printing."""
        return ", ".join(f"{key}={value}" for key, value in self.spec.to_dict().items())

    def _objective(self, logits: Tensor) -> Objective:
        """Return the loss for logits of this kind, made once."""
        key = (logits.dtype, logits.device, logits.shape[-1])
        if key not in self._objectives:
            counts = self.class_counts
            self._objectives[key] = Objective(
                (self.spec,),
                torch.ones(logits.shape[-1]) if counts is None else counts,
                dtype=logits.dtype,
                device=logits.device,
            )
        return self._objectives[key]
