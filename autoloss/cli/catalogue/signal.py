"""The signal of a loss: its gradient on the true logit as a multiple of cross-entropy's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autoloss.losses import Loss, LossContext
from autoloss.losses.context import neutral_context
from autoloss.losses.samples import sizes_for

CLASSES = (2, 10)
_SAME = 1e-3
_NORM = 10.0
# The assumptions about context fields under which a signal is computed.
_ASSUMED = {
    "class_counts": "classes of equal size",
    "norms": f"features and weights whose norms multiply to {_NORM:g}",
    "memory": "an example with the same prediction as before",
    "progress": "the end of the training",
}


@dataclass(frozen=True)
class LogitSignal:
    """The signal of a loss for a true class, while the other classes share the rest evenly.

    Args:
        loss: The loss.
        setting: Its parameters.
        n_classes: The number of classes.
        label: The true class.
        name: Its name in a legend.
    """

    loss: Loss
    setting: Mapping[str, float]
    n_classes: int
    label: int
    name: str

    def at(self, probs: Tensor) -> Tensor:
        """Return φ, the gradient on the true logit divided by cross-entropy's, ``p - 1``.

        Args:
            probs: Probability p of the true class in the softmax of the loss.

        Returns:
            φ; NaN where no logits give that probability.

        Shape:
            ``(N,)`` → ``(N,)``, float64.

        Examples:
            >>> from autoloss.losses import get
            >>> signal = LogitSignal(get("focal"), {"gamma": 2.0}, 2, 1, "")
            >>> signal.at(torch.tensor([0.1, 0.9])).numpy().round(4)
            array([1.2245, 0.029 ])
        """
        logits, exist = self.logits_for(probs)
        logits = logits.requires_grad_()
        values = self.loss(
            logits,
            torch.full((len(logits),), self.label),
            context=_context(self.loss, logits),
            **self.setting,
        )
        (slopes,) = torch.autograd.grad(values.sum(), logits, materialize_grads=True)
        found = slopes[:, self.label] / (probs.double() - 1.0)
        return found.masked_fill(~exist, torch.nan)

    def values(self, probs: Sequence[float]) -> list[float]:
        """Return φ as numbers."""
        found: list[float] = self.at(torch.tensor(probs, dtype=torch.float64)).tolist()
        return found

    def posterior(self, prob: float) -> float:
        """Return the posterior of the true class if the softmax at the minimum is `prob`."""
        logits, exist = self.logits_for(torch.tensor([prob]))
        context = _context(self.loss, logits)
        log_posterior = self.loss.readout(logits, context=context, **self.setting)
        return float(log_posterior[0, self.label].exp()) if exist else torch.nan

    def logits_for(self, probs: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of mean 0 by the probability of the true class, and whether they exist.

        Shape:
            ``(N,)`` → ``(N, C)``, ``(N,)``.
        """
        way = torch.full((self.n_classes,), -1.0 / self.n_classes, dtype=torch.float64)
        way[self.label] += 1.0
        wanted = probs.double().logit()
        others = torch.log(torch.tensor(self.n_classes - 1.0, dtype=torch.float64))
        if self.loss.view is None:
            return (wanted + others)[:, None] * way, torch.ones_like(wanted, dtype=torch.bool)
        # Bisection inverts the view, which maps logits to the inputs of the softmax.
        reach = 1.0 / float(way.abs().max()) if self.loss.head == "cosine" else 1e3
        sizes = self._log_odds(torch.stack([way, 0.01 * way]))
        if torch.allclose(sizes[0], sizes[1], rtol=1e-3):
            # The loss normalises the logits, so that their size does not change p.
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


def signals(loss: Loss) -> list[LogitSignal]:
    """Return the distinct signals of a loss, for each of two classes and for one of ten.

    A loss that reads only the direction of the logits has none.
    """
    setting = {name: one.default for name, one in loss.parameters.items()}
    probs = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
    found: list[LogitSignal] = []
    for n_classes in sizes_for(loss, *CLASSES) if "binary" in loss.tasks else CLASSES[1:]:
        # An ordinal loss differs most in the middle; an asymmetric loss differs between two.
        labels = (1, 0) if n_classes == 2 else (n_classes // 2,)
        for label in labels:
            name = f"{n_classes} classes"
            signal = LogitSignal(loss, setting, n_classes, label, name)
            drawn = signal.at(probs)
            if bool(drawn.isfinite().any()) and not any(
                _alike(drawn, other.at(probs)) for other in found
            ):
                found.append(signal)
    return [_renamed(signal, found) for signal in found]


def assumptions(loss: Loss) -> tuple[str, ...]:
    """Return the assumptions behind a signal about the context fields that the loss needs."""
    return tuple(_ASSUMED[name] for name in loss.needs if name in _ASSUMED)


def _renamed(signal: LogitSignal, found: list[LogitSignal]) -> LogitSignal:
    """Return a signal with a name that is unique among the signals found."""
    if signal.n_classes == 2:
        if len(found) == 1:
            return replace(signal, name="")
        if sum(other.n_classes == 2 for other in found) == 2:
            return replace(signal, name=("no", "yes")[signal.label])
    return signal


def _alike(ours: Tensor, theirs: Tensor) -> bool:
    """Return whether two signals look the same in a drawing."""
    return torch.allclose(ours, theirs, rtol=_SAME, atol=_SAME, equal_nan=True)


def _context(loss: Loss, logits: Tensor) -> LossContext | None:
    """Return a neutral context; None if the loss needs none."""
    if not loss.needs:
        return None
    counts = torch.full((logits.shape[1],), 100.0, dtype=logits.dtype)
    return neutral_context(logits, counts, norm=_NORM)
