"""The laws of values: one per example, independent of other examples and candidates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoloss.losses.contract.law import Setting, allowed, defaults, gap, law, searched, slope
from autoloss.losses.loss import Loss
from autoloss.losses.parameters import ChoiceParam
from autoloss.losses.samples import context_for, draw, draw_labels, logits_for, part_of, sizes_for


@law("allow the default and both ends of the range of each parameter", at=defaults)
def parameters_are_allowed(loss: Loss, setting: Setting) -> str | None:
    """The default and the range of a search are allowed values."""
    for name, one in loss.parameters.items():
        values = one.choices if isinstance(one, ChoiceParam) else (one.low, one.high)
        for value in (one.default, *values):
            if one.mistake(name, value):
                return f"{name}={value}"
        if not isinstance(one, ChoiceParam) and not one.low <= one.default <= one.high:
            return f"default={one.default} outside of {name}'s range"
        if not isinstance(one, ChoiceParam) and one.log and one.low <= 0:
            return f"low={one.low} on {name}'s logarithmic scale"
    return None


@law("give one value per example, whatever the others are", at=allowed)
def one_value_per_example(loss: Loss, setting: Setting) -> str | None:
    """A batch of six examples has six values, each as for the example alone."""
    (n_classes,) = sizes_for(loss, 4)
    logits, targets = logits_for(loss, 6, n_classes), draw_labels(6, n_classes=n_classes)
    context = context_for(loss, logits)
    together = loss(logits, targets, context=context, **setting)
    if together.shape != (6,):
        return f"shape {tuple(together.shape)} for 6 examples"
    alone = []
    for i in range(6):
        one = slice(i, i + 1)
        part = part_of(context, one, examples=one)
        alone.append(loss(logits[one], targets[one], context=part, **setting))
    return gap(together, torch.cat(alone), atol=1e-13)


@law("give the same values to stacked candidates and to each alone", at=defaults)
def stacked_equals_plain(loss: Loss, setting: Setting) -> str | None:
    """Four candidates with their own settings, for classes and for probabilities."""
    (n,) = sizes_for(loss, 4)
    rows = (searched(loss) * 4)[:4]
    logits = logits_for(loss, 4, 4, n, scale=2.0)
    labels, probs = draw_labels(4, 4, n_classes=n), draw(4, 4, n, seed=2).softmax(-1)
    context = context_for(loss, logits)
    for targets in (labels, probs):
        stacked = loss(logits, targets, context=context, **_columns(loss, rows, axes=1))
        plain = [
            loss(logits[k], targets[k], context=part_of(context, k), **row)
            for k, row in enumerate(rows)
        ]
        if found := gap(stacked, torch.stack(plain), atol=1e-12):
            return found
    return None


@law("keep candidates apart", at=defaults)
def candidates_are_apart(loss: Loss, setting: Setting) -> str | None:
    """K, B and C are equal here, so that a mistaken axis raises no error of shape."""
    k = sizes_for(loss, 3)[0]
    columns = _columns(loss, [setting] * k, axes=1)
    logits, targets = logits_for(loss, k, k, k), draw_labels(k, k, n_classes=k)
    context = context_for(loss, logits)
    before = loss(logits, targets, context=context, **columns)
    for row in range(k):
        for example in range(k):
            moved = logits.clone()
            moved[row, example] = logits_for(loss, k, seed=9)
            touched = loss(moved, targets, context=context, **columns) != before
            touched[row, example] = False
            if touched.any():
                return f"example {example} of candidate {row} at work in another value"
    return None


@law("treat every position of a sequence as an example", at=defaults)
def positions_are_examples(loss: Loss, setting: Setting) -> str | None:
    """Values of ``(K, B, T, C)`` equal each position's, for classes and probabilities."""
    if not {"sequence", "multilabel"} & set(loss.tasks):
        return None
    n_classes = sizes_for(loss, 4)[0] if "sequence" in loss.tasks else 2
    rows = (searched(loss) * 3)[:3]
    logits = logits_for(loss, 3, 2, 5, n_classes)
    labels = draw_labels(3, 2, 5, n_classes=n_classes)
    context = context_for(loss, logits)
    for targets in (labels, draw(*logits.shape, seed=2).softmax(-1)):
        whole = loss(logits, targets, context=context, **_columns(loss, rows, axes=2))
        each = [
            loss(
                logits[:, :, t],
                targets[:, :, t],
                context=part_of(context, (slice(None), slice(None), t)),
                **_columns(loss, rows, axes=1),
            )
            for t in range(5)
        ]
        if found := gap(whole, torch.stack(each, 2), atol=1e-12):
            return found
    return None


@law("agree in float32 and float64 for many classes and many examples", at=defaults)
def sizes_are_served(loss: Loss, setting: Setting) -> str | None:
    """64 examples of 1000 classes, and 10 000 examples of three."""
    for n_examples, wanted in ((64, 1000), (10_000, 3)):
        (n_classes,) = sizes_for(loss, wanted)
        logits = logits_for(loss, n_examples, n_classes).float()
        targets = draw_labels(n_examples, n_classes=n_classes)
        narrow, narrow_slope = _with_slope(loss, logits, targets, setting)
        wide, wide_slope = _with_slope(loss, logits.double(), targets, setting)
        found = gap(narrow.double(), wide, atol=1e-4)
        largest = float(wide_slope.abs().max())
        found = found or gap(narrow_slope.double(), wide_slope, atol=1e-4 * largest)
        if found:
            return f"{found} for {n_examples} examples of {n_classes} classes"
    return None


def _with_slope(
    loss: Loss, logits: Tensor, targets: Tensor, setting: Setting
) -> tuple[Tensor, Tensor]:
    """Return the values and their gradient."""
    at = logits.clone().requires_grad_()
    values = loss(at, targets, context=context_for(loss, at), **setting)
    return values, slope(values, at)


def _columns(loss: Loss, rows: Sequence[Setting], *, axes: int) -> dict[str, Tensor]:
    """Return the parameters of several candidates with axes for the items."""
    return {
        name: torch.tensor([row[name] for row in rows], dtype=torch.float64).view(-1, *[1] * axes)
        for name in loss.parameters
    }
