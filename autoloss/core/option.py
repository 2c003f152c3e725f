"""Declaration of an option: its default, and how a study and a command line write its value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field, replace
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


def full_path(path: str) -> str:
    """Return the full path of a file or folder, and any other text unchanged."""
    return str(Path(path).resolve()) if path and Path(path).exists() else path


def full_place(place: str) -> str:
    """Return ``FILE.py:NAME`` with the full path of the file, and any other text unchanged."""
    file, separator, name = place.rpartition(":")
    return f"{full_path(file)}{separator}{name}" if separator else place


def full_source(source: str) -> str:
    """Return a path or ``FILE.py:NAME`` with its folders, and any other text unchanged."""
    is_file = ".py:" in source and not Path(source).exists()
    return full_place(source) if is_file else full_path(source)


@dataclass(frozen=True)
class Writing:
    """How the value of an option is written.

    Args:
        key: Its name in the study's file and in the command line; empty for the field's name.
        plain: Returns the value as JSON can hold it; a path, or None for an object.
        full: Returns a path with its folders, for the study's file.
        in_study: Whether the study's file has it; else only the command line does.
        unkept: The list of the study's file that names the option if its value is an object, which
            must be given again to go on; empty for none.
    """

    key: str = ""
    plain: Callable[[Any], Any] = itself
    full: Callable[[str], str] = itself
    in_study: bool = True
    unkept: str = ""

    def for_study(self, value: Any) -> Any:
        """Return a plain value for the study's file: lists, and paths in full."""
        if isinstance(value, tuple):
            return [self.for_study(one) for one in value]
        return self.full(value) if isinstance(value, str) else value


def option(
    default: T,
    *,
    key: str = "",
    plain: Callable[[Any], Any] = itself,
    full: Callable[[str], str] = itself,
    in_study: bool = True,
    unkept: str = "",
) -> T:
    """Return the field of a dataclass for an option; for the other arguments see `Writing`.

    A field that is declared by its default alone is written unchanged, under its own name.
    """
    return field(default=default, metadata={_WRITING: Writing(key, plain, full, in_study, unkept)})


def writing_of(one: Field[Any]) -> Writing:
    """Return how a field is written, its key filled in."""
    found: Writing = one.metadata.get(_WRITING, Writing())
    return found if found.key else replace(found, key=one.name)
