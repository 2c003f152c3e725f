"""The laws of meaning: labels, classes, special cases and the read-out."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from autoloss.losses.certificate import null_vector
from autoloss.losses.context import LossContext
from autoloss.losses.contract.law import Setting, allowed, defaults, gap, law, searched, slope
from autoloss.losses.loss import Loss
from autoloss.losses.minimum import FAR, ExpectedLoss
from autoloss.losses.registry import get
from autoloss.losses.samples import (
    context_for,
    draw,
    draw_labels,
    logits_for,
    reordered,
    sizes_for,
    within_head,
)


@law(
    "give class probabilities the expectation over the classes (the label is read by "
    "autoloss.losses.pick alone)",
    at=allowed,
)
def probabilities_are_expectations(loss: Loss, setting: Setting) -> str | None:
    """A soft label costs the mean of the hard labels, weighted by their probabilities."""
    for n in sizes_for(loss, 4, 2):
        logits, probs = logits_for(loss, 6, n, scale=2.0), draw(6, n, seed=3).softmax(-1)
        context = context_for(loss, logits)
        hard = [loss(logits, torch.full((6,), c), context=context, **setting) for c in range(n)]
        expected = (probs * torch.stack(hard, -1)).sum(-1)
        if found := gap(loss(logits, probs, context=context, **setting), expected, atol=1e-12):
            return found
    return None


@law("read one-hot probabilities as classes", at=allowed)
def one_hot_targets_are_classes(loss: Loss, setting: Setting) -> str | None:
    """A class with probability 1 is the label."""
    (n_classes,) = sizes_for(loss, 3)
    logits = logits_for(loss, 6, n_classes, scale=3.0)
    targets = draw_labels(6, n_classes=n_classes)
    context = context_for(loss, logits)
    one_hot = torch.nn.functional.one_hot(targets, n_classes).double()
    soft = loss(logits, one_hot, context=context, **setting)
    return gap(soft, loss(logits, targets, context=context, **setting), atol=1e-7)


@law("treat all classes alike (symmetric=True)", at=allowed)
def classes_are_alike(loss: Loss, setting: Setting) -> str | None:
    """Permuting the classes and their context permutes the gradient."""
    if not loss.symmetric:
        return None
    for n_classes in sizes_for(loss, 4, 2):
        order = torch.arange(n_classes).roll(1)
        targets = draw_labels(6, n_classes=n_classes)
        # Equal logits too, because there the maximum is not unique.
        for scale in (0.0, 1.0):
            logits = logits_for(loss, 6, n_classes, scale=scale).requires_grad_()
            context = context_for(loss, logits)
            moved = logits.detach()[:, order].requires_grad_()
            values = loss(logits, targets, context=context, **setting)
            beside = reordered(context, order)
            others = loss(moved, order.argsort()[targets], context=beside, **setting)
            found = gap(slope(others, moved), slope(values, logits)[:, order], atol=1e-11)
            if found:
                return f"{found} in the gradient of permuted classes"
    return None


@law("be the loss that its special cases name", at=searched)
def special_cases_hold(loss: Loss, setting: Setting) -> str | None:
    """Values and gradients agree at all other parameters."""
    for special in loss.special:
        other = get(special.equals)
        for n_classes in sizes_for(loss, 5, 2):
            logits = logits_for(loss, 8, n_classes, scale=2.0).requires_grad_()
            targets = draw_labels(8, n_classes=n_classes)
            context = context_for(loss, logits)
            ours = loss(logits, targets, context=context, **{**setting, **special.at})
            beside = context_for(other, logits)
            theirs = other(logits, targets, context=beside, **special.using) * special.times
            found = gap(ours, theirs, atol=1e-12)
            found = found or gap(slope(ours, logits), slope(theirs, logits), atol=1e-12)
            if found:
                at = ", ".join(f"{name}={value:g}" for name, value in special.at.items())
                return f"{found} from {special.equals} with {at}"
    return None


@law("have the read-out that its slopes give", at=allowed)
def readout_is_the_null_vector(loss: Loss, setting: Setting) -> str | None:
    """At random logits or at a minimum, if exactly one posterior makes the logits optimal."""
    if not loss.has_exact_readout:
        return None
    for n_classes in sizes_for(loss, 5, 2):
        scales = torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64).repeat(6)
        logits = within_head(loss, draw(18, n_classes) * scales[:, None])
        compared = _readouts(loss, setting, logits, atol=1e-8, residual=1e-9)
        if compared is None:
            # If a common shift of the logits changes the loss, random logits are not optimal.
            logits = _minima(loss, setting, n_classes)
            compared = _readouts(loss, setting, logits, atol=1e-5, residual=1e-6)
        if compared is None:
            compared = "logits that fit none or many posteriors"
        if compared:
            return f"{compared} for {n_classes} classes"
    return None


def _readouts(
    loss: Loss, setting: Setting, logits: Tensor, *, atol: float, residual: float
) -> str | None:
    """Return the difference between declared and found read-out; empty for none.

    It is None if no row of the logits is optimal for exactly one posterior.
    """
    rows, n_classes = logits.shape
    context = context_for(loss, logits.new_zeros(rows, n_classes))
    repeated = context_for(loss, logits.new_zeros(rows * n_classes, n_classes))
    found = null_vector(lambda z, y: loss(z, y, context=repeated, **setting), logits)
    is_one = (found.residual < residual) & (found.gap > 1e-6) & (found.probs > -1e-9).all(-1)
    if not bool(is_one.any()):
        return None
    readout = loss.readout(logits, context=context, **setting).exp()
    return gap(readout[is_one], found.probs[is_one], atol=atol) or ""


def _minima(loss: Loss, setting: Setting, n_classes: int) -> Tensor:
    """Return the logits at the minimum of the expected loss for two posteriors."""
    equal = torch.linspace(1.2, 0.8, n_classes, dtype=torch.float64) / n_classes
    skewed = torch.linspace(4.0, 1.0, n_classes, dtype=torch.float64).flip(0)

    def function(logits: Tensor, targets: Tensor) -> Tensor:
        beside = context_for(loss, torch.zeros_like(logits))
        return loss(logits, targets, context=beside, **setting)

    bound = 1.0 if loss.head == "cosine" else FAR
    found = [
        ExpectedLoss(function, posterior / posterior.sum(), bound=bound).minimum().logits
        for posterior in (equal, skewed)
    ]
    return torch.stack(found)


@law(
    "keep the shape of the logits in its view and memory, and apply a prior to its view",
    at=defaults,
)
def views_are_logits(loss: Loss, setting: Setting) -> str | None:
    """View and memory have the shape of the logits, and the prior acts on the view."""
    (n_classes,) = sizes_for(loss, 4)
    logits = logits_for(loss, 2, 6, n_classes).float()
    columns = {name: torch.full((2, 1, 1), float(value)) for name, value in setting.items()}
    context = context_for(loss, logits)
    seen = {"view": loss.viewed(logits, columns, context=context)}
    if loss.memory is not None:
        seen["memory"] = loss.memory(torch.zeros_like(logits), logits, **columns)
    for name, numbers in seen.items():
        if numbers.shape != logits.shape:
            return f"a {name} of shape {tuple(numbers.shape)} for {tuple(logits.shape)}"
        if not bool(numbers.isfinite().all()):
            return f"a {name} that is not finite"
    if loss.view is None:
        return None
    classes = torch.arange(1.0, n_classes + 1.0)
    prior = replace(context or LossContext(), scale=1.0 / classes, shift=classes)
    tilted_view = loss.viewed(logits, columns, context=prior)
    if found := gap(tilted_view, seen["view"] / classes + classes, atol=1e-5):
        return f"{found} in the view that a prior tilts"
    labels = draw_labels(2, 6, n_classes=n_classes)
    values = [loss(logits, labels, context=one, **setting) for one in (context, prior)]
    return "the same values with and without a prior" if torch.equal(*values) else None
