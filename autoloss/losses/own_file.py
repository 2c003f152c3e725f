"""A Python file that declares losses: run, and told in one line what is wrong with it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autoloss.core.errors import InputError
from autoloss.core.own_code import Origin, read_code, run_code
from autoloss.losses.loss import Loss


@dataclass(frozen=True)
class OwnFile:
    """A file that was run, and the losses that it declares, in its order."""

    origin: Origin
    losses: tuple[Loss, ...]


def read_file(path: str | Path, *, known: Mapping[str, OwnFile]) -> OwnFile:
    """Run a Python file and return the losses that it declares.

    Args:
        path: The file.
        known: Files that were run before, by full path; one that has not changed is not run again.

    Raises:
        InputError: If there is no such file, it is no Python, fails or declares no loss.
    """
    source, origin = read_code(path, argument="losses")
    before = known.get(origin.file)
    if before is not None and before.origin == origin:
        return before
    file = Path(path)
    return OwnFile(origin, _declared(file, run_code(file, source)))


def _declared(file: Path, module: types.ModuleType) -> tuple[Loss, ...]:
    """Return the losses that a module itself declares, in its order."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, Loss) and value.function.__module__ == module.__name__
    ]
    if not found:
        raise InputError(
            f"{file} must declare a loss with @autoloss.losses.declare, but it has none."
        )
    return tuple(dict.fromkeys(found))
