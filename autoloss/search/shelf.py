"""The files of a study in its database, for machines that share no folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from autoloss.core.errors import InputError
from autoloss.core.files import replacing, writable
from autoloss.search.database import SharedTables
from autoloss.search.examples import FOLDER as EXAMPLES
from autoloss.search.naming import CONFIG, JOURNAL, SUMMARY
from autoloss.search.steady import Steady

RESULT = "result"
"""The folder of the files that a concluded study has."""
MOST = 64 << 20
"""The most bytes of models that a database is given; a report is kept whatever its size."""
_FINALISTS, _MODEL = "finalists", "model"
_OWN = {CONFIG, "tracking.json", EXAMPLES}
"""The files of one machine, and the losses, which are kept trial by trial."""
_PART = re.compile(r"\w[\w.+=,@ -]*")


class SteadyShelf:
    """The files of a study in its database, which is asked until it answers.

    Args:
        tables: The tables of the study.
        steady: Repeats unanswered requests.
    """

    def __init__(self, tables: SharedTables, steady: Steady) -> None:
        self._tables = tables
        self._steady = steady

    def write(self, name: str, content: bytes) -> None:
        """Store a file, in place of an earlier file of that name."""
        self._steady(lambda: self._tables.write(name, content))

    def read(self, name: str) -> bytes | None:
        """Return a stored file; None if there is none of that name."""
        return self._steady(lambda: self._tables.read(name))

    def names(self, prefix: str) -> Sequence[str]:
        """Return the names of the stored files that begin with a text."""
        return self._steady(lambda: self._tables.names(prefix))

    def store_result(self, folder: Path) -> None:
        """Store the files of a concluded study's folder, the summary last.

        Models are left out where they are larger than `MOST`: first the finalists' models, then
        the shipped model.
        """
        files = {path.relative_to(folder).as_posix(): path for path in _results(folder)}
        for big in (_FINALISTS, _MODEL):
            if sum(path.stat().st_size for path in files.values()) > MOST:
                files = {name: one for name, one in files.items() if name.split("/")[0] != big}
        for name in sorted(files, key=lambda name: name == SUMMARY):
            self.write(f"{RESULT}/{name}", files[name].read_bytes())

    def fetch_result(self, folder: Path) -> bool:
        """Write the stored result into a folder, the summary last; return whether there is one.

        Raises:
            InputError: A name would leave the folder, or a file cannot be written.
        """
        prefix = f"{RESULT}/"
        names = sorted(self.names(prefix), key=lambda name: name == prefix + SUMMARY)
        if prefix + SUMMARY not in names:
            return False
        for name in names:
            place = _within(folder, name.removeprefix(prefix))
            content = self.read(name)
            if content is None:
                continue
            with writable(folder):
                place.parent.mkdir(parents=True, exist_ok=True)
                with replacing(place) as part:
                    part.write_bytes(content)
        return True


def _results(folder: Path) -> Iterator[Path]:
    """Yield the files of a concluded study, without the files that matter to a single machine."""
    for path in sorted(folder.rglob("*")):
        names = path.relative_to(folder).parts
        if names[0] in _OWN or any(name.startswith((".", JOURNAL)) for name in names):
            continue
        if path.is_file() and not path.is_symlink() and all(map(_PART.fullmatch, names)):
            yield path


def _within(folder: Path, name: str) -> Path:
    """Return the place of a file, which must stay in the folder."""
    names = PurePosixPath(name).parts
    if not names or not all(map(_PART.fullmatch, names)) or names[0] in _OWN:
        raise InputError(
            "The names of a study's files in its database must stay in its folder, but got "
            f"name={name!r}."
        )
    return folder.joinpath(*names)
