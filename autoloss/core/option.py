"""Declaration of an option: its default, and how a study and a command line write its value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_WRITING = "writing"


def itself(value: Any) -> Any:
    """Return a value unchanged."""
    return value


def path_of(value: object) -> str | None:
    """Return the path if the value is a path, else None."""
    return str(value) if isinstance(value, str | Path) else None


@dataclass(frozen=True)
class Writing:
    """How the value of an option is written.

    Args:
        key: Its name in the study's file and in the command line; empty for that of the field.
        plain: Returns the value as JSON can hold it; a path or None for an object.
        is_path: Whether that value is a path, or several.
        in_study: Whether the study's file has it; else only the command line does.
        unkept: The list of the study's file that names the option if its value is an object,
            which must be given again to go on.
    """

    key: str = ""
    plain: Callable[[Any], Any] = itself
    is_path: bool = False
    in_study: bool = True
    unkept: str = ""

    def in_full(self, value: Any) -> Any:
        """Return a plain value for the study's file: lists, and paths in full."""
        if isinstance(value, tuple):
            return [self.in_full(one) for one in value]
        return _in_full(value) if self.is_path and isinstance(value, str) else value


def option(
    default: T,
    *,
    key: str = "",
    plain: Callable[[Any], Any] = itself,
    is_path: bool = False,
    in_study: bool = True,
    unkept: str = "",
) -> T:
    """Declare a field of a dataclass that is an option; the arguments are those of `Writing`.

    A field without it has a default alone, and is written as it is.
    """
    writing = Writing(key, plain, is_path, in_study, unkept)
    return field(default=default, metadata={_WRITING: writing})


def writing_of(one: Field[Any]) -> Writing:
    """Return how a field is written."""
    found: Writing = one.metadata.get(_WRITING, Writing())
    return found


def _in_full(path: str) -> str:
    """Return the full path of a file, a folder or ``FILE.py:NAME``; other text unchanged."""
    file, separator, name = path.rpartition(".py:")
    if separator:
        return f"{_in_full(f'{file}.py')}:{name}"
    return str(Path(path).resolve()) if path and Path(path).exists() else path
