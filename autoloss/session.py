"""One search: asks, trains and tells until the budget is spent."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch

from autoloss.clock import Clock
from autoloss.data import StudyData
from autoloss.errors import TrainingError
from autoloss.executors import LocalExecutor
from autoloss.losses import ClassFacts
from autoloss.models import TableNetwork
from autoloss.progress import Progress
from autoloss.readout import fold_numbers
from autoloss.records import TrialRecord, Update
from autoloss.search import Study, Trial
from autoloss.settings import NetworkConfig, TrainingConfig
from autoloss.tracking import Tracking
from autoloss.training import Candidate, EpochReport, Job, Outcome

FINAL_WORK = 3.0
"""Work of the final trainings in units of one trial's: two alone cost more than two in a crowd."""
OBJECTIVE = "refined_log_loss"
ROUNDS = 4
"""Populations a search has at least, where that leaves `SMALLEST_ROUND` candidates in each."""
SMALLEST_ROUND = 8


def make_job(
    data: StudyData,
    network: NetworkConfig,
    training: TrainingConfig,
    *,
    device: torch.device,
    seed: int,
    facts: ClassFacts | None = None,
    teacher: torch.Tensor | None = None,
) -> Job:
    """Return what all candidates of a study have in common, on its device.

    Args:
        data: Rows of the study.
        network: The network.
        training: How to train.
        device: Where.
        seed: Seed of the folds.
        facts: What losses know of the classes; the counts of the training rows where it is None.
        teacher: Logits of a teacher for the training rows, ``(N, C)``.
    """
    return Job.prepare(
        TableNetwork(data.encoding.schema, data.task.n_classes, network),
        data.train,
        data.valid,
        class_counts=data.class_counts if facts is None else facts,
        folds=fold_numbers(data.valid.targets, seed=seed),
        config=training,
        device=device,
        teacher=teacher,
    )


class SearchSession:
    """Trains the trials of a study.

    Args:
        study: The study, new or opened again.
        job: What all candidates have in common.
        tracker: Where the trials are shown.
        progress: Who watches.
        clock: The time.
    """

    def __init__(
        self, study: Study, job: Job, *, tracker: Tracking, progress: Progress, clock: Clock
    ) -> None:
        self.study = study
        self.job = job
        self.tracker = tracker
        self.progress = progress
        self.clock = clock
        self.executor = LocalExecutor(
            job,
            together=study.space.together,
            on_epoch=self._on_epoch,
            on_halved=self._on_halved,
        )
        self._ended = [record for record in study.trials if record.state != "running"]
        # The sampler learns between populations: a small budget makes smaller ones, not fewer.
        self._round = max(SMALLEST_ROUND, -(-study.budget // ROUNDS))
        self._in_training = 0
        self._is_final = False

    def search(self) -> None:
        """Ask, train and tell until the trials or the time are spent.

        Raises:
            TrainingError: All candidates diverged.
        """
        while not self.clock.is_up:
            trials = self.study.ask(min(self.executor.together, self._round))
            if not trials:
                break
            self._tell(trials, self._train(trials))
        if not any(record.metrics for record in self._ended):
            raise TrainingError(
                "A search must have one candidate that learns, but all of them diverged: set a "
                "lower lr in the space, and look for columns with extreme numbers."
            )

    def retrain(self, finalists: Sequence[TrialRecord]) -> list[Outcome]:
        """Train trials again, as they were: their weights were not kept.

        Raises:
            TrainingError: One of them diverges now.
        """
        self._is_final = True
        candidates = [
            _candidate(self.study.trial(record.number), _epochs(record)) for record in finalists
        ]
        outcomes = self._timed(candidates, deadline=self.clock.ends)
        for record, outcome in zip(finalists, outcomes, strict=True):
            if outcome.state == "diverged":
                raise TrainingError(
                    f"Trial {record.number} ({record.label}) must train as it did in the search, "
                    "but it diverged: set a lower lr in the space."
                )
        return outcomes

    def _train(self, trials: Sequence[Trial]) -> list[Outcome]:
        candidates = [_candidate(trial) for trial in trials]
        return self._timed(candidates, deadline=self.clock.search_ends)

    def _tell(self, trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> None:
        """Tell the study what became of a population."""
        told, records = [], []
        for trial, outcome in zip(trials, outcomes, strict=True):
            if outcome.state == "diverged":
                records.append(self.study.fail(trial, "diverged", seconds=outcome.seconds))
            else:
                told.append((trial, outcome))
        if told:
            records += self.study.tell_many(
                [trial for trial, _ in told],
                torch.stack([outcome.logits for _, outcome in told]),
                self.job.valid.targets,
                seconds=[outcome.seconds for _, outcome in told],
                curves=[outcome.curve for _, outcome in told],
                stopped=[outcome.state == "stopped" for _, outcome in told],
                folds=self.job.folds,
            )
        self._ended += records
        for record in records:
            self.tracker.log_trial(record)

    def _timed(self, candidates: Sequence[Candidate], *, deadline: float | None) -> list[Outcome]:
        self._in_training = len(candidates)
        started = time.monotonic()
        outcomes = self.executor.train(candidates, deadline=deadline)
        self.clock.training += time.monotonic() - started
        return outcomes

    def _on_halved(self, together: int) -> None:
        self.progress.noted(f"The memory was full: {together} candidates train together now.")

    def _on_epoch(self, report: EpochReport) -> None:
        """Tell who watches where the search stands."""
        ended = self._ended
        share = report.epoch / report.max_epochs
        work = len(ended) + share * (FINAL_WORK if self._is_final else self._in_training)
        fraction = min(work / (self.study.budget + FINAL_WORK), 1.0)
        elapsed = self.clock.elapsed
        left = elapsed * (1.0 - fraction) / max(fraction, 1e-9)
        if self.clock.limit is not None:
            left = min(left, max(0.0, self.clock.limit - elapsed))
        scored = [record for record in ended if OBJECTIVE in record.metrics]
        best = min(scored, key=lambda record: record.metrics[OBJECTIVE], default=None)
        metric = self.study.metric.name
        self.progress.updated(
            Update(
                phase="final" if self._is_final else "search",
                done=len(ended),
                total=self.study.budget,
                fraction=fraction,
                elapsed=elapsed,
                left=left,
                rate=len(ended) / elapsed if elapsed > 0 else 0.0,
                best_label="" if best is None else best.label,
                best_metric=math.nan if best is None else best.metrics.get(metric, math.nan),
                best_log_loss=(report.best_log_loss if best is None else best.metrics[OBJECTIVE]),
            )
        )


def _candidate(trial: Trial, epochs: int | None = None) -> Candidate:
    """Return what a trial asks to be trained."""
    return Candidate(
        trial.spec,
        lr=trial.lr,
        weight_decay=trial.weight_decay,
        dropout=trial.dropout,
        seed=trial.seed,
        epochs=epochs,
    )


def _epochs(record: TrialRecord) -> int | None:
    """Return the epoch after which a trial was cut off; None where it was not."""
    return record.curve[-1].epoch if record.state == "stopped" else None
