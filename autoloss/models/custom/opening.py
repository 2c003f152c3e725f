"""What ``model=`` may be: ``"auto"``, a function that makes a network, or one in a Python file."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

from torch import nn

from autoloss.core.errors import InputError, closest
from autoloss.core.own_code import Origin, read_code, run_code
from autoloss.models.custom.own import MakeNet, OwnModel

AUTO = "auto"
Model = str | MakeNet
_RAN: dict[str, tuple[Origin, types.ModuleType]] = {}


def open_model(given: Model) -> OwnModel | None:
    """Return a network of the user's own, None for the built-in one.

    The code of a file is run, as by ``import``, and can import what lies beside it. A file that
    has not changed is run once.

    Args:
        given: ``"auto"``, ``"FILE.py:NAME"``, or a function of the numbers of features and of
            outputs that returns a module.

    Raises:
        InputError: It is none of these, or its file cannot be read, fails or lacks the name.
    """
    if given == AUTO:
        return None
    if isinstance(given, str):
        return _from_file(given)
    if isinstance(given, nn.Module) or not callable(given):
        raise InputError(
            "model must be auto, FILE.py:NAME or a function of (n_features, n_outputs) that "
            f"returns a network, but got {type(given).__name__}."
        )
    return OwnModel(given, getattr(given, "__name__", type(given).__name__))


def _from_file(given: str) -> OwnModel:
    """Return the network of ``"FILE.py:NAME"``."""
    path, separator, name = given.rpartition(":")
    if not separator or not path.endswith(".py") or not name.isidentifier():
        raise InputError(f"model must be auto or FILE.py:NAME, but got model={given!r}.")
    source, origin = read_code(path, argument="model")
    before = _RAN.get(origin.file)
    if before is None or before[0] != origin:
        folder = str(Path(origin.file).parent)
        if folder not in sys.path:
            # A network is often several files; those of others come first.
            sys.path.append(folder)
        _RAN[origin.file] = (origin, run_code(Path(path), source))
    _, module = _RAN[origin.file]
    make: Any = vars(module).get(name)
    if make is None:
        known = [key for key, value in vars(module).items() if callable(value)]
        raise InputError(
            f"model must name a function of {path}, but it has no {name!r}"
            f"{closest(name, known) if known else '.'}".rstrip(".")
            + "."
        )
    if isinstance(make, nn.Module) or not callable(make):
        raise InputError(
            f"model must name a function of (n_features, n_outputs) that returns a network, but "
            f"{name} of {path} is {type(make).__name__}."
        )
    return OwnModel(make, name, origin.file, origin.sha256)


def restored(file: str, name: str, stacked: bool, draws: bool) -> OwnModel:
    """Return the network of a pickle."""
    found = _from_file(f"{file}:{name}")
    return OwnModel(found.make, name, found.file, found.sha256, stacked=stacked, draws=draws)
