"""One search: asks, trains and tells until the budget is spent."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from autoloss.clock import Clock
from autoloss.divisions import Divisions, Trained
from autoloss.ended import OBJECTIVE, EndedTrials
from autoloss.errors import TrainingError
from autoloss.executors import LocalExecutor
from autoloss.progress import Progress
from autoloss.racing import Ended, RacingSearch, can_race
from autoloss.records import TrialRecord, Update
from autoloss.search import Study, Trial
from autoloss.tracking import Tracking
from autoloss.training import Candidate, EpochReport, batch_size_for

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
        self._ended = EndedTrials()
        self._ended.add(record for record in study.trials if record.state != "running")
        # The sampler learns between populations: a small budget makes smaller ones, not fewer.
        self._round = max(SMALLEST_ROUND, -(-study.budget // ROUNDS))
        self._search_work = study.budget * len(divisions)
        self._final_work = final_work
        self._done = self._ended.count * len(divisions)
        self._is_final = False
        clock.reserve(final_work / (final_work + self._search_work))

    def search(self) -> None:
        """Ask, train and tell until the trials or the time are spent.

        Raises:
            TrainingError: All candidates diverged.
        """
        at_once = max(1, self.executor.together // len(self.divisions))
        if can_race(self):
            RacingSearch(self, size=at_once, learning=self._round).run()
        else:
            self._search_in_rounds()
        if not self._ended.has_learnt and self.clock.is_up and not self._ended.has_diverged:
            raise TrainingError(
                "A search must have time for one epoch of its first trials, but the time was up "
                "before: give it a longer time limit, fewer trials at once or fewer rows."
            )
        if not self._ended.has_learnt:
            raise TrainingError(
                "A search must have one candidate that learns, but all of them diverged: set a "
                "lower lr in the space, and look for columns with extreme numbers."
            )

    def _search_in_rounds(self) -> None:
        """Train populations one after the other."""
        while not self.clock.is_up:
            at_once = max(1, self.executor.together // len(self.divisions))
            trials = self.study.ask(min(at_once, self._round))
            if not trials:
                break
            self.train_and_tell(trials)

    def train_and_tell(self, trials: Sequence[Trial]) -> None:
        """Train trials to their end and tell the study what became of them."""
        pairs = zip(trials, self._train(trials), strict=True)
        self.ended([Ended(trial, found, found.epochs, left=False) for trial, found in pairs])

    def train(
        self,
        divisions: Divisions,
        trials: Sequence[Trial],
        *,
        seeds: Sequence[int] | None = None,
        epochs: Mapping[int, int] | None = None,
        deadline: float | None = None,
        at_once: bool = False,
    ) -> list[Trained]:
        """Train trials on divisions, all of them in the same populations.

        Args:
            divisions: The divisions.
            trials: The trials.
            seeds: Seed of the trainings on each division; by default that of the study.
            epochs: Epochs after which a trial stops, by its number, where it was cut off before.
            deadline: When to stop, on `time.monotonic`'s clock.
            at_once: Whether they are one population, however many there are.
        """
        candidates = self.candidates(divisions, trials, seeds=seeds, epochs=epochs)
        started = time.monotonic()
        outcomes = self.executor.train(
            divisions.jobs, candidates, deadline=deadline, at_once=at_once
        )
        self.clock.training += time.monotonic() - started
        return [Trained.of(outcomes[i :: len(trials)]) for i in range(len(trials))]

    def candidates(
        self,
        divisions: Divisions,
        trials: Sequence[Trial],
        *,
        seeds: Sequence[int] | None = None,
        epochs: Mapping[int, int] | None = None,
    ) -> list[Candidate]:
        """Return the trainings of trials: those on one division after those on another."""
        return [
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

    def begin_final(self) -> None:
        """Say that the search is over and the final trainings begin."""
        self._is_final = True

    def _train(self, trials: Sequence[Trial]) -> list[Trained]:
        return self.train(self.divisions, trials, deadline=self.clock.search_ends)

    def ended(self, ended: Sequence[Ended], *, rungs: Collection[int] = ()) -> None:
        """Tell the study what became of trials.

        Args:
            ended: The trials.
            rungs: Epochs at which trials are compared.
        """
        whole = [one for one in ended if not one.left and one.trained.state != "diverged"]
        records = [
            self.study.fail(
                one.trial,
                "pruned" if one.left and one.trained.state != "diverged" else "diverged",
                seconds=one.trained.seconds,
                curve=one.curve,
                epochs=one.epochs,
                rungs=rungs,
            )
            for one in ended
            if one not in whole
        ]
        if whole:
            records += self.study.tell_many(
                [one.trial for one in whole],
                torch.stack([one.trained.logits for one in whole]),
                self.divisions.targets,
                seconds=[one.trained.seconds for one in whole],
                curves=[one.curve for one in whole],
                stopped=[one.trained.state == "stopped" for one in whole],
                epochs=[one.epochs for one in whole],
                rungs=rungs,
                folds=self.divisions.folds,
                clusters=self.divisions.clusters,
            )
        self._ended.add(records)
        for record in records:
            self.tracker.log_trial(record)

    def halved(self, trials: int) -> None:
        """Take in that the memory holds only so many trials at once."""
        self.executor.together = trials * len(self.divisions)
        self._on_halved(self.executor.together)

    def _on_halved(self, together: int) -> None:
        self.progress.noted(f"The memory was full: {together} candidates train together now.")

    def _on_epoch(self, report: EpochReport) -> None:
        """Tell who watches where the search stands after an epoch of a population."""
        is_over = not report.alive or report.epoch == report.max_epochs
        share = 1.0 if is_over else report.epoch / report.max_epochs
        self._show(self._done + report.candidates * share, report.best_log_loss)
        self._done += report.candidates * is_over

    def show(self, *, done: int, best_log_loss: float) -> None:
        """Tell who watches where a race stands.

        Args:
            done: Epochs of the trials that train, together.
            best_log_loss: The lowest among them, in nats.
        """
        share = done / self.study.space.training.max_epochs
        self._done = self._ended.count * len(self.divisions)
        self._show(self._done + share * len(self.divisions), best_log_loss)

    def _show(self, work: float, best_log_loss: float) -> None:
        ended = self._ended
        fraction = min(work / (self._search_work + self._final_work), 1.0)
        elapsed = self.clock.elapsed
        left = elapsed * (1.0 - fraction) / max(fraction, 1e-9)
        if self.clock.limit is not None:
            left = min(left, max(0.0, self.clock.limit - elapsed))
        best = ended.best
        metric = self.study.metric.name
        self.progress.updated(
            Update(
                phase="final" if self._is_final else "search",
                done=ended.count,
                total=self.study.budget,
                fraction=fraction,
                elapsed=elapsed,
                left=left,
                rate=ended.count / elapsed if elapsed > 0 else 0.0,
                best_label="" if best is None else best.label,
                best_metric=math.nan if best is None else best.metrics.get(metric, math.nan),
                best_log_loss=best_log_loss if best is None else best.metrics[OBJECTIVE],
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
