"""A Python file that declares losses: run, and told in one line what is wrong with it."""

from __future__ import annotations

import hashlib
import re
import sys
import traceback
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autoloss.errors import InputError
from autoloss.losses.loss import Loss


@dataclass(frozen=True)
class Origin:
    """The file that a loss of your own is declared in.

    Args:
        file: Its full path.
        sha256: Fingerprint of its text.
    """

    file: str
    sha256: str


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
    file = Path(path)
    try:
        source = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"losses must be a Python file that can be read, but got losses={str(path)!r}: "
            f"{error.strerror or error}."
        ) from None
    origin = Origin(str(file.resolve()), hashlib.sha256(source).hexdigest())
    before = known.get(origin.file)
    if before is not None and before.origin == origin:
        return before
    return OwnFile(origin, _declared(file, _imported(file, source)))


def _imported(file: Path, source: bytes) -> types.ModuleType:
    """Run a file as a module of a name of its own, by which pickles find it."""
    path = str(file.resolve())
    stem = re.sub(r"\W", "_", file.stem)
    name = f"autoloss_own_{stem}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"
    before = sys.modules.get(name)
    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    try:
        # Compiled here: a loader would leave a cache beside the file, and read a stale one.
        exec(compile(source, path, "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        raise InputError(_told(file, path, error)) from error
    return module


def _told(file: Path, path: str, error: BaseException) -> str:
    """Return in one line what went wrong with a file, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    first = (str(error).splitlines() or [""])[0].rstrip(".")
    if lines:
        rule, found = "be imported without an error", f"{type(error).__name__}: {first}"
        line = lines[-1]
    else:
        rule, found = "be a Python file", getattr(error, "msg", first)
        line = getattr(error, "lineno", None)
    return f"{file} must {rule}, but got {f'line {line}: ' if line else ''}{found}."


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
