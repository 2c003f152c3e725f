"""Where MLflow shows a study, so that all processes of the study write below one run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

from autoloss.search.session import StudySession

_TRACKED = "tracked"


@dataclass(frozen=True)
class TrackingPlace:
    """Where MLflow shows a study.

    Args:
        study_id: The tag of its parent run.
        uri: The tracking URI, without a password.
        adopted: The run of MLflow in which the study began; empty for none.
    """

    study_id: str
    uri: str
    adopted: str = ""


class Tracked:
    """The place of a study in MLflow, on which its processes agree.

    Args:
        session: The work of this process on the study.
    """

    def __init__(self, session: StudySession) -> None:
        self._session = session

    @property
    def place(self) -> TrackingPlace | None:
        """Return the place; None before a process has noted it."""
        return _sound(self._session.attributes().get(_TRACKED))

    def note(self, place: TrackingPlace) -> TrackingPlace:
        """Note the place; return it with the tag that another process may have noted before."""
        first = _sound(self._session.settle(_TRACKED, asdict(place)))
        agreed = place if first is None else replace(place, study_id=first.study_id)
        if agreed != first:
            self._session.note(_TRACKED, asdict(agreed))
        return agreed


def _sound(found: object) -> TrackingPlace | None:
    """Return a stored place; None if it is not a place, because the study may be untrusted."""
    if not isinstance(found, dict) or found.keys() != {one.name for one in fields(TrackingPlace)}:
        return None
    # They appear in requests to MLflow, and on the screen.
    if not all(isinstance(one, str) and one.isprintable() for one in found.values()):
        return None
    place = TrackingPlace(**found)
    return place if place.study_id.isalnum() else None
