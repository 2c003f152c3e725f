"""Checks of the labels and masked classes that a user's training loop passes to a loss."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.task import TaskKind
from autoloss.losses.numerics import MASKED

MISSING = (-1, -100)
"""Labels that mean a missing label, in scikit-learn and in torch."""


def holds(flags: Tensor, *, unknown: bool = False) -> bool:
    """Return whether one of the flags is set.

    Args:
        flags: The flags.
        unknown: The result if torch traces a function, whose values cannot be read: in
            `torch.compile`, `torch.func.vmap` or an export.
    """
    if torch.compiler.is_compiling():
        return unknown
    try:
        return bool(flags.any())
    except RuntimeError:
        return unknown


def is_masked(logits: Tensor) -> Tensor:
    """Return which classes are masked by a logit of minus infinity."""
    return logits == -torch.inf


def without_infinity(logits: Tensor, masked: Tensor) -> Tensor:
    """Return logits in which masked classes have a finite value without a slope."""
    return logits.masked_fill(masked, MASKED)


def check_logits(logits: Tensor, targets: Tensor, task: TaskKind) -> None:
    """Check that logits are floats with a column for each class.

    Args:
        logits: The logits of a batch.
        targets: Its targets.
        task: The kind of label.

    Raises:
        InputError: If they are not; the message has the rule and a remedy.
    """
    if not logits.is_floating_point():
        raise InputError(f"logits must be floats, but got {logits.dtype}: use logits.float().")
    if task == "multilabel":
        return
    is_flat = (
        logits.ndim == 1 and targets.shape == logits.shape and not targets.is_floating_point()
    )
    if logits.ndim == 0 or logits.shape[-1] < 2 or is_flat:
        raise InputError(
            "logits must have a column for each class, two or more, but got shape "
            f"{tuple(logits.shape)}: a single logit z for yes or no, of shape (B,), becomes "
            "torch.stack([torch.zeros_like(z), z], -1)."
        )


def check_kind(targets: Tensor, logits: Tensor, task: TaskKind) -> None:
    """Check that targets are classes or probabilities, in the shape for that kind.

    Args:
        targets: The targets of a batch.
        logits: Its logits.
        task: The kind of label.

    Raises:
        InputError: If they are not; the message has the rule and a remedy.
    """
    is_pairs = task == "multilabel"
    items = logits.shape if is_pairs else logits.shape[:-1]
    soft = targets.is_floating_point()
    if targets.shape == (logits.shape if soft else items):
        return
    what = f"{targets.dtype} of shape {tuple(targets.shape)}"
    if is_pairs:
        raise InputError(
            f"targets must have a yes or no for each logit, shape {tuple(items)}, but got {what}."
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
    """Return targets with gaps filled, which items have a label, and which labels are wrong.

    Args:
        targets: Targets of the right kind.
        logits: The logits.
        task: The kind of label.
        given: The mask of items that count; None for all.

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
    """Return the error for the first wrong label, in one line.

    Args:
        targets: The targets of the user.
        wrong: The items whose label is not allowed.
        logits: The logits.
        task: The kind of label.
        missing: The labels that mean a missing label.
    """
    place = _first(wrong)
    if targets.is_floating_point() and task != "multilabel":
        place = (*place, *_first(targets[place] < 0.0))
    value = f"{targets[place].item():g}"
    if targets.is_floating_point():
        rule = (
            "probabilities of yes from 0 to 1" if task == "multilabel" else "shares of at least 0"
        )
        rule += ", NaN where missing"
    else:
        last = 1 if task == "multilabel" else logits.shape[-1] - 1
        rule = f"classes from 0 to {last}"
        if missing:
            rule += f", or {' or '.join(map(str, missing))} where missing"
    return InputError(f"targets must be {rule}, but got targets[{_index(place)}]={value}.")


def given_to_masked(targets: Tensor, masked: Tensor, task: TaskKind) -> Tensor:
    """Return the items of which a masked class is the label, or has a share of it.

    Shape:
        ``targets (B,)`` or ``(B, C)``, ``masked (B, C)`` → ``(B,)``.
    """
    if task == "multilabel":
        return masked & (targets > 0)
    if targets.is_floating_point():
        return (masked & (targets > 0)).any(-1)
    return masked.gather(-1, targets.unsqueeze(-1)).squeeze(-1)


def masked_label(wrong: Tensor) -> InputError:
    """Return the error for a label whose class is masked."""
    return InputError(
        "logits must be finite for the class of the label, but got minus infinity there for "
        f"targets[{_index(_first(wrong))}]: mask other classes only."
    )


def no_masks(owner: str) -> InputError:
    """Return the error for a masked class that a component of the loss cannot use."""
    return InputError(
        f"logits must be finite for {owner}, which reads those of all classes, but got minus "
        "infinity: give masked classes a finite logit, or use a loss of probabilities."
    )


def _first(flags: Tensor) -> tuple[int, ...]:
    """Return the index of the first flag that is set."""
    return tuple(flags.nonzero()[0].tolist())


def _index(place: tuple[int, ...]) -> str:
    """Return an index as text for brackets."""
    return ", ".join(map(str, place))
