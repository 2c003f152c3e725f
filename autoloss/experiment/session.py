"""Runs one search: asks, trains and tells until the budget is spent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from autoloss.core.errors import InputError, TrainingError
from autoloss.executors import LocalExecutor
from autoloss.experiment.ended import EndedTrials
from autoloss.experiment.held_back import TrainedTrial
from autoloss.experiment.progress import Progress
from autoloss.experiment.time_plan import FEWEST_TRIALS, Finals
from autoloss.experiment.timetable import RACE_USED, Timetable
from autoloss.records import REFINED_LOG_LOSS, TrialRecord, Update
from autoloss.report.words import count_text
from autoloss.search import Study, Trial
from autoloss.tracking import Tracking
from autoloss.training import Candidate, EpochReport, Spare
from autoloss.training.divisions import Divisions, Trained

ROUNDS, MOST_ROUNDS = 4, 32
"""The number of rounds of a small budget, and of a large one."""
MOST_SHOWN = 0.99
"""The largest share of the work that is reported as done while any work is left."""
SMALLEST_ROUND, USUAL_ROUND, LARGEST_ROUND = 8, 32, 256


class SearchSession:
    """Trains the trials of a study.

    Args:
        study: The study, new or opened again.
        divisions: The divisions on which trials are compared.
        together: Candidates to train together.
        timetable: The plan of the time.
        tracker: Where the trials are shown.
        progress: Receives the progress.
        teacher: Logits of a teacher for the rows of the table, ``(rows, C)``; None for none.

    Attributes:
        planned_trials: Trials that the time limit allows, at most the budget of the study.
        planned_epochs: Epochs that the space asks for; a short limit allows fewer.
        finals: The trainings after the search; until the search has ended, as planned.
        notes: A sentence for each thing that was cut or left out for lack of time.
    """

    def __init__(
        self,
        study: Study,
        divisions: Divisions,
        *,
        together: int,
        timetable: Timetable,
        tracker: Tracking,
        progress: Progress,
        teacher: Tensor | None = None,
    ) -> None:
        self.study = study
        self.divisions = divisions
        self.teacher = teacher
        self.tracker = tracker
        self.progress = progress
        self.timetable = timetable
        self.clock = timetable.clock
        self.finals: Finals = timetable.plan.finals
        self.planned_trials = timetable.plan.trials
        self.planned_epochs = timetable.asked.epochs
        self.notes: list[str] = []
        self._ended = EndedTrials()
        self._ended.add(record for record in study.trials if record.state != "running")
        self._round = round_size(study.budget)
        self._fixed = len(study.plan.first) + len(study.plan.then)
        self.executor = LocalExecutor(
            together=together, on_epoch=self._on_epoch, on_halved=self._on_halved
        )
        self._is_final = False
        self._fraction = 0.0
        timetable.expect(trials=self._expected_trials, finals=self.finals)

    @property
    def seconds_for_all(self) -> float | None:
        """Return the time limit that lets the whole plan run; None where none is set."""
        return self.timetable.seconds_for_all

    @property
    def _expected_trials(self) -> int:
        """Return the number of trials that the search still expects to train in time."""
        if self.clock.limit is None:
            return self.study.left
        return min(self.study.left, max(0, self.planned_trials - self._ended.count))

    def search(self, strategy: Strategy) -> None:
        """Ask, train and tell until the trials or the time are spent.

        Args:
            strategy: Asks, trains and tells, as `search_in_rounds` does.

        Raises:
            InputError: The time was up before any candidate had learnt.
            TrainingError: All candidates diverged.
        """
        strategy(self)
        self._note_what_was_cut()
        if not self._ended.has_learnt and self.clock.is_up and not self._ended.has_diverged:
            raise InputError(
                "A search must have time for one epoch of its first trials, but the time was up "
                "before: give it a longer time limit, fewer trials at once or fewer rows."
            )
        if not self._ended.has_learnt:
            raise TrainingError(
                "A search must have one candidate that learns, but all of them diverged: set a "
                "lower lr in the space, and look for columns with extreme numbers."
            )

    def search_in_rounds(self) -> None:
        """Train populations one after the other."""
        while (wanted := self._wanted()) > 0:
            trials = self.study.ask(wanted)
            if not trials:
                break
            while trials:
                n = even_part(len(trials), self._at_once)
                self.train_and_tell(trials[:n])
                trials = trials[n:]

    @property
    def _at_once(self) -> int:
        """Return the number of trials in a population."""
        return max(1, self.executor.together // len(self.divisions))

    def _wanted(self) -> int:
        """Return the number of trials to ask.

        The proposals of the sampler depend on the trials that were told before, so their number
        depends on the study alone. Trials of a quota are drawn at random, and their number may
        depend on the machine. Under a time limit every number may, so that no trial is asked in
        vain.
        """
        left = self._fixed - (self.study.budget - self.study.left)
        is_limited = self.clock.limit is not None
        wanted = min(self._round, self._at_once) if is_limited else self._round
        if left > 0:
            wanted = even_part(left, self._at_once)
            if self.study.left == self.study.budget:
                wanted = min(wanted, self.timetable.first(self._at_once))
        if not is_limited:
            return wanted
        self.timetable.keep_time(ended=self._ended.count)
        fitting = self.timetable.fitting(wanted)
        # However short the time is, the verdict needs a few trials.
        return fitting if self._ended.count else max(fitting, FEWEST_TRIALS)

    def train_and_tell(self, trials: Sequence[Trial]) -> None:
        """Train trials to their end and tell the study their results."""
        self.tell(list(map(TrainedTrial, trials, self._train(trials))))

    def train(
        self,
        divisions: Divisions,
        trials: Sequence[Trial],
        *,
        seeds: Sequence[int] | None = None,
        epochs: Mapping[int, int] | None = None,
        deadline: float | None = None,
        at_once: bool = False,
        spare: Spare | None = None,
    ) -> list[Trained]:
        """Train all trials on all divisions in the same populations.

        Args:
            divisions: The divisions.
            trials: The trials.
            seeds: Seed of the trainings on each division; by default that of the study.
            epochs: By number of the trial, the epoch at which it was cut off before.
            deadline: When to stop, on `time.monotonic`'s clock.
            at_once: Whether all trials form one population.
            spare: Called after every epoch; names the candidates that stop.
        """
        candidates = self.candidates(divisions, trials, seeds=seeds, epochs=epochs)
        started = time.monotonic()
        self.timetable.begin()
        outcomes = self.executor.train(
            divisions.jobs, candidates, deadline=deadline, at_once=at_once, spare=spare
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
        """Return the trainings of trials, one division after another."""
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

    def note(self, text: str) -> None:
        """Report that something was cut or left out, now and in the report."""
        self.notes.append(text)
        self.progress.noted(text)

    def begin_final(self) -> None:
        """Report the end of the search, and choose the final trainings that fit into the time."""
        self._is_final = True
        self.finals = self.timetable.finals(ended=self._ended.count)
        asked = self.study.space.protocol
        less = min(asked.finalists, len(self.study.families)) > self.finals.finalists
        if less or self.finals.replicates < asked.replicates:
            self.note(
                f"The time limit allows final trainings of {self.finals.finalists} families, "
                f"{self.finals.replicates} of each finalist instead of {asked.replicates}."
            )
        self.study.fit_finals(self.finals.finalists, self.finals.replicates)

    def begin_outer(self, trials: int) -> Finals:
        """Choose the outer folds that fit into the time.

        Args:
            trials: The number of trials that each fold could train.

        Returns:
            The repeats and the trials of each fold.
        """
        asked = self.finals
        self.finals = self.timetable.outer(asked, trials=trials)
        if self.clock.limit is not None:
            repeats, each = self.study.space.protocol.outer_repeats, self.finals.outer_trials
            if self.finals.repeats < repeats or each < trials:
                self.note(
                    f"The time limit allows {self.finals.repeats} of {repeats} nested "
                    f"cross-validations, with {each} of {trials} trials in every outer fold."
                )
        return self.finals

    def _note_what_was_cut(self) -> None:
        """Note the trials that the time limit has cut off."""
        cut = self._ended.cut
        if not cut:
            return
        epochs = sorted(set(cut))
        at = f"epoch {epochs[0]}" if len(epochs) == 1 else f"epochs {epochs[0]} to {epochs[-1]}"
        self.note(
            f"Cut off: {count_text(len(cut), 'trial')} at {at} of {self.timetable.plan.epochs}."
        )

    def _train(self, trials: Sequence[Trial]) -> list[Trained]:
        deadline = self.clock.search_ends
        if deadline is None:
            return self.train(self.divisions, trials)
        if not self._ended.count:
            # The first trials train whatever the limit, because the verdict needs some.
            deadline = max(deadline, time.monotonic() + self.timetable.least_seconds(len(trials)))

        def spare(report: EpochReport, alive: Sequence[int]) -> list[int]:
            if report.candidates != len(trials) * len(self.divisions):
                return []
            running = sorted({place % len(trials) for place in alive})
            self.timetable.keep_time(ended=self._ended.count)
            kept = running[: self.timetable.keeping(report, trials=len(running))]
            return [place for place in alive if place % len(trials) not in kept]

        return self.train(self.divisions, trials, deadline=deadline, spare=spare)

    def tell(self, trained: Sequence[TrainedTrial]) -> None:
        """Tell the study the results of trials."""
        started = time.monotonic()
        scored = [one for one in trained if one.report.has_model]
        records = [
            self.study.fail(one.trial, report=one.report)
            for one in trained
            if not one.report.has_model
        ]
        if scored:
            records += self.study.tell_many(
                [one.trial for one in scored],
                torch.stack([one.trained.logits for one in scored]),
                self.divisions.targets,
                reports=[one.report for one in scored],
                folds=self.divisions.folds,
                clusters=self.divisions.clusters,
            )
        self._ended.add(records)
        for record in records:
            self.tracker.log_trial(record)
        self.timetable.told(len(records), time.monotonic() - started)

    def halved(self, trials: int) -> None:
        """Lower the number of trials that train together to what the memory holds."""
        self.executor.together = trials * len(self.divisions)
        self._on_halved(self.executor.together)

    def _on_halved(self, together: int) -> None:
        self.progress.noted(f"The memory was full: {together} candidates train together now.")

    def _on_epoch(self, report: EpochReport) -> None:
        """Report the progress of the search after an epoch of a population."""
        self.timetable.saw(report)
        self._show(report.best_log_loss)

    def raced(self, *, alive: int, done: int, seconds: float, best_log_loss: float) -> None:
        """Report the progress of a race.

        Args:
            alive: Candidates that trained in the last epoch.
            done: The sum of the epochs of all training trials.
            seconds: The seconds of the last epoch.
            best_log_loss: The lowest log loss among the training trials, in nats.
        """
        left = self._expected_trials * self.study.space.training.max_epochs * RACE_USED - done
        self.timetable.raced(alive, left * len(self.divisions), seconds)
        self.timetable.keep_time(ended=self._ended.count)
        self._show(best_log_loss)

    def _show(self, best_log_loss: float) -> None:
        ended = self._ended
        elapsed, left = self.clock.elapsed, self.timetable.left
        # The estimate of the remaining work may grow, but the bar must not move back.
        fraction = min(elapsed / max(elapsed + left, 1e-9), MOST_SHOWN)
        self._fraction = max(self._fraction, fraction)
        best = ended.best
        metric = self.study.metric.name
        self.progress.updated(
            Update(
                phase="final" if self._is_final else "search",
                done=ended.count,
                total=self.study.budget,
                fraction=self._fraction,
                elapsed=elapsed,
                left=left,
                rate=ended.count / elapsed if elapsed > 0 else 0.0,
                best_label="" if best is None else best.label,
                best_metric=math.nan if best is None else best.metrics.get(metric, math.nan),
                best_log_loss=best_log_loss if best is None else best.metrics[REFINED_LOG_LOSS],
            )
        )


Strategy = Callable[[SearchSession], None]
"""How the trials of a search are asked, trained and told."""


def round_size(budget: int) -> int:
    """Return how many trials to ask of the sampler at once; it learns between rounds.

    A small budget makes smaller rounds, a large one larger rounds, neither of them fewer.

    Examples:
        >>> [round_size(budget) for budget in (16, 64, 128, 1000, 4000, 10_000)]
        [8, 16, 32, 32, 125, 256]
    """
    few = min(-(-budget // ROUNDS), USUAL_ROUND)
    return min(max(few, -(-budget // MOST_ROUNDS), SMALLEST_ROUND), LARGEST_ROUND)


def even_part(total: int, most: int) -> int:
    """Return the largest part of an even division of `total` into the fewest parts up to `most`.

    Examples:
        >>> even_part(68, 32), even_part(9, 100)
        (23, 9)
    """
    return -(-total // -(-total // most))


def epochs_of(record: TrialRecord) -> int | None:
    """Return the epoch after which a trial was cut off, or None if it was not."""
    return record.curve[-1].epoch if record.state == "stopped" else None
