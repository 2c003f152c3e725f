"""How the posterior of a whole loss is read: in closed form, from its slopes, or not at all."""

from __future__ import annotations

from typing import Literal

from autoloss.losses.from_gradients import MOST_CLASSES, by_gradient
from autoloss.losses.parts import PENALTIES, WEIGHTS
from autoloss.losses.registry import get, is_proper_at
from autoloss.losses.spec_data import SpecData

ReadoutKind = Literal["closed", "slopes", "none"]
"""``"slopes"`` costs a factorisation of a matrix of C by C for every example."""


def readout_of(spec: SpecData, n_classes: int) -> ReadoutKind:
    """Return how the posterior is read from logits at the minimum of the expected loss.

    Examples:
        >>> from autoloss.losses import LossSpec
        >>> readout_of(LossSpec("focal"), 10), readout_of(LossSpec("mae"), 10)
        ('closed', 'none')
        >>> readout_of(LossSpec("brier", penalty="confidence"), 10)
        'slopes'
    """
    loss = get(spec.base)
    # Mixed inputs and a teacher move the minimum in a way that the loss does not know.
    if not loss.has_exact_readout or spec.target in ("mixup", "distillation"):
        return "none"
    readable = "kept" if spec.penalty == "none" else PENALTIES[spec.penalty].readable
    if readable == "lost":
        return "none"
    if spec.penalty != "none" and readable == "kept":
        # It is least where the softmax is the posterior, which must be the base's minimum too.
        is_weighted = spec.prior in WEIGHTS
        at_softmax = is_proper_at(loss, spec.base_parameters) and not is_weighted
        return "closed" if at_softmax and spec.target == "none" else "none"
    if loss.local or (readable == "kept" and loss.link is not by_gradient):
        return "closed"
    return "slopes" if n_classes <= MOST_CLASSES else "none"
