"""The plan of a search's time, from a short timing of its epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from autoloss.core.clock import Clock
from autoloss.core.devices import threads
from autoloss.data import Fold, StudyData
from autoloss.executors import Crew
from autoloss.experiment.fewer_rows import fitting_rows
from autoloss.experiment.ood_rows import StrangerRows
from autoloss.experiment.rounds import round_size
from autoloss.experiment.teachers.teacher import Teacher
from autoloss.experiment.time_plan import Workload
from autoloss.experiment.timetable import Timetable
from autoloss.experiment.workload import (
    after_seconds,
    prediction_seconds,
    reference_seconds,
    workload_of,
)
from autoloss.search import FamilyPlan, Space
from autoloss.training.divisions import Divisions
from autoloss.training.estimate import EpochCosts, measure_costs
from autoloss.training.together import Together, choose_together

LIMITED = 16
"""The most trials that a process of a CPU trains together under a time limit."""
STARTING_SECONDS, STARTING_SHARE = 60.0, 0.1
"""The most seconds, and the largest share of a limit, that the timing waits for workers that still
import torch."""


@dataclass(frozen=True, eq=False)
class PlannedTime:
    """The plan of a search's time.

    Args:
        timetable: The plan.
        together: The candidates that train together.
        divisions: The divisions on which trials are compared.
        folds: Their rows.
        rows: The most training rows of each; 0 for all.
    """

    timetable: Timetable
    together: Together
    divisions: Divisions
    folds: tuple[Fold, ...]
    rows: int


def make_timetable(
    data: StudyData,
    divide: Callable[[Sequence[Fold]], Divisions],
    clock: Clock,
    *,
    space: Space,
    budget: FamilyPlan,
    trials: int,
    seed: int,
    epochs: int = 0,
    before: tuple[int, int] | None = None,
    workers: int = 1,
    crew: Crew | None = None,
    crowding: float | None = None,
    refit: bool = False,
    teacher: Teacher | None = None,
    code_length: bool = False,
    strangers: StrangerRows | None = None,
) -> PlannedTime:
    """Plan the time of a search, its rows, and the number of candidates that train together.

    Args:
        data: Its data.
        divide: Brings divisions to the device.
        clock: The clock of the search.
        space: The space.
        budget: The shares of the families in the trials.
        trials: The number of trials.
        seed: Seed of the draw of fewer rows.
        epochs: The epochs of the request, if the space has fewer now.
        before: The planned trials and epochs of a study that is resumed.
        workers: Processes that train, with a thread each; 1 for this process with all threads.
        crew: The workers, which time their epochs under a time limit; None if there are none yet.
        crowding: The slowdown of a busy machine; None for that of the clock so far.
        refit: Whether the user wants the shipped model to be trained again on all rows.
        teacher: The teacher of the rows; None for none.
        code_length: Whether both losses are trained on growing parts of the rows at the end.
        strangers: Out-of-distribution (OOD) rows; None for none.
    """
    n_strangers = 0 if strangers is None else len(strangers)
    crowding = clock.crowding if crowding is None else crowding
    after = crowding * after_seconds(data)
    reference = crowding * reference_seconds(data, space.protocol, clock.limit)

    def folds_of(rows: int) -> tuple[Fold, ...]:
        return data.with_fewer_rows(data.folds, rows, seed=seed)

    def timed(folds: tuple[Fold, ...]) -> tuple[Divisions, Together, Workload]:
        divisions = divide(folds)
        n_train = sum(len(fold.train) for fold in folds)
        fixed = len(budget.first) + len(budget.then)
        at_most = max(round_size(trials), fixed) * len(divisions)
        chosen, costs = _measured(
            divisions, clock, asked=space.together, at_most=at_most, workers=workers, crew=crew
        )
        workload = workload_of(
            space.protocol,
            data,
            divisions,
            trials=trials,
            epochs=epochs or space.training.max_epochs,
            families=len(budget.families),
            fixed=fixed,
            together=chosen.candidates,
            costs=costs,
            refit=refit,
            growing=code_length,
            predicted=prediction_seconds(data, divisions.jobs[0].network, n_strangers),
            taught=0.0 if teacher is None else teacher.seconds(folds[0]),
            teachers=0 if teacher is None else teacher.trainings,
            teacher_rows=0.0 if teacher is None else teacher.share * n_train / len(folds),
        )
        return divisions, chosen, workload

    asked = space.protocol.rows
    rows = 0 if asked == "auto" else asked
    folds = folds_of(rows)
    divisions, chosen, workload = timed(folds)
    if asked == "auto" and clock.left is not None:
        rows = fitting_rows(workload, clock.left - after - reference, len(data.train))
        if rows:
            folds = folds_of(rows)
            divisions, chosen, workload = timed(folds)
    timetable = Timetable(workload, clock, after=after, reference=reference, before=before)
    return PlannedTime(timetable, chosen, divisions, folds, rows)


def _measured(
    divisions: Divisions,
    clock: Clock,
    *,
    asked: int,
    at_most: int,
    workers: int,
    crew: Crew | None,
) -> tuple[Together, EpochCosts]:
    """Return the candidates that train together, and the seconds of their epochs."""
    jobs = divisions.jobs
    limit = clock.limit
    staffed = crew if crew is not None and len(crew) else None
    kind = jobs[0].device.type if staffed is None else staffed.device_kind
    if limit is not None and kind == "cpu":
        # More are seldom faster, and a short timing cannot tell.
        at_most = min(at_most, LIMITED * workers * len(divisions))
    with threads(1 if workers > 1 else torch.get_num_threads()):
        if staffed is None:
            chosen = choose_together(jobs, asked, at_most=at_most, workers=workers)
        else:
            chosen = staffed.choose_together(jobs, asked, at_most=at_most)
        costs = None
        if staffed is not None and (limit is not None or staffed.is_elsewhere):
            seconds = STARTING_SECONDS if limit is None else STARTING_SHARE * limit
            costs = staffed.measure_costs(jobs, together=chosen.candidates, seconds=seconds)
        if costs is None:
            costs = measure_costs(jobs, together=chosen.candidates, workers=workers)
    return chosen, costs
