"""The tracker of a study, below whose run all processes of the study write."""

from __future__ import annotations

from autoloss.experiment.progress import Progress
from autoloss.experiment.request import Request
from autoloss.search import Study
from autoloss.search.naming import SUMMARY
from autoloss.search.tracked import TrackingPlace
from autoloss.tracking import (
    BrokenStore,
    ClosedTracker,
    GuestTracker,
    Identity,
    NullTracker,
    Tracker,
    Tracking,
    guest_uri,
)
from autoloss.tracking.uri import is_server

EXPERIMENT = "autoloss"


def make_tracker(study: Study, request: Request, uri: str | None) -> Tracking:
    """Return the tracker of a study; it shows nothing if tracking is off.

    Raises:
        InputError: If MLflow could never write to the URI. A finished study is read all the same.
    """
    if request.track == "off":
        return NullTracker()
    known = _identity_of(study)
    try:
        tracker = Tracker(
            uri,
            experiment=EXPERIMENT,
            study_name=study.name,
            folder=study.folder,
            only_front=request.track == "pareto",
            shared=known,
        )
    except BrokenStore as error:
        if not (study.folder / SUMMARY).is_file():
            raise
        return ClosedTracker(str(error))
    found = tracker.identity
    place = TrackingPlace(found.study_id, found.uri or "", found.adopted)
    if study.conclusion.is_reached or place == study.tracked.place:
        return tracker
    if study.tracked.note(place) != place:
        # Another process was first.
        return make_tracker(study, request, uri)
    return tracker


def join_tracker(study: Study, request: Request, progress: Progress) -> Tracking:
    """Return the tracker of a process that joins a study.

    It writes the trials of this process to the store of the study, unless that is unknown, or a
    server that the user of this machine has not named.
    """
    known = _identity_of(study)
    if request.track == "off" or known is None or known.uri is None:
        return NullTracker()
    uri = guest_uri(known.uri)
    if uri is None:
        if is_server(known.uri):
            progress.noted(
                f"This process writes nothing to MLflow at {known.uri}: it would if "
                "MLFLOW_TRACKING_URI had that address. The process that began the study writes "
                "its runs later."
            )
        return NullTracker()
    return GuestTracker(
        uri,
        known,
        experiment=EXPERIMENT,
        study_name=study.name,
        folder=study.folder,
        only_front=request.track == "pareto",
    )


def _identity_of(study: Study) -> Identity | None:
    """Return the identity on which the processes of a study agree; None before."""
    place = study.tracked.place
    if place is None:
        return None
    return Identity(place.study_id, place.uri or None, adopted=place.adopted)
