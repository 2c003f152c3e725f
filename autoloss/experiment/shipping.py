"""Ships another trial of a finished study by a person's decision."""

from __future__ import annotations

import filecmp
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from autoloss.core.clock import Clock
from autoloss.core.devices import find_device
from autoloss.core.errors import InputError, TrainingError
from autoloss.core.user import user_name
from autoloss.data import Source
from autoloss.experiment.closing import closing
from autoloss.experiment.conclusion import MODEL, finalist_folder, show_result, write_result
from autoloss.experiment.open_search import OpenSearch
from autoloss.experiment.own_network import recall_network
from autoloss.experiment.progress import Progress
from autoloss.experiment.replication import replicate
from autoloss.experiment.request import Request
from autoloss.experiment.resuming import read_again
from autoloss.experiment.running import make_session
from autoloss.experiment.teachers.opening import GivenTeacher
from autoloss.experiment.tracked import make_tracker
from autoloss.experiment.watching import Watcher, as_progress, watched
from autoloss.inference.classifier import Classifier
from autoloss.inference.loading import read_model
from autoloss.inference.saving import WEIGHTS
from autoloss.losses.own import Losses, recall, take_in
from autoloss.metrics import Metrics
from autoloss.models import OwnModel
from autoloss.models.custom.own import Model
from autoloss.records import PersonalChoice, Summary
from autoloss.search import SearchResult, Study
from autoloss.search.config import StudyConfig
from autoloss.search.folders import read_finished
from autoloss.search.naming import CONFIG
from autoloss.tracking import NullTracker, check_register
from autoloss.verdict.finalists import FinalistChoice
from autoloss.verdict.rules import rule_sentence, select_trial


@watched
def ship(
    study: str | Path,
    by: str | int,
    *,
    reason: str = "",
    register: str | None = None,
    out: str | Path = "reports",
    storage: str | None = None,
    data: Source | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    teacher: GivenTeacher | None = None,
    losses: Losses | None = None,
    metrics: Metrics | None = None,
    model: Model | None = None,
    tracking_uri: str | None = None,
    progress: Watcher = None,
) -> SearchResult:
    """Ship another trial of a finished study, and record the previous winner and the reason.

    The study's folder gets the model, loss and report of the trial. In MLflow the winner's tags
    and metrics move to it, and so does the alias ``champion`` if the study's model was registered.
    The verdict does not change, and the test rows stay locked. A finalist ships as trained for the
    verdict; any other trial is trained again first, on the same seeds and divisions.

    Args:
        study: Its name or its folder.
        by: A rule or the number of a trial, as in `SearchResult.select`.
        reason: The reason; by default the sentence of the rule.
        register: Name in MLflow's model registry; by default the name that the study has there.
        out: The folder of all studies.
        storage: URL of the study's database, if it has a password.
        data: The data, if the study began with a DataFrame or other data that no file holds; the
            same holds for `valid` and `test`.
        valid: See `data`.
        test: See `data`.
        teacher: The teacher, if the study does not keep it.
        losses: Your own losses, if their files have moved.
        metrics: Your own metrics, if no file holds them, or their files have moved.
        model: Your own network, if the study began with one and does not keep it.
        tracking_uri: MLflow's tracking URI; by default the study's.
        progress: As in `autoloss.search`.

    Returns:
        The study with its new winner.

    Raises:
        InputError: The study, rule or trial does not exist, or the trial never learnt.
    """
    again = Request.of(locals())
    folder, summary = read_finished(study, out=Path(out))
    trial = select_trial(summary, by)
    if not trial.metrics:
        raise InputError(
            f"A trial that ships must have been trained to its end, but got number={trial.number} "
            f"with state={trial.state!r}."
        )
    take_in(losses)
    if (folder / CONFIG).is_file():
        recall(StudyConfig.read(folder).losses, given=losses or (), study=summary.name)
    request = _request(folder)
    origin = StudyConfig.read(folder).origin if request else {}
    network = recall_network(origin, model, study=summary.name)
    is_own = network is not None or (request is not None and request.has_own_features)
    check_register(register, track=request.track if request else "off", is_own=is_own)
    is_there = trial.number == summary.recommended and _is_whole(folder, trial.number)
    if trial.number != summary.recommended:
        summary = _with_choice(
            summary, trial.number, reason=reason.strip() or rule_sentence(summary, by)
        )
    if not is_there:
        # The trial ships alone, also in place of a blend.
        alone = tuple(
            replace(one, ships=one.name != "blend" and one.numbers == (trial.number,))
            for one in summary.policies
        )
        summary = replace(summary, policies=alone, refit=None)
    if request is None:
        result = SearchResult(summary)
        if not is_there:
            write_result(result, folder)
        return result
    opened, watcher = (
        Study.open(folder, storage=storage, losses=losses, metrics=metrics),
        as_progress(progress),
    )
    if is_there:
        result = SearchResult(summary, read_model(folder / MODEL, network))
    else:
        with closing(opened, NullTracker()):
            shipped = _model(opened, request, trial.number, again.checked(), network, watcher)
        result = SearchResult(summary, shipped)
        write_result(result, folder)
    tracker = make_tracker(opened, request, tracking_uri)
    try:
        tracker.start({})
        tracker.sync(summary.trials)
        register = register or request.register
        show_result(summary, folder, tracker, watcher, register, is_own=is_own)
    finally:
        tracker.close(0.0)
    return result


def _with_choice(summary: Summary, number: int, *, reason: str) -> Summary:
    """Return the summary of a study whose winner a person has chosen now."""
    chosen = PersonalChoice(
        number=number,
        before=summary.recommended,
        reason=reason,
        by=user_name(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return replace(summary, recommended=number, choices=(*summary.choices, chosen))


def _is_whole(folder: Path, number: int) -> bool:
    """Return whether the shipped model is the trial's, also after an interruption."""
    kept, model = (place / WEIGHTS for place in (finalist_folder(folder, number), folder / MODEL))
    if not model.is_file():
        return not (folder / CONFIG).is_file()
    return not kept.is_file() or filecmp.cmp(kept, model, shallow=False)


def _request(folder: Path) -> Request | None:
    """Return the request of a study, or None if a custom training loop trained it."""
    if not (folder / CONFIG).is_file():
        return None
    origin = StudyConfig.read(folder).origin
    return Request.from_dict(origin["options"]) if "options" in origin else None


def _model(
    study: Study,
    request: Request,
    number: int,
    again: Request,
    network: OwnModel | None,
    progress: Progress,
) -> Classifier:
    """Return the stored model of a trial; without one, train the trial and store its model."""
    kept = finalist_folder(study.folder, number)
    if kept.is_dir():
        return read_model(kept, network)
    request = request.completed(again)
    if missing := request.missing_tables():
        wanted = ", ".join(f"{name}=..." for name in missing)
        raise InputError(
            f"Trial {number} must be trained again, because only the weights of finalists are "
            f"kept, but got no data: call autoloss.ship({study.name!r}, {number}, {wanted})."
        )
    progress.noted(f"Trial {number} is not a finalist: it is trained again.")
    data, teacher = read_again(study, request, model=network)
    session = make_session(
        OpenSearch(
            study,
            data,
            request,
            NullTracker(),
            progress,
            Clock(time.monotonic()),
            find_device(request.device),
            teacher=teacher,
            model=network,
        )
    )
    picked = [FinalistChoice(number, ("chosen by a person",))]
    try:
        model = replicate(session, picked, baseline=number).models[number]
    except TrainingError as error:
        raise TrainingError(
            f"Trial {number} diverged when it was trained again: it cannot ship."
        ) from error
    model.save(kept)
    return model
