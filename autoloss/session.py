"""One search: asks, trains and tells until the budget is spent."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from autoloss.clock import Clock
from autoloss.divisions import Divisions, Trained
from autoloss.errors import TrainingError
from autoloss.executors import LocalExecutor
from autoloss.progress import Progress
from autoloss.records import TrialRecord, Update
from autoloss.search import Study, Trial
from autoloss.tracking import Tracking
from autoloss.training import Candidate, EpochReport, batch_size_for

OBJECTIVE = "refined_log_loss"
ROUNDS = 4
"""Populations a search has at least, where that leaves `SMALLEST_ROUND` trials in each."""
SMALLEST_ROUND = 8
FULL_BATCH = 256
"""Rows of a mini-batch for which `together` is meant: of smaller ones more are trained at once."""


class SearchSession:
    """Trains the trials of a study.

    Args:
        study: The study, new or opened again.
        divisions: The divisions on which trials are compared.
        final_work: Trainings that come after the search.
        tracker: Where the trials are shown.
        progress: Who watches.
        clock: The time.
        teacher: Logits of a teacher for the rows of the table, ``(rows, C)``; None for none.
    """

    def __init__(
        self,
        study: Study,
        divisions: Divisions,
        *,
        final_work: int,
        tracker: Tracking,
        progress: Progress,
        clock: Clock,
        teacher: Tensor | None = None,
    ) -> None:
        self.study = study
        self.divisions = divisions
        self.teacher = teacher
        self.tracker = tracker
        self.progress = progress
        self.clock = clock
        self.executor = LocalExecutor(
            together=trained_together(divisions, study.space.together),
            on_epoch=self._on_epoch,
            on_halved=self._on_halved,
        )
        self._ended = [record for record in study.trials if record.state != "running"]
        # The sampler learns between populations: a small budget makes smaller ones, not fewer.
        self._round = max(SMALLEST_ROUND, -(-study.budget // ROUNDS))
        self._search_work = study.budget * len(divisions)
        self._final_work = final_work
        self._done = len(self._ended) * len(divisions)
        self._is_final = False
        clock.reserve(final_work / (final_work + self._search_work))

    def search(self) -> None:
        """Ask, train and tell until the trials or the time are spent.

        Raises:
            TrainingError: All candidates diverged.
        """
        while not self.clock.is_up:
            at_once = max(1, self.executor.together // len(self.divisions))
            trials = self.study.ask(min(at_once, self._round))
            if not trials:
                break
            self._tell(trials, self._train(trials))
        if not any(record.metrics for record in self._ended):
            raise TrainingError(
                "A search must have one candidate that learns, but all of them diverged: set a "
                "lower lr in the space, and look for columns with extreme numbers."
            )

    def train(
        self,
        divisions: Divisions,
        trials: Sequence[Trial],
        *,
        seeds: Sequence[int] | None = None,
        epochs: Mapping[int, int] | None = None,
        deadline: float | None = None,
    ) -> list[Trained]:
        """Train trials on divisions, all of them in the same populations.

        Args:
            divisions: The divisions.
            trials: The trials.
            seeds: Seed of the trainings on each division; by default that of the study.
            epochs: Epochs after which a trial stops, by its number, where it was cut off before.
            deadline: When to stop, on `time.monotonic`'s clock.
        """
        candidates = [
            Candidate(
                trial.spec,
                lr=trial.lr,
                weight_decay=trial.weight_decay,
                dropout=trial.dropout,
                seed=trial.seed if seeds is None else seeds[fold],
                epochs=None if epochs is None else epochs.get(trial.number),
                fold=fold,
            )
            for fold in range(len(divisions))
            for trial in trials
        ]
        started = time.monotonic()
        outcomes = self.executor.train(divisions.jobs, candidates, deadline=deadline)
        self.clock.training += time.monotonic() - started
        return [Trained.of(outcomes[i :: len(trials)]) for i in range(len(trials))]

    def begin_final(self) -> None:
        """Say that the search is over and the final trainings begin."""
        self._is_final = True

    def _train(self, trials: Sequence[Trial]) -> list[Trained]:
        return self.train(self.divisions, trials, deadline=self.clock.search_ends)

    def _tell(self, trials: Sequence[Trial], trained: Sequence[Trained]) -> None:
        """Tell the study what became of a population."""
        told, records = [], []
        for trial, found in zip(trials, trained, strict=True):
            if found.state == "diverged":
                records.append(self.study.fail(trial, "diverged", seconds=found.seconds))
            else:
                told.append((trial, found))
        if told:
            records += self.study.tell_many(
                [trial for trial, _ in told],
                torch.stack([found.logits for _, found in told]),
                self.divisions.targets,
                seconds=[found.seconds for _, found in told],
                curves=[found.curve for _, found in told],
                stopped=[found.state == "stopped" for _, found in told],
                folds=self.divisions.folds,
                clusters=self.divisions.clusters,
            )
        self._ended += records
        for record in records:
            self.tracker.log_trial(record)

    def _on_halved(self, together: int) -> None:
        self.progress.noted(f"The memory was full: {together} candidates train together now.")

    def _on_epoch(self, report: EpochReport) -> None:
        """Tell who watches where the search stands."""
        ended = self._ended
        is_over = not report.alive or report.epoch == report.max_epochs
        share = 1.0 if is_over else report.epoch / report.max_epochs
        work = self._done + report.candidates * share
        self._done += report.candidates * is_over
        fraction = min(work / (self._search_work + self._final_work), 1.0)
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


def trained_together(divisions: Divisions, together: int) -> int:
    """Return how many candidates train at once: more than asked for where mini-batches are small.

    Args:
        divisions: The divisions.
        together: Candidates of mini-batches of 256 rows.
    """
    smallest = min(len(job.train) for job in divisions.jobs)
    size = batch_size_for(smallest, divisions.jobs[0].config.batch_size)
    return max(together * max(1, FULL_BATCH // size), len(divisions))


def epochs_of(record: TrialRecord) -> int | None:
    """Return the epoch after which a trial was cut off; None where it was not."""
    return record.curve[-1].epoch if record.state == "stopped" else None
