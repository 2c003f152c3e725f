"""The learning rates of the parts of a custom module."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import nn

from autoloss.core.errors import InputError, closest


def lr_factors_of(module: nn.Module, names: Sequence[str], maker: str) -> dict[str, float]:
    """Return the shares of the learning rate that a module asks for by its ``lr_factors``.

    Args:
        module: The module; ``lr_factors`` maps the beginning of names, such as ``"backbone"``, to
            shares. The longest beginning counts.
        names: The names of its learnt parameters.
        maker: The name of the network in messages.

    Raises:
        InputError: A share is not a positive number, or no parameter has such a name.
    """
    asked = getattr(module, "lr_factors", None)
    if not asked:
        return {}
    if not isinstance(asked, Mapping):
        raise InputError(
            f"model must have a dict as lr_factors, but that of {maker} is {type(asked).__name__}."
        )
    found: dict[str, float] = {}
    for start in sorted(asked, key=len):
        share = asked[start]
        if not isinstance(share, int | float) or not 0.0 < share < math.inf:
            raise InputError(
                f"model must have lr_factors above 0, but got {start!r}: {share!r} of {maker}; to"
                " keep weights as they are, set requires_grad to False."
            )
        own = [name for name in names if name == start or name.startswith(f"{start}.")]
        if not own:
            raise InputError(
                f"model must have learnt parameters that begin with each key of lr_factors, but"
                f" {maker} has none for {start!r}{closest(start, names)}"
            )
        found |= dict.fromkeys(own, float(share))
    return found
