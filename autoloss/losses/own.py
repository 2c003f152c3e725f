"""Custom losses: registering them, loading their files, and finding them in a study."""

from __future__ import annotations

import copyreg
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoloss.core.errors import InputError
from autoloss.core.own_code import (
    Origin,
    check_unchanged,
    digest_of,
    named_by,
    read_code,
    run_code,
)
from autoloss.losses.components import KINDS
from autoloss.losses.contract import check_contract
from autoloss.losses.loss import Loss
from autoloss.losses.registry import OWN, by_alias, discover, forget_results

Losses = Loss | str | Path | Sequence[Loss | str | Path]
"""Losses made with `declare`, or paths of Python files that declare some; one or several."""
# Names that the keys of a space or of a trial begin with, as parameters of a loss would.
_SETTINGS = ("none", "temperature", "lr", "weight_decay", "dropout", "network", "training", "loss")
_RANGE_KEYS = frozenset(("low", "high", "log", "default", "choices"))


@dataclass(frozen=True)
class OwnFile:
    """A file that ran, and the losses that it declares, in their order."""

    origin: Origin
    losses: tuple[Loss, ...]


_FILES: dict[str, OwnFile] = {}
"""The files that ran, by full path."""


def register(loss: Loss) -> Loss:
    """Register a custom loss by its name in this process, like the losses of autoloss.

    A loss that is declared again, with the same name in the same place, replaces the earlier loss.

    Args:
        loss: A loss made with `declare`.

    Returns:
        The loss.

    Raises:
        InputError: If it breaks a law of the contract, or its name or an alias is taken.
    """
    if not isinstance(loss, Loss):
        rule = "a loss must be declared with @autoloss.losses.declare"
        raise InputError(f"{rule}, but got {loss!r}.")
    if discover().get(loss.name) is loss:
        return loss
    _check_names(loss)
    check_contract(loss)
    OWN[loss.name] = loss
    forget_results()
    return loss


def load_losses(path: str | Path) -> tuple[Loss, ...]:
    """Import a Python file, register the losses that it declares, and return them in its order.

    The code of the file runs, as by ``import``. A file runs again only after a change.

    Raises:
        InputError: If the file does not exist, is not Python, fails, declares no loss or a loss
            that cannot be registered; the message, one line, has the cause and its place. Nothing
            is registered then.
    """
    file = _read_file(path)
    before = dict(OWN)
    try:
        for loss in file.losses:
            register(loss)
    except InputError as error:
        OWN.clear()
        OWN.update(before)
        forget_results()
        raise InputError(f"{Path(path).name}: {error}") from error
    _FILES[file.origin.file] = file
    return file.losses


def _read_file(path: str | Path) -> OwnFile:
    """Run a Python file and return the losses that it declares.

    Raises:
        InputError: If the file does not exist, is not Python, fails or declares no loss.
    """
    source, origin = read_code(path, argument="losses")
    before = _FILES.get(origin.file)
    if before is not None and before.origin == origin:
        return before
    file = Path(path)
    return OwnFile(origin, _declared(file, run_code(file, source)))


def _declared(file: Path, module: types.ModuleType) -> tuple[Loss, ...]:
    """Return the losses that a module declares itself, in their order."""
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


def take_in(given: Losses | None) -> dict[str, Origin | None]:
    """Register custom losses.

    Args:
        given: The losses, or files of them.

    Returns:
        The file of each loss, by name and in order; None for a loss that a program passes.

    Raises:
        InputError: If one cannot be registered.
    """
    found: dict[str, Origin | None] = {}
    for one in _several(given):
        if isinstance(one, (str, Path)):
            losses = load_losses(one)
            origin = _FILES[str(Path(one).resolve())].origin
            found |= {loss.name: origin for loss in losses}
        else:
            found[register(one).name] = None
    return found


def files_of(given: Losses | None) -> tuple[str, ...]:
    """Return the paths among given losses."""
    return tuple(str(one) for one in _several(given) if isinstance(one, (str, Path)))


def has_objects(given: Losses | None) -> bool:
    """Return whether any given loss is an object, not a path."""
    return any(not isinstance(one, (str, Path)) for one in _several(given))


def recall(
    known: Mapping[str, Origin | None], *, given: Losses | None, study: str
) -> dict[str, Origin | None]:
    """Register the custom losses that a study began with.

    Args:
        known: The file of each loss, as `take_in` returned it at the start of the study.
        given: The losses that are given for its continuation.
        study: The name of the study.

    Returns:
        The file of each loss now.

    Raises:
        InputError: If a loss is missing, or its file has changed.
    """
    found = take_in(given)
    for name, origin in known.items():
        if name not in found and origin is not None and Path(origin.file).is_file():
            check_unchanged(origin.file, digest_of(origin.file), origin.sha256, study=study)
            with named_by(study):
                found |= take_in(origin.file)
        now = found.get(name)
        if origin is not None and now is not None:
            check_unchanged(now.file, now.sha256, origin.sha256, study=study)
        if name not in discover():
            where = "no file has it" if origin is None else f"{origin.file} does not exist"
            raise InputError(
                f"{name} must be given to continue, because {study} began with this custom loss "
                f"and {where}: give it by losses= or --losses FILE."
            )
    return {name: found.get(name) or origin for name, origin in known.items()}


def _pickled(loss: Loss) -> str | tuple[Any, ...]:
    """Return the arguments for a pickle of a loss: its name, and its file if it is registered."""
    if OWN.get(loss.name) is not loss:
        return loss.name
    holders = [one.origin.file for one in _FILES.values() if loss in one.losses]
    return _restored, (loss.name, holders[0] if holders else None)


def _restored(name: str, file: str | None) -> Loss:
    """Return the loss of a pickle; its file is loaded if the name is not registered yet."""
    if name not in discover() and file is not None and Path(file).is_file():
        load_losses(file)
    if name not in discover():
        raise InputError(
            f"{name} must be registered before its pickle is read, but it is not known: load its "
            "file with autoloss.losses.load_losses(FILE)."
        )
    return discover()[name]


# `register` is in this module, so this line runs before any registered loss is pickled.
copyreg.pickle(Loss, _pickled)


def _several(given: Losses | None) -> Sequence[Loss | str | Path]:
    """Return given losses as a sequence; `register` refuses other values."""
    if given is None:
        return ()
    return given if isinstance(given, Sequence) and not isinstance(given, str) else [given]


def _check_names(loss: Loss) -> None:
    """Check that the names of a loss are new, or belong to an earlier version of it.

    Raises:
        InputError: If a name is taken, or equals another key of a space or trial.
    """
    taken = dict.fromkeys(discover(), "a loss")
    taken |= {alias: f"another name of {one.name}" for alias, one in by_alias().items()}
    taken |= {name: f"a {kind}" for kind, names in KINDS.items() for name in names}
    taken |= dict.fromkeys((*_SETTINGS, "base", *KINDS), "a setting")
    before = OWN.get(loss.name)
    if before is not None and _place(before) == _place(loss):
        for name in (before.name, *before.aliases):
            del taken[name]
    for name in (loss.name, *loss.aliases):
        if name in taken:
            raise InputError(
                f"a custom loss must have a new name, but got {name!r}, which is "
                f"{taken[name]} already."
            )
    for name in _RANGE_KEYS & set(loss.parameters):
        raise InputError(
            f"{loss.name} must not name a parameter like a key of a range in a space, but got "
            f"{name!r}."
        )


def _place(loss: Loss) -> tuple[str, str]:
    """Return the module and the qualified name of a loss."""
    return loss.function.__module__, loss.function.__qualname__
