"""One search: asks, trains and tells until the budget is spent."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from autoloss.clock import Clock
from autoloss.divisions import Divisions, Trained
from autoloss.ended import OBJECTIVE, EndedTrials
from autoloss.errors import TrainingError
from autoloss.estimate import expected_seconds
from autoloss.executors import LocalExecutor
from autoloss.progress import Progress
from autoloss.racing import RacingSearch, can_race
from autoloss.records import TrialRecord, Update
from autoloss.reserve import Ended
from autoloss.search import Study, Trial
from autoloss.tracking import Tracking
from autoloss.training import Candidate, EpochReport
from autoloss.training.together import choose_together, usual_together

ROUNDS, MOST_ROUNDS = 4, 32
"""Rounds of a small budget, and of a large one."""
SMALLEST_ROUND, USUAL_ROUND, LARGEST_ROUND = 8, 32, 256


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

    Attributes:
        planned_trials: Trials that the time limit allows, at most the budget of the study.
        planned_epochs: Epochs that the space asks for; a short limit allows fewer.
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
        self._ended = EndedTrials()
        self._ended.add(record for record in study.trials if record.state != "running")
        self._round = round_size(study.budget)
        self._fixed = len(study.plan.first) + len(study.plan.then)
        chosen = choose_together(
            divisions.jobs,
            study.space.together,
            at_most=max(self._round, self._fixed) * len(divisions),
        )
        progress.detailed(chosen.text)
        self.executor = LocalExecutor(
            together=chosen.candidates, on_epoch=self._on_epoch, on_halved=self._on_halved
        )
        self._search_work = study.budget * len(divisions)
        self._final_work = final_work
        self._done = self._ended.count * len(divisions)
        self._is_final = False
        clock.reserve(final_work / (final_work + self._search_work))
        self.planned_trials = study.budget
        self.planned_epochs = study.space.training.max_epochs

    @functools.cached_property
    def seconds_for_all(self) -> float | None:
        """Return the time limit that lets the whole plan run; None where none is set."""
        if self.clock.limit is None:
            return None
        trainings = self._search_work + self._final_work
        return expected_seconds(
            self.divisions, together=self.executor.together, trainings=trainings
        )

    def search(self) -> None:
        """Ask, train and tell until the trials or the time are spent.

        Raises:
            TrainingError: All candidates diverged.
        """
        if can_race(self):
            # Who joins when must not depend on what the machine can do.
            jobs = self.divisions.jobs
            size = (self.study.space.together or usual_together(jobs)) // len(jobs)
            RacingSearch(self, size=max(1, size)).run()
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
            trials = self.study.ask(self._wanted())
            if not trials:
                break
            while trials:
                n = even_part(len(trials), self._at_once)
                self.train_and_tell(trials[:n])
                trials = trials[n:]

    @property
    def _at_once(self) -> int:
        """Return how many trials are one population."""
        return max(1, self.executor.together // len(self.divisions))

    def _wanted(self) -> int:
        """Return how many trials to ask: where the sampler learns, a number that is the study's.

        What it proposes depends on which trials were told before. A quota is drawn at random and
        may be asked as the machine likes it; and so may be all where the time is limited, lest
        trials are asked that nobody trains.
        """
        left = self._fixed - (self.study.budget - self.study.left)
        if left > 0:
            return even_part(left, self._at_once)
        return self._round if self.clock.limit is None else min(self._round, self._at_once)

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

    def ended(self, ended: Sequence[Ended]) -> None:
        """Tell the study what became of trials."""
        whole = [one for one in ended if not one.left and one.trained.state != "diverged"]
        records = [
            self.study.fail(
                one.trial,
                "pruned" if one.left and one.trained.state != "diverged" else "diverged",
                seconds=one.trained.seconds,
                curve=one.curve,
                epochs=one.epochs,
                rungs=one.passed,
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
                rungs=[one.passed for one in whole],
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


def round_size(budget: int) -> int:
    """Return how many trials the sampler is asked at once; it learns between rounds.

    A small budget makes smaller rounds, a large one larger rounds, neither of them fewer.

    Examples:
        >>> [round_size(budget) for budget in (16, 64, 128, 1000, 4000, 10_000)]
        [8, 16, 32, 32, 125, 256]
    """
    few = min(-(-budget // ROUNDS), USUAL_ROUND)
    return min(max(few, -(-budget // MOST_ROUNDS), SMALLEST_ROUND), LARGEST_ROUND)


def even_part(total: int, most: int) -> int:
    """Return the size of the first of the fewest parts, as equal as can be, of at most so many.

    Examples:
        >>> even_part(68, 32), even_part(9, 100)
        (23, 9)
    """
    return -(-total // -(-total // most))


def epochs_of(record: TrialRecord) -> int | None:
    """Return the epoch after which a trial was cut off; None where it was not."""
    return record.curve[-1].epoch if record.state == "stopped" else None
