"""The workload of a search, in training runs and seconds, from its data and its protocol."""

from __future__ import annotations

import time

import torch

from autoloss.core.settings import ProtocolConfig
from autoloss.data import StudyData
from autoloss.experiment.boosted_parts import why_not_boosted
from autoloss.experiment.boosting import boosting_seconds
from autoloss.experiment.finals import Finals
from autoloss.experiment.time_plan import Workload
from autoloss.inference.scoring import raw_scores
from autoloss.losses import LossSpec
from autoloss.models import Network
from autoloss.training.divisions import Divisions
from autoloss.training.estimate import EpochCosts, epoch_share

AFTER, AFTER_EACH_ROW = 2.5, 2e-4
"""Seconds of verdict, report and tracking: a constant, and a share for each row of the verdict, or
for each of its labels."""
STRANGER_SECONDS = 2e-5
"""Seconds that the scores of a training run take for each OOD row."""
TIMED_ROWS, TIMED_SECONDS = 256, 0.03
"""Rows whose predictions are timed first, and seconds from which a timing tells enough."""
REFERENCE_SHARE = 0.05
"""Share of a limit that gradient boosting may take."""


def workload_of(
    protocol: ProtocolConfig,
    data: StudyData,
    divisions: Divisions,
    *,
    trials: int,
    epochs: int,
    families: int,
    fixed: int,
    together: int,
    costs: EpochCosts,
    refit: bool = False,
    growing: bool = False,
    predicted: float = 0.0,
    taught: float = 0.0,
    teachers: int = 0,
    teacher_rows: float = 0.0,
) -> Workload:
    """Return the workload of a search, with the cost of each part.

    Args:
        protocol: The protocol of the comparison.
        data: The data.
        divisions: The divisions on which trials are compared.
        trials: The budget.
        epochs: Epochs that the space asks for.
        families: Families that are searched.
        fixed: Trials that the sampler does not choose.
        together: Candidates of a population.
        costs: The seconds of an epoch.
        refit: Whether the shipped model is trained again on all rows, if there is time.
        growing: Whether both losses are trained on growing parts of the rows, if there is time.
        predicted: Seconds of a training run's predictions for locked rows and OOD rows.
        taught: Seconds that a teacher learns by itself for a division of the search.
        teachers: Training runs of trials that teach a division.
        teacher_rows: Training rows that each of them learns from.
    """
    n_rows = data.summary.n_train + data.summary.n_valid
    is_covered = data.resampling.verdict == "out_of_fold"
    final_share = 1 - 1 / protocol.outer_folds if is_covered else 0.75
    repeats = protocol.outer_repeats if data.resampling.outer else 0
    folds = data.resampling.outer // repeats if repeats else 0
    return Workload(
        trials=trials,
        epochs=epochs,
        finals=Finals(
            min(protocol.finalists, families),
            data.resampling.replicates,
            repeats,
            min(fixed, trials) if repeats else 0,
            refit=refit,
            growing=growing,
        ),
        divisions=len(divisions),
        outer_folds=folds,
        together=max(1, together),
        once=costs.once,
        each=costs.each,
        final_size=epoch_share(round(final_share * n_rows), divisions),
        outer_size=epoch_share(round(0.75 * n_rows * (1 - 1 / folds)), divisions)
        if folds
        else 1.0,
        outer_work=protocol.outer_work,
        refit_size=epoch_share(round(data.share_of_whole(1.0)), divisions),
        decay=divisions.jobs[0].config.decay,
        racing=protocol.racing,
        predicted=predicted,
        taught=taught,
        teachers=teachers,
        teacher_size=epoch_share(round(teacher_rows), divisions) if teachers else 0.0,
    )


def prediction_seconds(data: StudyData, network: Network, strangers: int = 0) -> float:
    """Return the seconds that a training run takes for locked rows and OOD rows; 0 without any.

    Validation rows of the first fold are predicted in their place.

    Args:
        data: The data.
        network: The network of the first division.
        strangers: The number of OOD rows, which are scored beside in-distribution rows.
    """
    inputs = data.valid.inputs
    to_predict = data.summary.n_test + strangers
    if not to_predict or not len(inputs):
        return 0.0
    weights = network.initial(torch.Generator().manual_seed(0))

    def seconds(n: int) -> float:
        rows, started = inputs.take(torch.arange(n)), time.perf_counter()
        raw_scores(network, weights, LossSpec(), rows, of_tokens=data.kind.of_tokens)
        return time.perf_counter() - started

    n = min(TIMED_ROWS, len(inputs))
    # The first time fills caches.
    seconds(n)
    found = seconds(n)
    while found < TIMED_SECONDS and n < len(inputs):
        n = min(4 * n, len(inputs))
        found = seconds(n)
    return found / n * to_predict + STRANGER_SECONDS * strangers


def after_seconds(data: StudyData) -> float:
    """Return the seconds between the last training run and the end: verdict, report, tracking."""
    rows = data.summary.n_test or data.summary.n_train + data.summary.n_valid
    return AFTER + AFTER_EACH_ROW * rows * max(1, len(data.task.names))


def reference_seconds(data: StudyData, protocol: ProtocolConfig, limit: float | None) -> float:
    """Return the seconds of gradient boosting, or 0 if it is left out.

    Args:
        data: The data.
        protocol: How candidates are compared.
        limit: The limit in seconds; None for none.
    """
    summary = data.summary
    if why_not_boosted(data):
        return 0.0
    folds = data.resampling.outer // protocol.outer_repeats if data.resampling.outer else 1
    if data.resampling.verdict == "out_of_fold":
        folds = protocol.outer_folds
    n_rows = summary.n_train + summary.n_valid
    one = boosting_seconds(n_rows, len(summary.columns), data.task)
    needed = one * folds
    return needed if limit is None or needed <= REFERENCE_SHARE * limit else 0.0
