"""Reads the logits and labels that a training loop tells, of every kind of label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.ragged import Ragged
from autoloss.losses import ClassFacts
from autoloss.losses.guards import MISSING
from autoloss.readout import Items


def told(
    logits: Any, labels: Any, facts: ClassFacts, *, candidates: int | None = None, part: str
) -> tuple[Tensor, Items]:
    """Return logits in the layout of the losses, and the items of their labels.

    Args:
        logits: A tensor or an array, or a sequence of them.
        labels: The labels of the rows, the same for all candidates. Of several labels, and of
            tokens, -1, -100 and NaN mean a missing label.
        facts: The kind of label and its classes.
        candidates: The number of candidates K; None for one candidate, without their axis.
        part: ``"val"`` or ``"test"``, for messages.

    Raises:
        InputError: If logits and labels are not of the same rows, or have other values.

    Shape:
        - one label a row: logits (K, N, C), labels (N,); the result is the same
        - several labels: logits (K, N, L), labels (N, L); the result is the same
        - sequences: logits K times N times (T_n, C), labels N times (T_n,); the logits of all
          tokens are joined to (K, 1, T, C), as they are given with `Ragged` labels
    """
    lead = () if candidates is None else (candidates,)
    if isinstance(labels, Ragged):
        shape = (*lead, 1, len(labels.values), facts.n_classes)
        found = as_logits(logits, shape=shape, name=f"{part}_logits")
        return found, _some(Items.of(labels, facts).to(found.device), part)
    if facts.task == "sequence":
        return _told_sequences(logits, labels, facts, lead=lead, part=part)
    name, several = f"{part}_logits", facts.task == "multilabel"
    last = facts.counts.shape[-2] if several else facts.n_classes
    found = as_logits(logits, shape=(*lead, None, last), name=name)
    if several:
        answers = _as_answers(labels, found, name=f"{part}_labels")
        return found, _some(Items.of(answers, facts), part)
    classes = as_classes(labels, n_classes=last, like=found, name=f"{part}_labels")
    return found, Items.of(classes, facts)


def _some(items: Items, part: str) -> Items:
    """Return items, of which there must be one."""
    if not len(items):
        raise InputError(f"{part}_labels must have a label, but got none that is not missing.")
    return items


def _as_answers(values: Any, like: Tensor, *, name: str) -> Tensor:
    """Return a yes, a no or a gap for each logit of several labels, on the device of `like`.

    Shape:
        like (..., N, L), result (N, L).
    """
    answers = _on_cpu(values)
    if answers.shape != like.shape[-2:] or not answers.numel():
        raise InputError(
            f"{name} must have a yes or no for each logit, shape {tuple(like.shape[-2:])}, but "
            f"got {name}.shape={tuple(answers.shape)}."
        )
    numbers = answers.double()
    allowed = numbers.isnan() | torch.isin(numbers, torch.tensor([0.0, 1.0, *MISSING]).double())
    if not bool(allowed.all()):
        raise InputError(
            f"{name} must be 0 or 1, and -1, -100 or NaN where missing, but got "
            f"{float(numbers[~allowed][0]):g}."
        )
    return numbers.nan_to_num(nan=MISSING[0]).long().to(like.device)


def _on_cpu(values: Any) -> Tensor:
    """Return labels as a tensor."""
    return torch.as_tensor(values if isinstance(values, Tensor) else np.asarray(values)).cpu()


def _told_sequences(
    logits: Any, labels: Any, facts: ClassFacts, *, lead: tuple[int, ...], part: str
) -> tuple[Tensor, Items]:
    """Return the joined logits of the tokens of sequences, (K, 1, T, C) or (1, T, C)."""
    tags = [_as_tags(one, facts, place, name=f"{part}_labels") for place, one in enumerate(labels)]
    if not tags:
        raise InputError(f"{part}_labels must have a sequence, but got none.")
    lengths, name = [len(one) for one in tags], f"{part}_logits"
    every = [_joined(one, lengths, facts, name=name) for one in (logits if lead else [logits])]
    if lead and len(every) != lead[0]:
        raise InputError(f"{name} must be of {lead[0]} candidates, but got {len(every)}.")
    found = torch.stack(every)[:, None]
    items = _some(Items.of_sequences([one.to(found.device) for one in tags]), part)
    return found if lead else found[0], items


def _as_tags(values: Any, facts: ClassFacts, place: int, *, name: str) -> Tensor:
    """Return the tags of one sequence, (T_n,)."""
    tags = _on_cpu(values)
    tags = tags.nan_to_num(nan=MISSING[0]) if tags.is_floating_point() else tags
    if tags.ndim != 1 or not len(tags):
        raise InputError(
            f"{name} must have a class for each token, but got "
            f"{name}[{place}].shape={tuple(tags.shape)}."
        )
    whole = tags.long()
    is_known = torch.isin(whole, torch.tensor(MISSING), invert=True)
    wrong = (whole != tags) | (is_known & ((whole < 0) | (whole >= facts.n_classes)))
    if bool(wrong.any()):
        raise InputError(
            f"{name} must be classes 0 to {facts.n_classes - 1}, and -1, -100 or NaN where "
            f"missing, but got {float(tags[wrong][0]):g} in {name}[{place}]."
        )
    return whole


def _joined(values: Any, lengths: Sequence[int], facts: ClassFacts, *, name: str) -> Tensor:
    """Return the logits of all tokens of one candidate, (T, C)."""
    if len(values) != len(lengths):
        raise InputError(f"{name} must be of {len(lengths)} sequences, but got {len(values)}.")
    return torch.cat(
        [
            as_logits(one, shape=(length, facts.n_classes), name=f"{name}[{place}]")
            for place, (one, length) in enumerate(zip(values, lengths, strict=True))
        ]
    )


def as_logits(values: Any, *, shape: tuple[int | None, ...], name: str) -> Tensor:
    """Return logits as a tensor of at least single precision.

    Args:
        values: A tensor, an array, or a sequence of them.
        shape: The wanted shape; None stands for any length.
        name: Their name in a message.

    Raises:
        InputError: If they have another shape.
    """
    if isinstance(values, (list, tuple)):
        values = (
            torch.stack([torch.as_tensor(one) for one in values]) if values else torch.empty(0)
        )
    logits = torch.as_tensor(values).detach()
    if logits.dtype not in (torch.float32, torch.float64):
        logits = logits.float()
    fits = logits.ndim == len(shape) and all(
        length in (None, got) for length, got in zip(shape, logits.shape, strict=True)
    )
    if not fits:
        sizes = ", ".join("N" if length is None else str(length) for length in shape)
        raise InputError(
            f"{name} must have the shape ({sizes}), but got {name}.shape={tuple(logits.shape)}."
        )
    return logits


def as_classes(values: Any, *, n_classes: int, like: Tensor, name: str) -> Tensor:
    """Return the class of each row as a whole number, on the device of `like`.

    Args:
        values: Classes from 0; (N,).
        n_classes: Number of classes C.
        like: Logits; (..., N, C).
        name: The name of the classes in a message.

    Raises:
        InputError: If they are not classes, or not as many as rows.
    """
    classes = torch.as_tensor(np.asarray(values) if isinstance(values, (list, tuple)) else values)
    if classes.shape != like.shape[-2:-1] or not len(classes):
        raise InputError(
            f"{name} must have one class per row, but got {name}.shape={tuple(classes.shape)} "
            f"for {like.shape[-2]} rows."
        )
    whole = classes.long()
    if (
        not bool((whole == classes).all())
        or not 0 <= int(whole.min()) <= int(whole.max()) < n_classes
    ):
        raise InputError(
            f"{name} must be classes 0 to {n_classes - 1}, but got values from {classes.min()} "
            f"to {classes.max()}."
        )
    return whole.to(like.device)
