"""The folder of a saved model, its files, its tensors by name, and the losses that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses import names

FORMAT_VERSION = 2
OWN_VERSION = 3
"""The format version of a model with the user's own network."""
CONFIG, WEIGHTS, EXAMPLE = "config.json", "weights.safetensors", "input_example.json"


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with the prefix, without the prefix."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def model_folder(folder: Path) -> Path:
    """Return the folder itself or its ``model`` folder, whichever holds a model.

    Raises:
        InputError: Neither holds a model.
    """
    for place in (folder, folder / "model"):
        if (place / CONFIG).is_file():
            return place
    raise InputError(
        f"{folder} must be a model's folder with {CONFIG} in it, but it has none: give the folder "
        "that the search wrote, reports/NAME/model."
    )


def check_losses(config: Mapping[str, Any], path: Path) -> None:
    """Check that the losses of a saved model are known.

    Args:
        config: The content of the file that describes the model.
        path: The folder of the model, for the message.

    Raises:
        InputError: A loss is not known.
    """
    for member in config["members"]:
        base = member["readout"]["spec"]["base"]
        if base not in names():
            raise InputError(
                f"{path} must be loaded with the loss that it was trained by, but {base!r} is "
                "not known: give the file that declares it by losses= or --losses FILE."
            )
