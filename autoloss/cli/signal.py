"""What a loss tells the network: the gradient on the true logit in units of cross-entropy's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.losses import Loss, LossContext
from autoloss.losses.context import neutral_context
from autoloss.losses.domain import sizes_for

CLASSES = (2, 10)
_SAME = 1e-3
_NORM = 10.0
# What a context field stands at where a signal is shown.
_SHOWN_FOR = {
    "class_counts": "classes of equal size",
    "norms": f"features and weights whose norms multiply to {_NORM:g}",
    "memory": "an example that was predicted alike before",
    "progress": "the end of the training",
}


@dataclass(frozen=True)
class Signal:
    """The signal of a loss for a number of classes, the others sharing the rest evenly.

    Args:
        loss: The loss.
        setting: Its parameters.
        n_classes: The number of classes.
        label: The true class.
        name: What it is called in a legend.
    """

    loss: Loss
    setting: Mapping[str, float]
    n_classes: int
    label: int
    name: str

    def at(self, probs: Tensor) -> Tensor:
        """Return φ, the gradient on the true logit divided by cross-entropy's, ``p - 1``.

        Args:
            probs: Probability p of the true class, what the softmax in the loss gives it.

        Returns:
            NaN where no logits give that probability.

        Shape:
            ``(N,)`` → ``(N,)``, float64.

        Examples:
            >>> from autoloss.losses import get
            >>> signal = Signal(get("focal"), {"gamma": 2.0}, 2, 1, "")
            >>> signal.at(torch.tensor([0.1, 0.9])).numpy().round(4)
            array([1.2245, 0.029 ])
        """
        logits, gives = self.logits_for(probs)
        logits = logits.requires_grad_()
        values = self.loss(
            logits,
            torch.full((len(logits),), self.label),
            context=_context(self.loss, logits),
            **self.setting,
        )
        (slopes,) = torch.autograd.grad(values.sum(), logits, materialize_grads=True)
        found = slopes[:, self.label] / (probs.double() - 1.0)
        return found.masked_fill(~gives, torch.nan)

    def values(self, probs: Sequence[float]) -> list[float]:
        """Return φ at plain numbers."""
        found: list[float] = self.at(torch.tensor(probs, dtype=torch.float64)).tolist()
        return found

    def means(self, prob: float) -> float:
        """Return the posterior that a softmax of `prob` stands for at the minimum."""
        logits, gives = self.logits_for(torch.tensor([prob]))
        context = _context(self.loss, logits)
        log_posterior = self.loss.readout(logits, context=context, **self.setting)
        return float(log_posterior[0, self.label].exp()) if gives else torch.nan

    def logits_for(self, probs: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of mean 0 that give the true class a probability, and whether they do.

        Shape:
            ``(N,)`` → ``(N, C)``, ``(N,)``.
        """
        way = torch.full((self.n_classes,), -1.0 / self.n_classes, dtype=torch.float64)
        way[self.label] += 1.0
        wanted = probs.double().logit()
        others = torch.log(torch.tensor(self.n_classes - 1.0, dtype=torch.float64))
        if self.loss.view is None:
            return (wanted + others)[:, None] * way, torch.ones_like(wanted, dtype=torch.bool)
        # The view maps logits to what the softmax reads: it is undone by bisection.
        reach = 1.0 / float(way.abs().max()) if self.loss.head == "cosine" else 1e3
        sizes = self._log_odds(torch.stack([way, 0.01 * way]))
        if torch.allclose(sizes[0], sizes[1], rtol=1e-3):
            # Normalised: no size of the logits gives another probability.
            return torch.zeros(len(probs), self.n_classes, dtype=torch.float64), wanted.isnan()
        low, high = torch.full_like(wanted, -reach), torch.full_like(wanted, reach)
        for _ in range(80):
            middle = 0.5 * (low + high)
            is_low = self._log_odds(middle[:, None] * way) < wanted
            low, high = torch.where(is_low, middle, low), torch.where(is_low, high, middle)
        logits = high[:, None] * way
        return logits, (self._log_odds(logits) - wanted).abs() < 1e-6

    def _log_odds(self, logits: Tensor) -> Tensor:
        """Return the log odds of the true class in the softmax of the loss, ``(N,)``."""
        columns = {
            name: torch.full((1, 1), float(value), dtype=logits.dtype)
            for name, value in self.setting.items()
        }
        context = _context(self.loss, logits)
        log_probs = self.loss.viewed(logits, columns, context=context).log_softmax(-1)
        is_other = torch.arange(self.n_classes) != self.label
        return log_probs[:, self.label] - log_probs[:, is_other].logsumexp(-1)


def signals(loss: Loss) -> list[Signal]:
    """Return the signals of a loss that differ: for two classes and ten, for either of two.

    A loss that reads the direction of the logits alone, not their size, has none.
    """
    setting = {name: one.default for name, one in loss.parameters.items()}
    probs = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
    found: list[Signal] = []
    for n_classes in sizes_for(loss, *CLASSES) if "binary" in loss.tasks else CLASSES[1:]:
        # An order of the classes shows in the middle of it, a preference for one of two in both.
        labels = (1, 0) if n_classes == 2 else (n_classes // 2,)
        for label in labels:
            name = f"{n_classes} classes"
            signal = Signal(loss, setting, n_classes, label, name)
            drawn = signal.at(probs)
            if bool(drawn.isfinite().any()) and not any(
                _alike(drawn, other.at(probs)) for other in found
            ):
                found.append(signal)
    return [_renamed(signal, found) for signal in found]


def shown_for(loss: Loss) -> tuple[str, ...]:
    """Return what a signal takes for granted of what the loss needs beyond logits."""
    return tuple(_SHOWN_FOR[name] for name in loss.needs if name in _SHOWN_FOR)


def _renamed(signal: Signal, found: list[Signal]) -> Signal:
    """Return a signal with a name that tells it from the others."""
    if len(found) == 1 and signal.n_classes == 2:
        return Signal(signal.loss, signal.setting, signal.n_classes, signal.label, "")
    if signal.n_classes == 2 and sum(other.n_classes == 2 for other in found) == 2:
        name = ("no", "yes")[signal.label]
        return Signal(signal.loss, signal.setting, 2, signal.label, name)
    return signal


def _alike(ours: Tensor, theirs: Tensor) -> bool:
    """Return whether two signals cannot be told apart in a drawing."""
    return torch.allclose(ours, theirs, rtol=_SAME, atol=_SAME, equal_nan=True)


def _context(loss: Loss, logits: Tensor) -> LossContext | None:
    """Return a context in which nothing stands out."""
    if not loss.needs:
        return None
    counts = torch.full((logits.shape[1],), 100.0, dtype=logits.dtype)
    return neutral_context(logits, counts, norm=_NORM)
