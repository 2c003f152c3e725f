"""The groups of examples: an entry of their dict of inputs, which no network reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoloss.core.errors import InputError


def without_group(inputs: Any, groups: str) -> tuple[Any, Any]:
    """Return inputs without their group, and the group; None if they have none.

    An input that is then alone in its dict is the inputs itself.
    """
    if not groups or not isinstance(inputs, Mapping) or groups not in inputs:
        return inputs, None
    rest = {name: one for name, one in inputs.items() if name != groups}
    return (next(iter(rest.values())) if len(rest) == 1 else rest), inputs[groups]


def groups_of(batches: Sequence[NDArray[Any] | None], key: str, *, label: str) -> NDArray[Any]:
    """Return the group of each example, ``(N,)``.

    Args:
        batches: The groups of each batch; None for a batch without.
        key: The key of the groups.
        label: The name of the data in messages.

    Raises:
        InputError: A batch has none.
    """
    named = [own for own in batches if own is not None]
    if len(named) < len(batches):
        raise InputError(
            f"groups must be a key of the dict of inputs of {label}, but there is no {key!r}: give"
            f" inputs as {{'x': ..., {key!r}: ...}}, with the group of each example."
        )
    return np.concatenate([own.astype(object) for own in named])


def one_group_error(groups: str, label: str) -> InputError:
    """Return the error for an example of several groups."""
    return InputError(
        f"{label} must have one value of {groups!r} for each example, because groups={groups!r},"
        " but has several: give the number or the name of its group."
    )
