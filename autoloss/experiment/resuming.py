"""An existing study: goes on with it, its request and data as at its start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from autoloss.core.clock import Clock
from autoloss.core.errors import InputError
from autoloss.core.option import path_of
from autoloss.core.own_code import CODE, Origin, admit, digest_of, named_by
from autoloss.data import StudyData
from autoloss.executors import Crew, crew_of
from autoloss.experiment.closing import left_closed
from autoloss.experiment.conclusion import tell_written
from autoloss.experiment.hiring import staffed
from autoloss.experiment.knowledge import TEACHER
from autoloss.experiment.ood_rows import StrangerRows
from autoloss.experiment.open_search import OpenSearch
from autoloss.experiment.own_network import check_again, fingerprint_with, recall_network
from autoloss.experiment.progress import Progress
from autoloss.experiment.request import Request
from autoloss.experiment.running import finished, run
from autoloss.experiment.teachers.opening import open_teacher
from autoloss.experiment.teachers.teacher import Teacher
from autoloss.experiment.tracked import make_tracker
from autoloss.models import OwnModel
from autoloss.records import TrialRecord
from autoloss.search import SearchResult, Study
from autoloss.tracking import Tracking


def resume(
    study: str | Path, again: Request, *, progress: Progress, judge_now: bool = False
) -> SearchResult:
    """Go on with a study where it stopped; a finished study is read from its folder.

    Args:
        study: Its name or its folder.
        again: The values that are given again, and its folder, database and tracking URI.
        progress: Receives the progress.
        judge_now: Whether to train no further trials and conclude with the trials that ended.

    Raises:
        StudyNotFoundError: There is no such study.
        InputError: Something is missing, or the data have changed.
    """
    clock = Clock.start()
    opened = open_again(study, again)
    request = Request.from_dict(opened.config.origin["options"])
    clock.limit = request.time_limit
    with left_closed(opened):
        network = recall_network(opened.config.origin, again.model, study=opened.name)
        tracker = make_tracker(opened, request, again.tracking_uri)
    result = finished(opened, tracker, network, progress=progress, register=request.register)
    if result is None:
        place = _placed(request, again)
        with crew_of(place.executor, place.address) as crew:
            with left_closed(opened, tracker):
                opened.restart()
                searched = search_again(
                    opened, request, again, network, tracker, progress, clock, crew
                )
            result = run(searched, judge_now=judge_now)
    tell_written(result, tracker, progress)
    return result


def _placed(request: Request, again: Request) -> Request:
    """Return the request of a study with the executor that is given again."""
    if again.executor in (None, request.executor):
        return replace(request, address=again.address or request.address)
    # An address belongs to its executor.
    return replace(request, executor=again.executor, address=again.address)


def open_again(
    study: str | Path, again: Request, *, on_told: Callable[[TrialRecord], None] | None = None
) -> Study:
    """Open a study that autoloss trains itself.

    Args:
        study: Its name or its folder.
        again: The values that are given again.
        on_told: Called with the record of every trial that ends here.

    Raises:
        StudyNotFoundError: There is no such study.
        InputError: A custom training loop asks its trials, or something is missing.
    """
    opened = Study.open(
        study,
        out=again.out,
        storage=again.storage,
        metric=again.metric,  # type: ignore[arg-type]  # the name of another metric is refused
        losses=again.losses,
        metrics=again.metrics,
        on_told=on_told,
    )
    if "options" not in opened.config.origin:
        opened.close()
        raise InputError(
            f"{opened.name} must be a study that autoloss trained itself, but a custom loop "
            "asks its trials: continue there with autoloss.Study.open(name)."
        )
    return opened


def search_again(
    opened: Study,
    request: Request,
    again: Request,
    network: OwnModel | None,
    tracker: Tracking,
    progress: Progress,
    clock: Clock,
    crew: Crew,
) -> OpenSearch:
    """Return everything that the search of an existing study needs.

    Args:
        opened: The study.
        request: Its request.
        again: The values that are given again.
        network: The custom network; None for the built-in one.
        tracker: Shows the trials.
        progress: Receives the progress.
        clock: The clock of the search.
        crew: The workers, which begin.

    Raises:
        InputError: Something is missing, or the data have changed.
    """
    _admit_given(again)
    whole = request.completed(again.checked())
    device = crew.coordinator(whole.device)
    staffed(whole, device, crew, progress)
    data, teacher = read_again(opened, whole, model=network)
    with named_by(opened.name):
        strangers = StrangerRows.read(whole, data, opened.space, origin=opened.config.origin)
    return OpenSearch(
        opened,
        data,
        replace(request, device=whole.device, workers=whole.workers),
        tracker,
        progress,
        clock,
        device,
        teacher=teacher,
        model=network,
        crew=crew,
        strangers=strangers,
    )


def _admit_given(again: Request) -> None:
    """Note the files of code that the user names again; other options' files are opened."""
    for name in ("data", "valid", "test", "ood", "teacher"):
        place = path_of(getattr(again, name))
        file = (place or "").rpartition(":")[0] if ".py:" in (place or "") else place
        if file and file.endswith(CODE):
            admit(Origin(str(Path(file).resolve()), digest_of(file)), argument=name)


def read_again(
    study: Study, request: Request, *, model: OwnModel | None = None
) -> tuple[StudyData, Teacher | None]:
    """Return the data of a study, divided and encoded as at its start, and the teacher.

    Args:
        study: The study.
        request: Its request, completed by the values that are given again.
        model: The custom network, if the study began with one.

    Raises:
        InputError: Something is missing, or the data have changed.
    """
    request.check_objects()
    origin = study.config.origin
    with named_by(study.name):
        teacher = open_teacher(
            request.teacher,
            trust_pickle=request.trust_pickle,
            sha256=origin.get(TEACHER, {}).get("sha256", ""),
        )
        data = request.read(study.space)
    if fingerprint_with(data.fingerprint, origin) != study.config.fingerprint:
        raise InputError(
            f"The data must be the same as at the start of {study.name}, but they have changed: "
            "search them under another --name."
        )
    check_again(model, origin, data, study.space, study=study.name)
    return data, None if teacher is None else teacher.of(data, request.seed)
