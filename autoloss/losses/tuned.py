"""How a loss was trained and read where a search found it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Tuned:
    """What a search found beside a loss: the settings of its training, and its read-out.

    Args:
        lr: Peak learning rate of AdamW.
        weight_decay: Its weight decay; None if the training had none.
        dropout: Rate in [0, 1); None if the network has none.
        readout: What becomes probabilities by a softmax: the logits (``"softmax"``), the logits
            with the prior undone (``"prior"``) or the loss's own posterior (``"link"``); None for
            the best that is known of the loss.
        inverse_temperature: Factor of these scores.
        mix: Weight of the uniform distribution in the probabilities.
        class_counts: Training rows of each class.
        class_weights: Weights of the classes that were given.
        class_similarity: Likeness of the classes that was given, a row each.
    """

    lr: float
    weight_decay: float | None = None
    dropout: float | None = None
    readout: Literal["softmax", "prior", "link"] | None = None
    inverse_temperature: float = 1.0
    mix: float = 0.0
    class_counts: tuple[float, ...] | None = None
    class_weights: tuple[float, ...] | None = None
    class_similarity: tuple[tuple[float, ...], ...] | None = None
