"""A custom network in a saved model, which has everything of it except its code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from autoloss.core.errors import InputError
from autoloss.models import ModuleNetwork, Network, OwnModel


def shipped(model: OwnModel | None) -> OwnModel | None:
    """Return the network as a classifier calls it: one candidate at a time, without draws."""
    return None if model is None else replace(model, stacked=False, draws=False)


def absent(name: str, path: Path) -> OwnModel:
    """Return a stand-in for a network that was not given, which raises when a module is made."""

    def make(*sizes: int) -> nn.Module:
        raise InputError(
            f"{path} must be loaded with the network that it was trained with, but {name} is "
            "code, which a saved model does not hold: give it by model= or --model FILE.py:NAME."
        )

    return OwnModel(make, name)


def check_shapes(network: Network, written: Sequence[Any], path: Path) -> None:
    """Check that a custom network has the parameters that were trained.

    Args:
        network: The network.
        written: `shapes_of` the network that was trained.
        path: The model's folder.

    Raises:
        InputError: If it has other parameters, or was not given.
    """
    if shapes_of(network) == written:
        return
    name = network.model.name if isinstance(network, ModuleNetwork) else "the network"
    raise InputError(
        f"model must have the parameters that {path} was trained with, but those of {name} have "
        "other names or shapes."
    )


def shapes_of(network: Network) -> list[list[Any]]:
    """Return the names and shapes of a network's weights as JSON values."""
    return [[name, list(shape)] for name, shape in network.layout.shapes.items()]
