"""The start of a search: the request is checked, its data are read, and its study is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import get_args

import torch

from autoloss.core.clock import Clock
from autoloss.core.errors import InputError, StudyExistsError
from autoloss.core.option import path_of
from autoloss.core.task import Task
from autoloss.data import StudyData
from autoloss.data.messages import unknown_name
from autoloss.data.rare import sampling_rates
from autoloss.data.tensors.given import is_given, is_place
from autoloss.executors import Crew, Staffing, check_workers, crew_of
from autoloss.experiment.closing import withdrawn_if_refused
from autoloss.experiment.hiring import staffed
from autoloss.experiment.knowledge import ClassKnowledge
from autoloss.experiment.label_decision import check_label_decision
from autoloss.experiment.ood_rows import StrangerRows
from autoloss.experiment.open_search import OpenSearch
from autoloss.experiment.own_metrics import check_metrics
from autoloss.experiment.own_network import CheckedNetwork, checked_network, fingerprint_with
from autoloss.experiment.progress import Progress, Silent
from autoloss.experiment.request import Request, Ship
from autoloss.experiment.running import run
from autoloss.experiment.teachers.teacher import Teacher
from autoloss.experiment.tracked import make_tracker
from autoloss.losses.own import take_in
from autoloss.metrics import OwnMetrics, take_metrics
from autoloss.metrics.given import is_own_place
from autoloss.models.custom.own import AUTO
from autoloss.models.make import NO_NETWORK
from autoloss.search import SearchResult, Space, Study, free_name, load_space, load_usual
from autoloss.search.naming import check_name
from autoloss.search.opening import check_free
from autoloss.search.shipped_spaces import DEFAULT
from autoloss.tracking import check_register
from autoloss.tracking.uri_check import resolve


@dataclass(frozen=True, eq=False)
class Start:
    """A search before its study is made.

    Args:
        request: The request, checked.
        knowledge: The user's knowledge, opened.
        own: Names of the custom losses.
        metrics: The custom metrics.
        space: The search space, joined by the knowledge.
        data: The data, divided and encoded.
        network: The custom network, checked.
        teacher: The teacher of the rows; None for none.
        metric: Name or place of the metric that the user asks for; None for the default.
        device: Where to train.
        staffing: The number of processes that train.
        clock: The clock of the search.
        strangers: Out-of-distribution (OOD) rows; None for none.
    """

    request: Request
    knowledge: ClassKnowledge
    own: tuple[str, ...]
    metrics: OwnMetrics
    space: Space
    data: StudyData
    network: CheckedNetwork
    teacher: Teacher | None
    metric: str | None
    device: torch.device
    staffing: Staffing
    clock: Clock
    strangers: StrangerRows | None = None


def start(
    request: Request, crew: Crew, progress: Progress | None = None, *, begins: bool = True
) -> Start:
    """Check a request, all that needs no data first, then read its data.

    Args:
        request: The request.
        crew: The workers.
        progress: Receives the number of workers.
        begins: Whether they begin, before the data are read, so that they are ready then.

    Raises:
        InputError: The data or an option is wrong; one line names the fault and the remedy.
    """
    clock = Clock.start(_checked_limit(request.time_limit))
    own = tuple(take_in(request.losses))
    knowledge = ClassKnowledge.of(request)
    request = request.checked()
    own_metrics = take_metrics(request.metrics, request.metric)
    if request.cost_column is None:
        metric = _metric_name(knowledge, own_metrics, request)
    is_own = knowledge.model is not None or request.has_own_features
    check_register(request.register, track=request.track, is_own=is_own)
    _check_seed(request.seed)
    check_workers(request.workers)
    _check_policy(request.ship)
    device = crew.coordinator(request.device)
    if request.track != "off":
        # A study that can never be tracked must not begin.
        resolve(request.tracking_uri)
    loaded = load_space(request.space, losses=own, metrics=tuple(own_metrics.origins))
    space = knowledge.join(loaded, own)
    if knowledge.model is None and (is_given(request.data) or is_place(request.data)):
        # Before the data are read, which may take long.
        raise InputError(NO_NETWORK)
    staffing = staffed(request, device, crew, progress, begins=begins)
    data = request.read(space, Silent().noted if progress is None else progress.noted)
    if request.space == DEFAULT:
        loaded = load_usual(data.task.kind, data.kind.space(data.encoding), losses=own)
        space = knowledge.join(loaded, own)
    # The study keeps the size, so that another device goes on with the same network.
    space = replace(space, network=space.network.trained_on(device.type))
    if request.cost_column is not None:
        knowledge = knowledge.with_row_costs(data)
        metric = _metric_name(knowledge, own_metrics, request)
    check_label_decision(request.label_decision, data.task)
    _check_negatives(space, data.task)
    check_metrics(own_metrics, data, space)
    network = checked_network(knowledge.model, data, space, loaded=loaded, device=device)
    strangers = StrangerRows.read(request, data, space)
    teacher = knowledge.teacher_of(data, request.seed)
    return Start(
        *(request, knowledge, own, own_metrics, space, data, network, teacher),
        *(metric, device, staffing, clock, strangers),
    )


def search(request: Request, progress: Progress) -> SearchResult:
    """Run the search of a request, from the data to the report.

    Raises:
        InputError: As in `start`.
        TrainingError: No candidate could be trained.
    """
    with crew_of(request.executor, request.address) as crew:
        begun = start(request, crew, progress)
        request, data = begun.request, begun.data
        study = _new_study(begun)
        tracker = make_tracker(study, request, request.tracking_uri)
        with withdrawn_if_refused(study):
            return run(
                OpenSearch(
                    study,
                    data,
                    request,
                    tracker,
                    progress,
                    begun.clock,
                    begun.device,
                    teacher=begun.teacher,
                    model=begun.network.model,
                    crew=crew,
                    strangers=begun.strangers,
                )
            )


def check_start(request: Request) -> None:
    """Check that the study of a request can begin, without data and without writing anything.

    Raises:
        StudyExistsError: If a study has its name.
        InputError: If a name is not allowed, or MLflow could never write there.
    """
    name = request.name
    if name is not None:
        check_free(Path(request.out) / check_name(name), name)
    is_own = request.model != AUTO or request.has_own_features
    check_register(request.register, track=request.track, is_own=is_own)
    if request.track != "off":
        resolve(request.tracking_uri)


def _new_study(begun: Start) -> Study:
    """Return the study of a search, which keeps the request.

    Raises:
        StudyExistsError: A study has the name that the request asks for.
    """
    out, refused = Path(begun.request.out), set[str]()
    while True:
        name = begun.request.name or free_name(path_of(begun.request.data), out, refused)
        try:
            return _study(begun, name)
        except StudyExistsError:
            # Another search of the same data took the name at the same moment.
            if begun.request.name is not None:
                raise
            refused.add(name)


def _study(begun: Start, name: str) -> Study:
    request, data, space = begun.request, begun.data, begun.space
    written = replace(request, metric=begun.metric)
    negatives, counts, out = space.protocol.negatives, data.class_counts, Path(request.out)
    return Study(
        name,
        counts,
        trials=request.trials,
        space=space,
        metric=request.metric,
        metrics=request.metrics,
        seed=request.seed,
        storage=request.storage,
        out=out,
        losses=request.losses,
        fingerprint=fingerprint_with(data.fingerprint, begun.network.origin),
        sampling=sampling_rates(counts, negatives).tolist() if negatives else None,
        origin={
            "command": written.command(),
            "options": written.to_dict(),
            **begun.network.origin,
            **begun.knowledge.origin,
            **({} if begun.strangers is None else begun.strangers.origin),
        },
        **begun.knowledge.for_study(
            data.task, can_mix=begun.network.can_mix, of_inputs=data.kind.provides
        ),
    )


def _metric_name(knowledge: ClassKnowledge, own: OwnMetrics, request: Request) -> str | None:
    """Return the name or the place of the metric that a request asks for; None for none."""
    if isinstance(request.metric, str) and is_own_place(request.metric):
        return request.metric
    return knowledge.metric_name(own.resolved(request.metric))


def _check_negatives(space: Space, task: Task) -> None:
    """Refuse to leave out negatives where a row has no single class."""
    if space.protocol.negatives and task.kind == "sequence":
        raise InputError(
            "protocol.negatives must be 0 for sequences, whose tokens stay together, but got"
            f" negatives={space.protocol.negatives:g}: search the prior class_weight instead."
        )
    if space.protocol.negatives and task.names:
        raise InputError(
            "protocol.negatives must be 0 for several labels, whose negatives are the positives of"
            f" other labels, but got negatives={space.protocol.negatives:g}: search the prior"
            " class_weight instead."
        )


def _check_policy(name: str) -> None:
    """Refuse an unknown policy for the shipped model."""
    if name not in get_args(Ship):
        raise unknown_name("ship must be a policy", name, get_args(Ship))


def _check_seed(seed: int) -> None:
    """Refuse a seed that torch and numpy do not accept."""
    if not 0 <= seed < 1 << 32:
        raise InputError(f"seed must be at least 0 and less than 2 ** 32, but got seed={seed}.")


def _checked_limit(seconds: float | None) -> float | None:
    """Return a time limit in seconds, which must be positive."""
    if seconds is None or (isinstance(seconds, Real) and seconds > 0):
        return seconds
    raise InputError(
        f"time_limit must be a number of seconds above 0, but got time_limit={seconds!r}."
    )
