"""Nested inputs as a flat list of named tensors, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoloss.core.errors import InputError

INPUTS = "inputs"
"""The name of inputs that are a single tensor."""
Tree = str | dict[str, Any]
"""The name of a tensor; or ``{"dict": [[key, tree], ...]}``, ``{"tuple": [tree, ...]}``."""


@dataclass(frozen=True)
class Leaf:
    """A tensor of nested inputs.

    Args:
        name: Its place: keys and numbers joined by dots.
        shape: Its shape for one example.
        dtype: Its type, as in ``float32``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def type(self) -> torch.dtype:
        """Return the type of its numbers."""
        found: torch.dtype = getattr(torch, self.dtype)
        return found

    @property
    def text(self) -> str:
        """Return its type and shape in words."""
        return f"{self.dtype} {self.shape}"


def flat(value: Any, *, label: str) -> tuple[Tree, dict[str, Tensor]]:
    """Return the structure of nested inputs, and their tensors by name.

    Args:
        value: A tensor, an array or a number, or tuples, lists and dicts of them.
        label: The name of the data in messages.

    Raises:
        InputError: Something else is among them.
    """
    tensors: dict[str, Tensor] = {}
    return _flat(value, "", tensors, label), tensors


def nested(tree: Tree, tensors: Mapping[str, Any]) -> Any:
    """Return tensors by name in their structure; a list becomes a tuple."""
    if isinstance(tree, str):
        return tensors[tree]
    if "dict" in tree:
        return {key: nested(one, tensors) for key, one in tree["dict"]}
    return tuple(nested(one, tensors) for one in tree["tuple"])


def _flat(value: Any, name: str, tensors: dict[str, Tensor], label: str) -> Tree:
    def below(key: object) -> str:
        return f"{name}.{key}" if name else str(key)

    if isinstance(value, Mapping):
        return {
            "dict": [
                [str(key), _flat(one, below(key), tensors, label)] for key, one in value.items()
            ]
        }
    if isinstance(value, tuple | list) and not _are_numbers(value):
        return {
            "tuple": [_flat(one, below(place), tensors, label) for place, one in enumerate(value)]
        }
    found = as_tensor(value)
    if found is None:
        where = f" at {name!r}" if name else ""
        raise InputError(
            f"{label} must have inputs that are tensors, or tuples and dicts of tensors, but got"
            f" {type(value).__name__}{where}: leave it out, or make it numbers."
        )
    tensors[name or INPUTS] = found
    return name or INPUTS


def as_tensor(value: Any) -> Tensor | None:
    """Return numbers as a tensor, floats in single precision; None if they are not numbers."""
    if isinstance(value, Tensor):
        found = value.detach()
    elif isinstance(value, np.ndarray | np.generic | bool | int | float | list | tuple):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            return None
        if array.dtype.kind == "u" and array.dtype.itemsize > 1:
            array = array.astype(np.int64)
        found = torch.from_numpy(np.array(array))
    else:
        return None
    if found.is_complex() or found.layout != torch.strided:
        return None
    return found.float() if found.is_floating_point() else found


def _are_numbers(value: Any) -> bool:
    """Return whether a list is a row of plain numbers, as datasets of lists have."""
    return len(value) > 0 and all(isinstance(one, bool | int | float) for one in value)
