"""The errors autoloss raises on purpose: one small tree, each with the program's exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AutolossError(Exception):
    """A failure that autoloss raises on purpose; the command line ends with `exit_code`."""

    exit_code = 1


class InputError(AutolossError, ValueError):
    """The user's data or options are wrong; a line names the fault and the remedy."""

    exit_code = 2


class UnwritableError(InputError):
    """A file cannot be written: the disk is full or read-only, or a quota is used up."""


class UnusableCellsWarning(UserWarning):
    """Rows to predict have cells that the model cannot use and treats as missing."""


class TrainingError(AutolossError):
    """Training cannot go on: a single candidate does not fit into memory, or all diverged."""


class Terminated(KeyboardInterrupt):
    """The system, not the user, asked the program to end.

    Args:
        number: The number of the signal.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


class SearchInterrupted(KeyboardInterrupt):
    """The user interrupted a search; its study is kept.

    Args:
        study: The name of the study, which `autoloss.resume` continues.
    """

    def __init__(self, study: str) -> None:
        self.study = study
        super().__init__(f"the study {study!r} is kept")


class SpaceError(InputError):
    """A search space has mistakes; it lists all of them, one on each line.

    Args:
        mistakes: Lines of the form ``file: key: message``.
    """

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class StudyExistsError(InputError):
    """A study of that name exists already; it is not overwritten."""


class StudyNotFoundError(InputError):
    """There is no study of that name or folder."""


def closest(name: str, known: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` with the closest known name, else all known names."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}."
