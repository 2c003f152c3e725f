"""The errors autoloss raises on purpose: one small tree, each with the program's exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AutolossError(Exception):
    """A failure that autoloss itself names; the command line ends with `exit_code`."""

    exit_code = 1


class InputError(AutolossError, ValueError):
    """The user's data or options are at fault: one line that says what, where and what to do."""

    exit_code = 2


class UnusableCellsWarning(UserWarning):
    """Rows to predict have cells that the model cannot use and counts as missing."""


class TrainingError(AutolossError):
    """Training cannot go on: one candidate does not fit into memory, or all diverged."""


class SpaceError(InputError):
    """A search space has mistakes: one line each, all of them at once.

    Args:
        mistakes: Lines of the form ``file: key: message``.
    """

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class StudyExistsError(InputError):
    """A study of that name is there already, and nothing of it is overwritten."""


class StudyNotFoundError(InputError):
    """No study of that name or folder."""


def closest(name: str, known: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the known name closest to `name`, else all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}."
