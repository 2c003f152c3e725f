"""The laws of numbers: finite values, the right dtype, and slopes that fit the values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses.context import LossContext
from autoloss.losses.contract.law import Setting, allowed, defaults, gap, law, slope
from autoloss.losses.loss import Loss
from autoloss.losses.numerics import MASKED
from autoloss.losses.samples import context_for, draw, draw_labels, logits_for, sizes_for

_SCALES = (0.0, 1.0, 1e3, 1e4)


@law("have finite values, slopes and read-outs in float32 up to logits of 1e4", at=allowed)
def numbers_are_finite(loss: Loss, setting: Setting) -> str | None:
    """Each class is the label of learnt and of missed examples. Cosines stay within -1 and 1."""
    for n_classes in sizes_for(loss, 4, 2):
        logits, hard = _extremes(loss, n_classes)
        logits.requires_grad_()
        soft = torch.nn.functional.one_hot(hard, n_classes).float() * 0.9 + 0.1 / n_classes
        context = context_for(loss, logits)
        for targets in (hard, soft):
            values = loss(logits, targets, context=context, **setting)
            if values.dtype != torch.float32:
                return f"values in {values.dtype} for logits in torch.float32"
            for what, numbers in (("value", values), ("slope", slope(values, logits))):
                if found := _not_finite(what, numbers, logits):
                    return found
        readout = loss.readout(logits.detach(), context=context, **setting)
        if found := _not_finite("read-out", readout, logits):
            return found
    return None


@law("read logits of 16 bits in float32", at=defaults)
def narrow_logits_are_widened(loss: Loss, setting: Setting) -> str | None:
    """Exponentials and their sums need more precision than 16 bits."""
    (n_classes,) = sizes_for(loss, 4)
    logits = logits_for(loss, 6, n_classes, scale=2.0).bfloat16()
    targets = draw_labels(6, n_classes=n_classes)
    context = context_for(loss, logits.float())
    narrow = loss(logits, targets, context=context, **setting)
    if narrow.dtype != torch.float32:
        return f"values in {narrow.dtype} for logits in torch.bfloat16"
    return gap(narrow, loss(logits.float(), targets, context=context, **setting), atol=0.0)


@law("have the slopes of its values", at=allowed)
def slopes_are_those_of_the_values(loss: Loss, setting: Setting) -> str | None:
    """The gradient equals the difference quotient, for classes and for probabilities."""
    for n_classes in sizes_for(loss, 3, 2):
        logits = logits_for(loss, 8, n_classes, scale=1.5).requires_grad_()
        context = context_for(loss, logits)
        labels = torch.arange(8) % n_classes
        for targets in (labels, draw(8, n_classes, seed=3).softmax(-1)):
            values = _function_of_logits(loss, targets, context, setting)
            expected = _quotients(values, logits.detach())
            found = gap(slope(values(logits), logits), expected, atol=1e-5, rtol=1e-3)
            if found:
                return f"{found} between gradient and difference quotient"
    return None


@law("fall where the true logit rises from equal logits", at=allowed)
def true_logits_are_rewarded(loss: Loss, setting: Setting) -> str | None:
    """The gradient at equal logits sets the scale of the learning rate; the memory is empty."""
    # With norms, logits of 0 are right angles, at which an angular margin may be flat.
    equal = 0.5 if loss.head == "unbiased" else 0.0
    for n_classes in sizes_for(loss, 4, 2):
        logits = torch.full((n_classes, n_classes), equal, dtype=torch.float64).requires_grad_()
        context = context_for(loss, logits)
        if context is not None:
            context = replace(context, memory=torch.zeros_like(logits))
        values = loss(logits, torch.arange(n_classes), context=context, **setting)
        rewards = -slope(values, logits).diagonal()
        if not bool((rewards > 0).all()) or not bool(rewards.isfinite().all()):
            return f"a slope of {-float(rewards.min()):.2g} on it with {n_classes} classes"
    return None


@law(
    "stay finite and the same however low the logit of a masked class is, or refuse it",
    at=allowed,
)
def masked_classes_are_out(loss: Loss, setting: Setting) -> str | None:
    """A masked class that is not the label has neither probability nor slope."""
    for n_classes in sizes_for(loss, 4, 2):
        logits = logits_for(loss, 6, n_classes).float()
        labels = torch.arange(6) % (n_classes - 1)
        masked, low = logits.clone(), logits.clone()
        masked[:, -1], low[:, -1] = -torch.inf, 0.8 * MASKED
        context = context_for(loss, logits)
        masked.requires_grad_()
        low.requires_grad_()
        try:
            values = loss(masked, labels, context=context, **setting)
        except InputError:
            return "a refusal, though masked=True" if loss.masked else None
        if not loss.masked:
            return "a value, though masked=False"
        found, expected = slope(values, masked), loss(low, labels, context=context, **setting)
        for what, numbers in (("value", values), ("slope", found)):
            if not bool(numbers.isfinite().all()):
                return f"a {what} that is not finite"
        if bool((found[:, -1] != 0.0).any()):
            return "a slope on the masked logit"
        if distance := gap(values, expected, atol=1e-4) or gap(
            found, slope(expected, low), atol=1e-4
        ):
            return f"{distance} between minus infinity and a number as low"
        if not bool(loss.readout(masked.detach(), context=context, **setting).isfinite().all()):
            return "a read-out that is not finite"
    return None


def _function_of_logits(
    loss: Loss, targets: Tensor, context: LossContext | None, setting: Setting
) -> Callable[[Tensor], Tensor]:
    """Return the loss as a function of the logits alone."""
    return lambda logits: loss(logits, targets, context=context, **setting)


def _extremes(loss: Loss, n_classes: int) -> tuple[Tensor, Tensor]:
    """Return logits from 0 to 1e4 in float32, each under every label.

    Among them are margins of exactly the largest logit, where p is 0 or 1 to the last digit.
    """
    random = draw(3, n_classes, seed=4).clamp(-1.0, 1.0)
    sharp = torch.eye(n_classes, dtype=torch.float64)[:3]
    shapes = torch.cat([random, sharp, -sharp])
    scales = (0.0, 0.1, 0.5, 1.0) if loss.head == "cosine" else _SCALES
    logits = torch.cat([scale * shapes for scale in scales]).float()
    labels = torch.arange(n_classes).repeat(len(logits))
    return logits.repeat_interleave(n_classes, 0), labels


def _not_finite(what: str, numbers: Tensor, logits: Tensor) -> str | None:
    """Return the first number that is not finite, and its logits."""
    if bool(numbers.isfinite().all()):
        return None
    row = int((~numbers.isfinite()).flatten(1 if numbers.ndim > 1 else 0).nonzero()[0, 0])
    at = ", ".join(f"{one:g}" for one in logits[row].tolist())
    worst = numbers[row].flatten()
    worst = worst[~worst.isfinite()][0]
    return f"a {what} of {float(worst)} for logits ({at})"


def _quotients(
    values: Callable[[Tensor], Tensor], logits: Tensor, *, step: float = 1e-6
) -> Tensor:
    """Return the difference quotient of each example's value for each of its logits."""
    columns = []
    for shift in step * torch.eye(logits.shape[-1], dtype=logits.dtype):
        columns.append((values(logits + shift) - values(logits - shift)) / (2.0 * step))
    return torch.stack(columns, -1).detach()
