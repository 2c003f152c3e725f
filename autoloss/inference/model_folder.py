"""The folder of a saved model, and its tensors by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from autoloss.core.errors import InputError


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with the prefix, without the prefix."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def model_folder(folder: Path, config: str) -> Path:
    """Return the folder itself or its ``model`` folder, whichever holds a model.

    Args:
        folder: The given folder.
        config: The name of the file that marks the folder of a model.

    Raises:
        InputError: Neither holds a model.
    """
    for place in (folder, folder / "model"):
        if (place / config).is_file():
            return place
    raise InputError(
        f"{folder} must be a model's folder with {config} in it, but it has none: give the folder "
        "that the search wrote, reports/NAME/model."
    )
