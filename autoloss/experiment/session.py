"""The session of a search: trains its trials, tells the study, and keeps the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from autoloss.core.clock import Clock
from autoloss.core.interrupts import finishing
from autoloss.data import Fold
from autoloss.executors import Executor, ProcessExecutor, Work, executor_of
from autoloss.experiment.ahead import Ahead, load_ahead
from autoloss.experiment.finals import Finals
from autoloss.experiment.ood_trials import StrangerTrials
from autoloss.experiment.open_search import OpenSearch
from autoloss.experiment.standing import Standing, TrialTally, still_ours
from autoloss.experiment.timetable import Timetable
from autoloss.records import TrainingReport
from autoloss.report.words import count_text
from autoloss.search import Study, Trial
from autoloss.search.telling import Measure
from autoloss.training import Candidate, EpochReport, Spare
from autoloss.training.divisions import Divisions, Trained


@dataclass(frozen=True, eq=False)
class TrainedTrial:
    """A trial whose training has ended.

    Args:
        trial: The trial.
        trained: The result of its training on all divisions.
    """

    trial: Trial
    trained: Trained

    @property
    def report(self) -> TrainingReport:
        """Return how its training went."""
        return self.trained.report


POLL_SECONDS = 1.0
"""Seconds between two looks at the trials of other processes."""


class SearchSession:
    """Trains the trials of a study.

    Args:
        opened: The study with everything that its search needs.
        divisions: The divisions on which trials are compared.
        timetable: The plan of the time.
        together: Candidates to train together.
        divide: Makes the same divisions again, with a teacher that has learnt since.

    Attributes:
        standing: The trials that ended, and the progress that is shown.
        executor: Trains the candidates.
        finals: The training runs after the search; until the search has ended, as planned.
        notes: A sentence for each thing that was cut or left out for lack of time.
        strangers: Computes the figures of trials for OOD rows.
        teachers_of: The trials that teach an outer fold, by the key of the fold.
        waiting: Called after every epoch while other processes train, without a time limit.
    """

    def __init__(
        self,
        opened: OpenSearch,
        divisions: Divisions,
        timetable: Timetable,
        *,
        together: int,
        divide: Callable[[], Divisions],
    ) -> None:
        study = opened.study
        self.opened = opened
        self.divisions = divisions
        self.timetable = timetable
        self._divide = divide
        self._is_teaching = False
        self.teachers_of: dict[bytes, tuple[int, ...]] = {}
        self.finals: Finals = timetable.plan.finals
        self.notes: list[str] = []
        self.strangers = StrangerTrials(opened.strangers, opened.data, study.space.objectives)
        self.waiting: list[Callable[[], object]] = []
        replicates = timetable.asked.finals.replicates
        self._folds = Ahead(lambda: opened.data.replicates(replicates, seed=study.seed))
        self.standing = Standing(
            opened.progress, timetable, budget=study.budget, metric=study.metric.name
        )
        # A trial that was lost with its process has no end, and is trained again.
        self.tally.add(record for record in study.trials if record.ended)
        self.executor = self._executor(together)
        timetable.expect(trials=self._expected_trials, finals=self.finals)

    def _executor(self, together: int) -> Executor:
        return executor_of(
            self.opened.crew,
            together=together,
            on_epoch=self._on_epoch,
            on_halved=self._on_halved,
            on_local=lambda why: self.opened.progress.detailed(
                f"Candidates train in this process, because others cannot read their data: {why}."
            ),
        )

    @property
    def study(self) -> Study:
        """Return the study."""
        return self.opened.study

    @property
    def clock(self) -> Clock:
        """Return the clock of the search."""
        return self.opened.clock

    @property
    def tally(self) -> TrialTally:
        """Return the trials that ended."""
        return self.standing.tally

    def final_folds(self) -> tuple[Fold, ...]:
        """Return the divisions of the final training runs."""
        if self.finals.replicates == self.timetable.asked.finals.replicates:
            return self._folds.result()
        return self.opened.data.replicates(self.finals.replicates, seed=self.study.seed)

    @property
    def _expected_trials(self) -> int:
        """Return the number of trials that the search still expects to train in time."""
        if self.clock.limit is None:
            return self.study.left
        return min(self.study.left, max(0, self.timetable.plan.trials - self.tally.count))

    def search(self, strategy: Strategy) -> None:
        """Ask, train and tell until the trials or the time are spent.

        Trials that other processes train for the same study are awaited.

        Args:
            strategy: Asks, trains and tells: a race or rounds.
        """
        strategy(self)
        while self.await_others():
            strategy(self)

    def end_search(self) -> None:
        """Note the trials that the time limit cut off, and check that some candidate has learnt.

        Raises:
            InputError: The time was up before any candidate had learnt.
            TrainingError: All candidates diverged.
        """
        # With the trials of other processes.
        self.standing.tally = TrialTally()
        self.tally.add(record for record in self.study.trials if record.ended)
        self._note_cut_trials()
        self.tally.check(is_up=self.clock.is_up)

    def await_others(self) -> bool:
        """Wait for the trials of other processes; return whether some were lost with theirs.

        Without the time to train them again, trials are not awaited, and none is where another
        process has begun to conclude.
        """
        study, left, is_told = self.study, self.study.left, False
        while count := study.elsewhere:
            ends = self.clock.search_ends
            if ends is not None and time.monotonic() + POLL_SECONDS > ends:
                break
            if study.conclusion.holder is not None:
                break
            if not is_told:
                trains = count_text(count, "trial")
                self.opened.progress.noted(f"Waiting for {trains} of other processes.")
                is_told = True
            time.sleep(POLL_SECONDS)
            study.reap()
            if study.left > left:
                return True
        return False

    def train(
        self,
        divisions: Divisions,
        trials: Sequence[Trial],
        *,
        seeds: Mapping[int, Sequence[int]] | None = None,
        epochs: Mapping[int, int] | None = None,
        schedules: Mapping[int, int] | None = None,
        deadline: float | None = None,
        at_once: bool = False,
        needs_weights: bool = True,
        spare: Spare | None = None,
    ) -> list[Trained]:
        """Train all trials on all divisions in the same populations.

        Args:
            divisions: The divisions.
            trials: The trials.
            seeds: By number of the trial, its seed on each division; by default the study's.
            epochs: By number of the trial, the epoch at which it was cut off before.
            schedules: By number of the trial, the epochs of its schedule, if not the study's.
            deadline: When to stop, on `time.monotonic`'s clock.
            at_once: Whether all trials form one population.
            needs_weights: Whether the best weights are needed.
            spare: Called after every epoch; names the candidates that stop.
        """
        candidates = self._candidates(divisions, trials, seeds, epochs or {}, schedules or {})
        started = time.monotonic()
        self.timetable.begin()
        work = Work(
            divisions.jobs,
            tuple(candidates),
            seconds=None if deadline is None else deadline - started,
            at_once=at_once,
            needs_weights=needs_weights,
        )
        outcomes = {one.place: one.outcome for one in self.executor.submit(work, spare=spare)}
        self.clock.training += time.monotonic() - started
        count = len(trials)
        return [
            Trained.of([outcomes[place] for place in range(i, len(candidates), count)])
            for i in range(count)
        ]

    def train_teachers(
        self, divisions: Divisions, trials: Sequence[Trial], seeds: Mapping[int, Sequence[int]]
    ) -> list[Trained]:
        """Train trials as teachers, whose epochs tell nothing of the search's pace."""
        is_searching = self.standing.phase == "search"
        self._is_teaching = True
        try:
            return self.train(
                divisions,
                trials,
                seeds=seeds,
                deadline=self.timetable.deadline(0) if is_searching else None,
                at_once=True,
            )
        finally:
            self._is_teaching = False

    def begin_late(self) -> None:
        """Let the study's teacher learn, and give its logits to the trials that follow."""
        self.divisions = self._divide()
        self.timetable.has_taught()

    def _candidates(
        self,
        divisions: Divisions,
        trials: Sequence[Trial],
        seeds: Mapping[int, Sequence[int]] | None,
        epochs: Mapping[int, int],
        schedules: Mapping[int, int],
    ) -> list[Candidate]:
        """Return the training runs of trials, one division after another."""
        return [
            Candidate(
                trial.spec,
                lr=trial.lr,
                weight_decay=trial.weight_decay,
                dropout=trial.dropout,
                seed=trial.seed if seeds is None else seeds[trial.number][fold],
                epochs=epochs.get(trial.number),
                schedule=schedules.get(trial.number),
                fold=fold,
            )
            for fold in range(len(divisions))
            for trial in trials
        ]

    def note(self, text: str) -> None:
        """Report that something was cut or left out, now and in the report."""
        self.notes.append(text)
        self.opened.progress.noted(text)

    def begin_final(self) -> None:
        """Report the end of the search, and choose the final training runs that fit the time."""
        self.standing.phase = "final"
        self.finals = self.timetable.finals(
            ended=self.tally.count,
            picked=lambda families: len(self.study.pick_finalists(families)),
        )
        asked = self.timetable.asked.finals
        less = asked.finalists > self.finals.finalists
        if less or self.finals.replicates < asked.replicates:
            families = f"{self.finals.finalists} families"
            if not self.finals.finalists:
                families = "cross-entropy and the best other loss alone"
            self.note(
                f"The time limit allows final training runs of {families}, "
                f"{self.finals.replicates} of each finalist instead of {asked.replicates}."
            )
        self.study.fit_finalists(self.finals.finalists)

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

    def _note_cut_trials(self) -> None:
        """Note the trials that the time limit has cut off."""
        cut = self.tally.cut
        if not cut:
            return
        epochs = sorted(set(cut))
        at = f"epoch {epochs[0]}" if len(epochs) == 1 else f"epochs {epochs[0]} to {epochs[-1]}"
        self.note(
            f"Cut off: {count_text(len(cut), 'trial')} at {at} of {self.timetable.plan.epochs}."
        )

    @finishing()
    def tell(self, trained: Sequence[TrainedTrial]) -> None:
        """Tell the study the results of trials; an interrupt waits, so that it keeps them."""
        started = time.monotonic()
        held = still_ours(self.study, [one.trial for one in trained], self.opened.progress)
        trained = [one for one in trained if one.trial.number in held]
        scored = [one for one in trained if one.report.has_model]
        records = [
            self.study.fail(one.trial, report=one.report)
            for one in trained
            if not one.report.has_model
        ]
        if scored:
            trials = [one.trial for one in scored]
            figures = self.strangers.figures(
                self.divisions,
                [trial.spec for trial in trials],
                [one.trained for one in scored],
            )
            records += self.study.tell_many(
                trials,
                torch.stack([one.trained.logits for one in scored]),
                self.divisions.targets,
                reports=[one.report for one in scored],
                folds=self.divisions.folds,
                clusters=self.divisions.clusters,
                figures=figures,
                row_costs=self.divisions.row_costs,
                measure=self._measuring(scored),
            )
        self.tally.add(records)
        for record in records:
            self.opened.tracker.log_trial(record)
        self.timetable.told([one.report for one in trained], time.monotonic() - started)

    @property
    def needs_weights(self) -> bool:
        """Return whether trials must keep their weights, because models are judged."""
        return bool(self.study.metrics_of_models) or self.strangers.are_compared

    def _measuring(self, scored: Sequence[TrainedTrial]) -> Measure | None:
        """Return the function that measures the metrics of models; None without any."""
        if not self.study.metrics_of_models:
            return None
        folds = self.opened.data.folds
        return lambda k, readout: self.opened.figures(folds, scored[k].trained.outcomes, readout)

    def _on_halved(self, together: int) -> None:
        self.opened.progress.noted(
            f"The memory was full: {together} candidates train together now."
        )

    def _on_epoch(self, report: EpochReport) -> None:
        """Report the progress of the search after an epoch of a population."""
        if isinstance(self.executor, ProcessExecutor):
            # This process only waits.
            load_ahead()
            for begin in self.waiting if self.clock.limit is None else ():
                begin()
        if not self._is_teaching:
            self.timetable.saw(report)
        self.standing.show(report.best_log_loss)


Strategy = Callable[[SearchSession], None]
"""A way to ask, train and tell the trials of a search."""
