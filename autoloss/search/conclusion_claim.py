"""The conclusion of a study, which one of its processes reaches and all of them can read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from autoloss.search.lease import Lease
from autoloss.search.naming import SUMMARY
from autoloss.search.session import StudySession
from autoloss.search.steady import reason_of

_CLAIM, _REACHED = "conclusion", "concluded"


@dataclass(frozen=True)
class Concluded:
    """The process that concludes a study.

    Args:
        host: The machine.
        pid: The process there.
        folder: The folder of the study there; empty before the verdict.
    """

    host: str
    pid: int
    folder: str = ""

    @property
    def text(self) -> str:
        """Return the process in words."""
        return process_text(self.host, self.pid)


class ConclusionClaim:
    """The right to conclude a study: one living process has it, and the first verdict stands.

    Args:
        session: The work of this process on the study.
    """

    def __init__(self, session: StudySession) -> None:
        self._session = session
        self._folder: Path = session.opened.folder

    def take(self) -> Lease | None:
        """Take the right; return the lease of the living process that has it, None if this has."""
        return self._session.claim(_CLAIM)

    @property
    def holder(self) -> Lease | None:
        """Return the lease of another living process that concludes; None if none does."""
        return self._session.claimed(_CLAIM)

    @property
    def is_reached(self) -> bool:
        """Return whether a conclusion stands that this process can read."""
        is_here = self._session.shelf is not None or (self._folder / SUMMARY).is_file()
        return is_here and self.reached is not None

    @property
    def is_over(self) -> bool:
        """Return whether the study takes no more trials: one concludes, or has concluded."""
        return self.concluder is not None

    @property
    def concluder(self) -> Concluded | None:
        """Return the process that has concluded or concludes; None for none."""
        if self.is_reached:
            return self.reached
        other = self.holder
        return None if other is None else Concluded(other.host, other.pid)

    @property
    def reached(self) -> Concluded | None:
        """Return the place of the conclusion; None before it was reached."""
        found: dict[str, Any] | None = self._session.attributes().get(_REACHED)
        return None if found is None else Concluded(**found)

    def publish(self) -> str:
        """Say that the folder of this process has the conclusion, and store it for the others.

        Returns:
            The reason why a database did not take a copy; empty if it did, or needs none.
        """
        refused = ""
        if self._session.shelf is not None:
            try:
                self._session.shelf.store_result(self._folder)
            except (SQLAlchemyError, OSError) as error:
                refused = reason_of(error)
        lease = self._session.lease
        here = Concluded(lease.host, lease.pid, str(self._folder.absolute()))
        self._session.settle(_REACHED, asdict(here))
        return refused

    def fetch(self) -> bool:
        """Bring the conclusion of another process into the folder; return whether it is there."""
        if (self._folder / SUMMARY).is_file():
            return True
        if self._session.shelf is None or self.reached is None:
            return False
        return self._session.shelf.fetch_result(self._folder)


def process_text(host: str, pid: int) -> str:
    """Return a process in words.

    Examples:
        >>> process_text("node7", 4711)
        'node7 (process 4711)'
    """
    return f"{host} (process {pid})"
