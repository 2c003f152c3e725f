"""An open study with everything that its search needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from autoloss.core.clock import Clock
from autoloss.data import Fold, StudyData
from autoloss.executors import Crew
from autoloss.experiment.assembly import member_of, model_of
from autoloss.experiment.ood_rows import StrangerRows
from autoloss.experiment.progress import Progress
from autoloss.experiment.request import Request
from autoloss.experiment.teachers.teacher import Teacher
from autoloss.models import OwnModel
from autoloss.readout import Readout
from autoloss.search import Study
from autoloss.tracking import Tracking
from autoloss.training import Outcome


@dataclass(frozen=True, eq=False)
class OpenSearch:
    """An open study with everything that its search needs.

    Args:
        study: The study, new or opened again.
        data: Its data.
        request: The request.
        tracker: Shows the trials.
        progress: Receives the progress.
        clock: The clock of the search.
        device: The device of this process.
        teacher: The teacher of the rows; None for none.
        model: A custom network, checked; None for the built-in one.
        crew: The worker processes; None or an empty one if this process trains.
        strangers: Out-of-distribution (OOD) rows; None for none.
    """

    study: Study
    data: StudyData
    request: Request
    tracker: Tracking
    progress: Progress
    clock: Clock
    device: torch.device
    teacher: Teacher | None = None
    model: OwnModel | None = None
    crew: Crew | None = None
    strangers: StrangerRows | None = None

    def figures(
        self, folds: Sequence[Fold], outcomes: Sequence[Outcome], readout: Readout
    ) -> dict[str, float]:
        """Return the custom metrics of models for the mean of some training runs.

        Args:
            folds: The division of each training run.
            outcomes: The training runs.
            readout: Their read-out.

        Raises:
            InputError: A metric is not a number.
        """
        pairs = zip(folds, outcomes, strict=True)
        members = [member_of(fold, one, readout) for fold, one in pairs]
        model = model_of(self.study, self.data, self.model, members)
        return {one.name: one.of_model(model) for one in self.study.metrics_of_models}

    @property
    def workers(self) -> int:
        """Return the number of processes that train."""
        return max(1, 0 if self.crew is None else len(self.crew))
