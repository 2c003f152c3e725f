"""The plan of a search's time, from a short timing of its epochs."""

from __future__ import annotations

import torch

from autoloss.core.clock import Clock
from autoloss.core.devices import threads
from autoloss.data import StudyData
from autoloss.executors import Crew
from autoloss.experiment.rounds import round_size
from autoloss.experiment.timetable import Timetable
from autoloss.experiment.workload import (
    after_seconds,
    prediction_seconds,
    reference_seconds,
    workload_of,
)
from autoloss.search import FamilyPlan, Space
from autoloss.training.divisions import Divisions
from autoloss.training.estimate import measure_costs
from autoloss.training.together import Together, choose_together

LIMITED = 16
"""Trials that a process of a CPU trains together under a time limit, at most."""
STARTING_SHARE = 0.1
"""The largest share of a limit that the timing waits for workers that still import torch."""


def make_timetable(
    data: StudyData,
    divisions: Divisions,
    clock: Clock,
    *,
    space: Space,
    budget: FamilyPlan,
    trials: int,
    epochs: int = 0,
    before: tuple[int, int] | None = None,
    workers: int = 1,
    crew: Crew | None = None,
    crowding: float | None = None,
    refit: bool = False,
) -> tuple[Timetable, Together]:
    """Plan the time of a search, and the number of candidates that train together.

    Args:
        data: Its data.
        divisions: The divisions on which trials are compared.
        clock: The clock of the search.
        space: The space.
        budget: The shares of the families in the trials.
        trials: The number of trials.
        epochs: The epochs of the request, if the space has fewer now.
        before: The planned trials and epochs of a study that is resumed.
        workers: Processes that train, with a thread each; 1 for this process with all threads.
        crew: The workers, which time their epochs under a time limit; None if there are none yet.
        crowding: The slowdown of a busy machine; None for that of the clock so far.
        refit: Whether the user wants the model that ships to be trained again on all rows.
    """
    crowding = clock.crowding if crowding is None else crowding
    fixed = len(budget.first) + len(budget.then)
    at_most = max(round_size(trials), fixed) * len(divisions)
    if clock.limit is not None and divisions.jobs[0].device.type == "cpu":
        # More are seldom faster, and the time is short that tells.
        at_most = min(at_most, LIMITED * workers * len(divisions))
    with threads(1 if workers > 1 else torch.get_num_threads()):
        chosen = choose_together(divisions.jobs, space.together, at_most=at_most, workers=workers)
        costs = None
        if clock.limit is not None and crew is not None and len(crew):
            costs = crew.measure_costs(
                divisions.jobs, together=chosen.candidates, seconds=STARTING_SHARE * clock.limit
            )
        if costs is None:
            costs = measure_costs(divisions.jobs, together=chosen.candidates, workers=workers)
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
        predicted=prediction_seconds(data, divisions.jobs[0].network),
    )
    timetable = Timetable(
        workload,
        clock,
        after=crowding * after_seconds(data),
        reference=crowding * reference_seconds(data, space.protocol, clock.limit),
        before=before,
    )
    return timetable, chosen
