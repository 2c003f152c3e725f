"""The universal read-out, and the certificate of the information in the logits of a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses.context import LossContext
from autoloss.losses.from_gradients import left_null
from autoloss.losses.loss import Loss
from autoloss.losses.minimum import FAR, ExpectedLoss, Function, Minimum

Kind = Literal["strictly proper", "invertible", "classification-calibrated", "degenerate"]
"""The information about the posterior at the minimum of an expected loss; see `Certificate`."""
# The largest error of a read-out that counts as exact.
_EXACT = 1e-4
# The lead in probability by which a class is clearly the likeliest.
_CLEAR = 0.08
# A wrong decision must cost this share of the gain over equal logits.
_SAME = 1e-3


@dataclass(frozen=True)
class NullVector:
    """The posterior at which the expected loss has no slope, and whether it is unique.

    Args:
        probs: The posterior, ``(N, C)``; sums to 1. A negative entry means that no posterior makes
            these logits optimal.
        residual: The slope at `probs`, as a share of the largest slope, ``(N,)``; near 0 where
            such a posterior exists.
        gap: The slope in the next direction, as the same share, ``(N,)``. Near 0 the logits fit
            many posteriors, and none can be read from them.
    """

    probs: Tensor
    residual: Tensor
    gap: Tensor


@dataclass(frozen=True)
class Certificate:
    """The information about the posterior in the logits at the minimum of an expected loss.

    Args:
        kind: ``"strictly proper"``: softmax gives the posterior. ``"invertible"``: another map
            gives it. ``"classification-calibrated"``: the largest logit is that of the likeliest
            class, and no more can be read. ``"degenerate"``: even the decision can be wrong.
        softmax_error: The largest error of a probability by softmax.
        readout_error: The largest error by the declared read-out or by the null vector of the
            slopes, whichever is more exact.
        n_classes: Classes of the posteriors.
        n_posteriors: The number of posteriors that were tried.
        text: The certificate in one sentence.
    """

    kind: Kind
    softmax_error: float
    readout_error: float
    n_classes: int
    n_posteriors: int
    text: str

    def __str__(self) -> str:
        return self.text


def null_vector(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor) -> NullVector:
    """Read the posterior from logits through the gradients of a loss alone.

    At a minimum of the expected loss, ``sum_y η_y ∂L(z, y)/∂z = 0``: the posterior η is the left
    null vector of the matrix of gradients, which has a row for each label. It is unique if the
    rank is ``C - 1``. This needs no formula for the read-out: it verifies the declared read-outs,
    and finds the read-out of any other loss. For C up to about 100.

    Args:
        loss: Maps logits and classes to one value per example.
        logits: Raw scores; read in float64.

    Shape:
        ``logits (N, C)`` → ``probs (N, C)``; the loss is called on ``(N * C, C)``, ``(N * C,)``.

    Examples:
        >>> from autoloss.losses import get
        >>> found = null_vector(get("focal"), torch.tensor([[2.1972, 0.0]]))
        >>> found.probs
        tensor([[0.9974, 0.0026]], dtype=torch.float64)
    """
    n, n_classes = logits.shape
    repeated = logits.detach().double().repeat_interleave(n_classes, 0).requires_grad_()
    labels = torch.arange(n_classes, device=logits.device).repeat(n)
    (gradients,) = torch.autograd.grad(loss(repeated, labels).sum(), repeated)
    return NullVector(*left_null(gradients.reshape(n, n_classes, n_classes)))


def certify(
    loss: Loss | Function,
    n_classes: int = 4,
    *,
    context: LossContext | None = None,
    seed: int = 0,
    **parameters: float,
) -> Certificate:
    """Return the information in the logits of a loss at the minimum of its expectation.

    The minimum is found numerically for six posteriors: three random, one skewed, one nearly
    uniform, and one whose likeliest class has less than half. The loss may be a plain function.
    The certificate is evidence, not a proof.

    Args:
        loss: A loss, or a function of logits ``(N, C)`` and classes ``(N,)`` with a value per
            example.
        n_classes: Classes of the posteriors.
        context: The fields that the loss needs besides class counts, the same for every example;
            see `LossContext`.
        seed: Seed of the random posteriors.
        **parameters: Parameters of the loss; their defaults where left out.

    Raises:
        InputError: If the loss does not return a value per example, is nowhere finite, or has no
            slope by its logits.

    Examples:
        >>> from autoloss.losses import get
        >>> certify(get("brier")).kind, certify(get("mae")).kind
        ('strictly proper', 'classification-calibrated')
        >>> print(certify(get("power"), beta=2.0))
        power is strictly proper with 4 classes: at the minimum softmax gives the posterior.
    """
    name = getattr(loss, "name", getattr(loss, "__name__", "the loss"))
    if n_classes < 2:
        raise InputError(f"n_classes must be at least 2, but got n_classes={n_classes}.")
    if context is None:
        context = LossContext(class_counts=torch.arange(n_classes, 0, -1, dtype=torch.float64))
    function, bound = _prepared(loss, context, parameters)
    posteriors = _posteriors(n_classes, seed)
    expected = [ExpectedLoss(function, posterior, bound=bound) for posterior in posteriors]
    minima = [one.minimum() for one in expected]
    logits = torch.stack([one.logits for one in minima])
    softmax_error = _error(logits.softmax(-1), posteriors)
    reader = "the null vector of its slopes"
    readout_error = _error(null_vector(function, logits).probs, posteriors)
    if isinstance(loss, Loss) and loss.has_exact_readout:
        declared = loss.readout(logits, context=context, **parameters).exp()
        declared_error = _error(declared, posteriors)
        if declared_error < max(readout_error, _EXACT):
            reader, readout_error = "the read-out that it declares", declared_error
    faults = filter(None, map(_fault, expected, minima))
    kind, reason = _judged(softmax_error, readout_error, reader, faults)
    text = f"{name} is {kind} with {n_classes} classes: {reason}."
    return Certificate(kind, softmax_error, readout_error, n_classes, len(posteriors), text)


def _judged(
    softmax_error: float, readout_error: float, reader: str, faults: Iterator[str]
) -> tuple[Kind, str]:
    """Return the kind of a loss and the reason for it.

    Args:
        softmax_error: The largest error of a probability by softmax.
        readout_error: The largest error by the best other read-out.
        reader: The name of that read-out.
        faults: Wrong decisions, found when they are asked for.
    """
    if softmax_error < _EXACT:
        return "strictly proper", "at the minimum softmax gives the posterior"
    if readout_error < _EXACT:
        return (
            "invertible",
            f"at the minimum softmax is off by up to {softmax_error:.2g}, and {reader} gives "
            f"the posterior to {readout_error:.0e}",
        )
    if fault := next(faults, None):
        return "degenerate", fault
    return (
        "classification-calibrated",
        "at the minimum the largest logit is that of the likeliest class, and no posterior can "
        f"be read (off by up to {min(softmax_error, readout_error):.2g})",
    )


def _prepared(
    loss: Loss | Function, context: LossContext, parameters: Mapping[str, float]
) -> tuple[Function, float]:
    """Return a loss as a plain function, and the largest logit of its head."""
    if not isinstance(loss, Loss):
        return (lambda z, y: loss(z, y, **parameters)), FAR
    bound = FAR
    if loss.head == "cosine":
        bound = 1.0
    elif loss.head == "unbiased" and context.norms is not None:
        bound = float(context.norms.min())
    return (lambda z, y: loss(z, y, context=context, **parameters)), bound


def _posteriors(n_classes: int, seed: int) -> Tensor:
    """Return posteriors of every kind, one in each row."""
    generator = torch.Generator().manual_seed(seed)
    # Exponential numbers, normalised, are uniform over all posteriors.
    uniform = torch.rand(3, n_classes, generator=generator, dtype=torch.float64)
    drawn = -uniform.clamp_min(1e-12).log()
    random = 0.9 * drawn / drawn.sum(-1, keepdim=True) + 0.1 / n_classes
    order = torch.stack([torch.randperm(n_classes, generator=generator) for _ in range(3)])
    rank = torch.arange(n_classes, dtype=torch.float64)
    skewed = 0.2**rank + 0.01
    equal = 1.0 + 0.1 * (rank - rank.mean()) / n_classes
    leading = 1.0 - 0.02 * rank
    leading[0] = leading[1:].sum() * (0.75 if n_classes > 2 else 1.5)
    named = torch.stack([skewed, equal, leading]).gather(1, order)
    return torch.cat([random, named / named.sum(-1, keepdim=True)])


def _error(probs: Tensor, posteriors: Tensor) -> float:
    """Return the largest difference between two probabilities."""
    return float((probs - posteriors).abs().nan_to_num(nan=1.0).clamp_max(1.0).max())


def _fault(expected: ExpectedLoss, found: Minimum) -> str | None:
    """Return the reason why a decision by the largest logit is wrong, or None if it is right."""
    posterior = expected.posterior
    most, next_most = posterior.topk(2).values.tolist()
    top, second = posterior.topk(2).indices.tolist()
    if most - next_most < _CLEAR:
        return None
    beside = expected.values(torch.stack([torch.zeros_like(posterior), found.logits / 2.0]))
    to_gain = float(beside[0]) - found.value
    if float(found.logits.abs().max()) >= FAR and float(beside[1]) - found.value > 0.1 * to_gain:
        return "its expectation has no minimum"
    wrong = expected.minimum(first=second, over=top)
    is_wrong = int(found.logits.argmax()) != top
    if is_wrong or wrong.value - found.value <= _SAME * to_gain:
        shares = ", ".join(f"{one:.2f}" for one in posterior.tolist())
        return (
            "its expectation is as low where another class than the likeliest has the largest "
            f"logit, as for the posterior ({shares})"
        )
    return None
