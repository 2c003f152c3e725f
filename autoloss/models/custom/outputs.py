"""The outputs of a custom module: finding the logits among them, and checking them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.models.custom.own import OwnModel


def output_of(found: Any) -> Any:
    """Return the logits among the outputs of a module.

    They are the field or key ``logits``, as of a ``ModelOutput`` of the library `transformers`, or
    the first of several outputs.
    """
    own = found.get("logits") if isinstance(found, Mapping) else getattr(found, "logits", None)
    if isinstance(own, Tensor):
        return own
    is_first = isinstance(found, tuple | list) and len(found) > 0 and isinstance(found[0], Tensor)
    return found[0] if is_first else found


def in_full(logits: Tensor) -> Tensor:
    """Return logits of half precision in single precision, and others unchanged."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def is_logits(found: Any, shape: tuple[int, ...]) -> bool:
    """Return whether an output of a module is a tensor of logits of a shape."""
    return isinstance(found, Tensor) and tuple(found.shape) == shape and found.is_floating_point()


def kind_of(found: Any) -> str:
    """Return the type and shape of an output in words for a message."""
    if not isinstance(found, Tensor):
        return type(found).__name__
    return f"{found.dtype} {tuple(found.shape)}".split(".")[-1]


def logits_of_rows(found: Any, given: str, shape: tuple[int, int], model: OwnModel) -> Tensor:
    """Return the output of a module after a check that it is logits.

    Args:
        found: The output.
        given: The input in words, with its shape.
        shape: ``(B, C)``.
        model: The user's model.

    Raises:
        InputError: The output is of another kind.
    """
    found = output_of(found)
    if is_logits(found, shape):
        return in_full(found)
    two = " (two for two classes)" if shape[1] == 2 else ""
    raise InputError(
        f"model must map {given} to logits {shape}{two}, but {model.name} gave {kind_of(found)}."
    )
