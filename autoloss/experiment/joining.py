"""A further process of a study, on any machine: trains its trials until none is left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from autoloss.core.clock import Clock
from autoloss.core.errors import InputError, StudyNotFoundError
from autoloss.core.option import path_of
from autoloss.executors import ProcessCrew
from autoloss.experiment.closing import left_closed
from autoloss.experiment.own_network import recall_network
from autoloss.experiment.progress import Progress
from autoloss.experiment.request import Request
from autoloss.experiment.resuming import open_again, search_again
from autoloss.experiment.running import take_part
from autoloss.experiment.session import POLL_SECONDS
from autoloss.experiment.tracked import join_tracker
from autoloss.records import TrialRecord
from autoloss.report.words import count_text
from autoloss.search import SearchResult, Study
from autoloss.search.conclusion_claim import Concluded


@dataclass(frozen=True, eq=False)
class Joined:
    """The part that a process took in a study.

    Args:
        name: The study.
        trained: The trials that it trained.
        trials: The trials of the study's budget.
        concluder: The process that reaches or has reached the verdict, in words; empty for this.
        folder: The folder of the study in that process; empty before the verdict.
        result: The result, if this process reached the verdict.
    """

    name: str
    trained: int
    trials: int
    concluder: str = ""
    folder: str = ""
    result: SearchResult | None = None

    @property
    def text(self) -> str:
        """Return the part in a sentence.

        Examples:
            >>> Joined("churn", 31, 128, "node7 (process 4711)").text
            'Trained 31 of 128 trials of churn; node7 (process 4711) reaches the verdict.'
        """
        did = f"Trained {self.trained} of {count_text(self.trials, 'trial')} of {self.name}"
        if not self.concluder:
            return f"{did} and reached the verdict, which is in {self.folder}."
        if not self.folder:
            return f"{did}; {self.concluder} reaches the verdict."
        return f"{did}; {self.concluder} reached the verdict, which is there in {self.folder}."


def join(study: str | Path, again: Request, *, progress: Progress, wait: float = 0.0) -> Joined:
    """Train trials of a study beside other processes, until its budget is spent.

    The first process that finds no trial left reaches the verdict; the others leave. The time
    limit of a study counts from its start, on the clock of its storage.

    Args:
        study: Its name or its folder.
        again: The values that differ on this machine, with folder and database.
        progress: Receives the progress.
        wait: Seconds to wait for a study that has not begun.

    Raises:
        StudyNotFoundError: There is no such study.
        InputError: Something is missing here, or the data are not the study's.
    """
    told = list[TrialRecord]()
    opened = _begun(study, again, told, progress=progress, wait=wait)
    clock = Clock.start()
    request = Request.from_dict(opened.config.origin["options"])

    def part(found: SearchResult | Concluded) -> Joined:
        if isinstance(found, SearchResult):
            place = str(opened.folder)
            return Joined(opened.name, len(told), opened.budget, folder=place, result=found)
        return Joined(opened.name, len(told), opened.budget, found.text, found.folder)

    with left_closed(opened):
        if (over := opened.conclusion.concluder) is not None:
            opened.close()
            return part(over)
        network = recall_network(opened.config.origin, again.model, study=opened.name)
        _check_data(opened, request, again)
    judges = False
    if request.time_limit is not None:
        left = request.time_limit - opened.age
        judges = left <= 0 and any(trial.metrics for trial in opened.trials)
        clock.limit = request.time_limit if left <= 0 else left
    with ProcessCrew() as crew:
        with left_closed(opened):
            tracker = join_tracker(opened, request, progress)
            searched = search_again(
                opened, request, again, network, tracker, progress, clock, crew
            )
        return part(take_part(searched, judge_now=judges))


def _begun(
    study: str | Path,
    again: Request,
    told: list[TrialRecord],
    *,
    progress: Progress,
    wait: float,
) -> Study:
    """Open a study, which may begin a little later than this process."""
    ends = time.monotonic() + wait
    is_told = False
    while True:
        try:
            return open_again(study, again, on_told=told.append)
        except StudyNotFoundError:
            if time.monotonic() + POLL_SECONDS > ends:
                raise
        if not is_told:
            progress.noted(f"Waiting for {study} to begin.")
            is_told = True
        time.sleep(POLL_SECONDS)


def _check_data(study: Study, request: Request, again: Request) -> None:
    """Refuse a study whose data are elsewhere on this machine."""
    path = path_of(request.data)
    if again.data is not None or path is None or ":" in Path(path).name:
        return
    if Path(path).is_absolute() and not Path(path).exists():
        raise InputError(
            f"The data of {study.name} must be readable on this machine, but got data={path!r}, "
            "which is not here: give their path by --data."
        )
