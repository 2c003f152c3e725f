"""Runs the user's Python files as modules, and reports their errors in one line.

A study keeps the paths of such files. It may come from an untrusted source, so only code that this
user has named before, on this machine and as it is now, runs because a study names it.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
import traceback
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoloss.core.admitted import is_named, note_named
from autoloss.core.errors import InputError, closest

_STUDY: ContextVar[str] = ContextVar("study", default="")
CODE = (".py", ".joblib", ".pkl", ".pickle")
"""The endings of files whose code runs when they are opened."""
_RAN: dict[str, tuple[Origin, types.ModuleType]] = {}


@dataclass(frozen=True)
class Origin:
    """The file that declares a loss or a network of the user.

    Args:
        file: Its full path.
        sha256: Fingerprint of its text.
    """

    file: str
    sha256: str


@contextmanager
def named_by(study: str) -> Iterator[None]:
    """Take the code that is read in this context as named by a study, not by the user.

    Args:
        study: The name of the study, for messages.
    """
    token = _STUDY.set(study)
    try:
        yield
    finally:
        _STUDY.reset(token)


def admit(origin: Origin, *, argument: str) -> None:
    """Note that the user names some code; refuse code that only a study names.

    Args:
        origin: The file of the code, and its fingerprint.
        argument: The name of the argument that gives the file, for messages.

    Raises:
        InputError: A study names it, and this user never has.
    """
    study = _STUDY.get()
    if not study:
        note_named("code", origin.file, origin.sha256)
    elif not is_named("code", origin.file, origin.sha256):
        raise InputError(
            f"{study} names the code of {origin.file}, which you have not run on this machine as "
            f"it is now, so it is not run: read it, and give the {argument} again if you trust it "
            "(--losses, --metrics or --model, in Python also teacher= and data=)."
        )


def read_code(path: str | Path, *, argument: str) -> tuple[bytes, Origin]:
    """Return the content of a file that is to be run, and its origin.

    Args:
        path: The file.
        argument: The name of the argument that gives the file, for messages.

    Raises:
        InputError: If the file cannot be read, or as in `admit`.
    """
    file = Path(path)
    try:
        source = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"{argument} must be a Python file that can be read, but got "
            f"{argument}={str(path)!r}: {error.strerror or error}."
        ) from None
    origin = Origin(str(file.resolve()), hashlib.sha256(source).hexdigest())
    admit(origin, argument=argument)
    return source, origin


def digest_of(file: str | Path) -> str:
    """Return the fingerprint of a file, empty if it cannot be read."""
    with suppress(OSError), Path(file).open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
    return ""


def check_unchanged(
    file: str | None, found: str | None, wanted: str | None, *, study: str
) -> None:
    """Refuse a file that has changed since a study began.

    Args:
        file: The file.
        found: Its fingerprint now; empty or None if it is unknown.
        wanted: That of the beginning; empty or None if it is unknown.
        study: The study, for the message.

    Raises:
        InputError: The fingerprints are known and differ.
    """
    if found and wanted and found != wanted:
        raise InputError(
            f"{file} must be as it was when {study} began, but it has changed: search with it "
            "under another name."
        )


def module_of(path: str, *, argument: str) -> tuple[types.ModuleType, Origin]:
    """Return the module of a file, which can import files beside it, and its origin.

    A file runs again only after a change.

    Args:
        path: The file.
        argument: The name of the argument that gives the file, for messages.

    Raises:
        InputError: If the file cannot be read, is not valid Python, or fails.
    """
    source, origin = read_code(path, argument=argument)
    before = _RAN.get(origin.file)
    if before is None or before[0] != origin:
        folder = str(Path(origin.file).parent)
        if folder not in sys.path:
            # Installed packages come first.
            sys.path.append(folder)
        _RAN[origin.file] = (origin, run_code(Path(path), source))
    return _RAN[origin.file][1], origin


def named_in(module: types.ModuleType, name: str, *, place: str, argument: str) -> Any:
    """Return an object of a module by its name.

    Args:
        module: The module.
        name: The name.
        place: The module in messages.
        argument: The name of the argument that names it, for messages.

    Raises:
        InputError: If there is no such name.
    """
    found: Any = vars(module).get(name)
    if found is None:
        known = [key for key, value in vars(module).items() if callable(value)]
        raise InputError(
            f"{argument} must name a function of {place}, but it has no {name!r}"
            f"{closest(name, known) if known else '.'}".rstrip(".")
            + "."
        )
    return found


def imported(name: str, *, argument: str) -> types.ModuleType:
    """Return a module by its dotted name; the working folder is searched too.

    Raises:
        InputError: If there is no such module, or it fails.
    """
    admit(Origin(name, ""), argument=argument)
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        first = (str(error).splitlines() or [""])[0].rstrip(".")
        raise InputError(
            f"{argument} must name a module that can be imported, but {name} gave"
            f" {type(error).__name__}: {first}."
        ) from error


def run_code(file: Path, source: bytes) -> types.ModuleType:
    """Run a file as a module under a unique name, by which pickles find it.

    Raises:
        InputError: If the file is not valid Python, or fails.
    """
    path = str(file.resolve())
    stem = re.sub(r"\W", "_", file.stem)
    name = f"autoloss_own_{stem}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"
    before = sys.modules.get(name)
    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    try:
        # Compiled here, because a loader would write a cache file, and read a stale file.
        exec(compile(source, path, "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        raise InputError(_description(file, path, error)) from error
    return module


def _description(file: Path, path: str, error: BaseException) -> str:
    """Describe in one line the error of a file, and its place."""
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
