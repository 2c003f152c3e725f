"""Trained models that are shown on a dashboard, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autoloss.core.errors import InputError

CHAMPION = "champion"
"""The alias of the model that ships, in the model registry."""


@dataclass(frozen=True, eq=False)
class Shelf:
    """The models of a study.

    Args:
        models: Folders of those whose weights are kept, as `Classifier.save` wrote them, by the
            number of the trial.
        register: Name in the model registry for the recommended one; empty to register nothing.
    """

    models: Mapping[int, Path] = field(default_factory=dict)
    register: str = ""


def check_register(name: str | None, *, track: str, is_own: bool = False) -> str | None:
    """Return a name for the model registry, checked.

    Args:
        name: The name; None for none.
        track: What is written to MLflow.
        is_own: Whether the model is a network of the user's own.

    Raises:
        InputError: If MLflow refuses such a name, nothing is written to MLflow, or a registered
            model would need code of the user's.
    """
    if name is None:
        return None
    if not name.strip() or any(mark in name for mark in "/:") or name in (".", ".."):
        raise InputError(
            "The name of a registered model must be without '/' and ':' and not empty, but got "
            f"register={name!r}."
        )
    if is_own:
        raise InputError(
            "register must be left out with a network of your own, whose code no saved model has, "
            f"but got register={name!r}: log it from your own code, where it is imported."
        )
    if track == "off":
        raise InputError(
            f"register must go with a study in MLflow, but got register={name!r} with track='off'."
        )
    return name
