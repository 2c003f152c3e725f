"""Where a saved model lies, and its tensors by their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from autoloss.core.errors import InputError


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin so, without that."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def model_folder(folder: Path, config: str) -> Path:
    """Return the folder itself or its ``model`` folder, whichever holds a model.

    Args:
        folder: What was given.
        config: The name of the file that says that a folder holds a model.

    Raises:
        InputError: Neither does.
    """
    for place in (folder, folder / "model"):
        if (place / config).is_file():
            return place
    raise InputError(
        f"{folder} must be a model's folder with {config} in it, but it has none: give the folder "
        "that the search wrote, reports/NAME/model."
    )
