"""What a loss is given by a loop that is not ours: labels of the right kind, masked classes."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.task import TaskKind
from autoloss.losses.numerics import MASKED

MISSING = (-1, -100)
"""Labels that stand for a missing one: scikit-learn's and torch's."""


def holds(flags: Tensor, *, unknown: bool = False) -> bool:
    """Return whether one of the flags is set.

    Args:
        flags: The flags.
        unknown: What to return where values cannot be looked at, because torch traces a function:
            in `torch.compile`, `torch.func.vmap` or an export.
    """
    if torch.compiler.is_compiling():
        return unknown
    try:
        return bool(flags.any())
    except RuntimeError:
        return unknown


def is_masked(logits: Tensor) -> Tensor:
    """Return which classes have no chance: those with a logit of minus infinity."""
    return logits == -torch.inf


def without_infinity(logits: Tensor, masked: Tensor) -> Tensor:
    """Return logits in which a masked class has a finite one, with no slope."""
    return logits.masked_fill(masked, MASKED)


def check_kind(targets: Tensor, logits: Tensor, task: TaskKind) -> None:
    """Check that targets are classes or probabilities, and have the shape of these.

    Args:
        targets: The targets of a batch.
        logits: Its logits.
        task: The kind of label.

    Raises:
        InputError: If they are not; one line says what they must be.
    """
    is_pairs = task == "multilabel"
    items = logits.shape if is_pairs else logits.shape[:-1]
    soft = targets.is_floating_point()
    if targets.shape == (logits.shape if soft else items):
        return
    what = f"{targets.dtype} of shape {tuple(targets.shape)}"
    if is_pairs:
        raise InputError(
            f"targets must have one yes or no a logit, shape {tuple(items)}, but got {what}."
        )
    is_column = targets.shape == (*items, 1) and logits.shape[-1] != 1
    is_classes = is_column or targets.shape == items
    remedy = [
        *(["squeeze(-1)"] if is_column else []),
        *(["long()"] if soft and is_classes else []),
    ]
    hint = f": use targets.{'.'.join(remedy)}" if remedy else ""
    raise InputError(
        f"targets must be classes, whole numbers of shape {tuple(items)}, or class probabilities, "
        f"floats of shape {tuple(logits.shape)}, but got {what}{hint}."
    )


def known_labels(
    targets: Tensor, logits: Tensor, task: TaskKind, *, given: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return targets without gaps, which items have a label, and which of these are not allowed.

    Args:
        targets: Targets of the right kind.
        logits: The logits.
        task: The kind of label.
        given: Which items count; None for all.

    Shape:
        ``(B,)`` or ``(B, C)`` → the same, ``(B,)``, ``(B,)``.
    """
    is_pairs = task == "multilabel"
    if targets.is_floating_point():
        gaps = targets.isnan()
        filled = targets.masked_fill(gaps, 0.0)
        wrong = (filled < 0.0) | (filled > 1.0) if is_pairs else (filled < 0.0).any(-1)
        # One NaN makes a whole distribution over the classes unknown.
        gaps = gaps if is_pairs else gaps.any(-1)
    else:
        targets = targets.long()
        last = 1 if is_pairs else logits.shape[-1] - 1
        gaps = torch.zeros_like(targets, dtype=torch.bool)
        for missing in MISSING:
            gaps = gaps | (targets == missing)
        wrong = ((targets < 0) | (targets > last)) & ~gaps
        filled = targets.clamp(0, last)
    known = ~gaps if given is None else given & ~gaps
    return filled, known, wrong & known


def wrong_label(
    targets: Tensor,
    wrong: Tensor,
    logits: Tensor,
    task: TaskKind,
    *,
    missing: tuple[int, ...] = MISSING,
) -> InputError:
    """Return what is wrong with a label, in one line.

    Args:
        targets: The targets as they were given.
        wrong: Which items have a label that is not allowed.
        logits: The logits.
        task: The kind of label.
        missing: Labels that would stand for a missing one.
    """
    place = _first(wrong)
    if targets.is_floating_point() and task != "multilabel":
        place = (*place, *_first(targets[place] < 0.0))
    value = f"{targets[place].item():g}"
    if targets.is_floating_point():
        rule = "probabilities of yes from 0 to 1" if task == "multilabel" else "shares from 0 on"
        rule += ", NaN where missing"
    else:
        last = 1 if task == "multilabel" else logits.shape[-1] - 1
        rule = f"classes from 0 to {last}"
        if missing:
            rule += f", or {' or '.join(map(str, missing))} where missing"
    return InputError(f"targets must be {rule}, but got targets[{_index(place)}]={value}.")


def given_to_masked(targets: Tensor, masked: Tensor, task: TaskKind) -> Tensor:
    """Return which items have a label, or a share of one, that is a masked class.

    Shape:
        ``targets (B,)`` or ``(B, C)``, ``masked (B, C)`` → ``(B,)``.
    """
    if task == "multilabel":
        return masked & (targets > 0)
    if targets.is_floating_point():
        return (masked & (targets > 0)).any(-1)
    return masked.gather(-1, targets.unsqueeze(-1)).squeeze(-1)


def masked_label(wrong: Tensor) -> InputError:
    """Return what is said of a label whose class is masked."""
    return InputError(
        "logits must be finite for the class of the label, but got minus infinity there for "
        f"targets[{_index(_first(wrong))}]: mask other classes alone."
    )


def no_masks(owner: str) -> InputError:
    """Return what is said of a masked class that a part of the loss has no use for."""
    return InputError(
        f"logits must be finite for {owner}, which reads those of all classes, but got minus "
        "infinity: give masked classes a finite logit, or take a loss of probabilities."
    )


def _first(flags: Tensor) -> tuple[int, ...]:
    """Return the place of the first flag that is set."""
    return tuple(flags.nonzero()[0].tolist())


def _index(place: tuple[int, ...]) -> str:
    """Return a place as it stands in brackets."""
    return ", ".join(map(str, place))
