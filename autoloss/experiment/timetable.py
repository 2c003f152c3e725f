"""The timetable of a search: planned before the first training run, followed to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from autoloss.core.clock import Clock
from autoloss.core.errors import InputError
from autoloss.experiment.finals import Finals
from autoloss.experiment.forecast import Forecast
from autoloss.experiment.limit_text import allowed_text, race_text
from autoloss.experiment.time_plan import (
    FEWEST_TRIALS,
    LEAST_TRIALS,
    TimePlan,
    Workload,
    most,
)
from autoloss.records import TrainingReport
from autoloss.report.words import duration_text
from autoloss.training import EpochReport
from autoloss.training.estimate import EpochCosts

FIRST_SECONDS, FIRST_COST = 30.0, 0.03
"""Seconds within which a first model should be ready, and the share of the search that this may
cost."""
SLACK = 0.1
"""Share that is added to the expected time of a whole plan."""
HOPELESS, GRACE = 2.0, 3.0
"""A limit is refused if the smallest search takes this many times as long plus these seconds."""
TOLERANCE = 1.1
"""A running population may be expected to take this many times the time left."""
LAST_RESORT = 0.5
"""Share of the time of the smallest final training runs below which survivors are cut off."""
FITTING = 0.9
"""Share of the time left that a population may be expected to take."""


class Timetable:
    """Follows a plan: the trials that fit, the end of the search, the time left.

    Args:
        workload: The requested work and its cost.
        clock: The clock of the search.
        after: Seconds that follow the last training run.
        reference: Seconds of gradient boosting.
        before: The planned trials and epochs of a study that is resumed.

    Attributes:
        plan: The trials, epochs and final training runs that the time allows, as planned at the
            start.
        forecast: The work that is left.

    Raises:
        InputError: The limit is too short for the smallest search.
    """

    def __init__(
        self,
        workload: Workload,
        clock: Clock,
        *,
        after: float,
        reference: float = 0.0,
        before: tuple[int, int] | None = None,
    ) -> None:
        self.asked = workload
        self.clock = clock
        self.reference = reference
        self.after = after + reference
        self.started = clock.elapsed
        # Seconds that the study's own trials will take to teach, until they have.
        self.teaching = 0.0
        self.plan = self._planned() if before is None else self._again(*before)
        self.forecast = Forecast(
            EpochCosts(workload.once, workload.each),
            self.plan.epochs,
            workload.together,
            used=workload.used,
            after=self.after,
        )
        self.expect(trials=workload.trials, finals=self.plan.finals)
        self.keep_time(ended=self.plan.trials - 1)
        self._mark = time.monotonic()

    def _planned(self) -> TimePlan:
        left, work = self.clock.left, self.asked
        self.teaching = work.first_teaching_seconds(work.epochs)
        if left is None:
            return work.whole()
        plan = work.within(left - self.after - self.teaching)
        if self.teaching and plan.epochs < work.epochs:
            self.teaching = work.first_teaching_seconds(plan.epochs)
            plan = work.within(left - self.after - self.teaching)
        limit = self.clock.limit or 0.0
        needed = self.clock.elapsed + self.after + self.teaching + plan.seconds
        if needed > HOPELESS * limit + GRACE:
            raise InputError(
                f"A time limit must leave time for {plan.trials} trials of one epoch and their "
                f"verdict, about {duration_text(round(needed))} here, but got "
                f"time_limit={limit:g}: give a longer limit or fewer rows."
            )
        return plan

    def _again(self, trials: int, epochs: int) -> TimePlan:
        """Return the plan of a resumed study, which keeps its trials and epochs."""
        left, work = self.clock.left, self.asked
        self.teaching = work.first_teaching_seconds(epochs)
        finals = work.bounded(work.finals, trials=trials)
        at = work.rungs(epochs) if work.racing or left is not None else ()
        searching = work.search_seconds(trials, epochs, at)
        if left is not None:
            time_left = left - self.after - self.teaching - searching
            finals = work.finals_within(time_left, trials=trials, epochs=epochs)
        seconds = searching + work.final_seconds(finals, epochs)
        return TimePlan(trials, epochs, finals, seconds, at)

    @property
    def _now(self) -> Workload:
        """Return the workload with the costs of epochs and trials seen so far."""
        pace = self.forecast.pace
        return replace(
            self.asked,
            once=pace * self.asked.once,
            each=pace * self.asked.each,
            predicted=pace * self.asked.predicted,
            used=self.forecast.share_used,
            per_trial=self.forecast.per_training * self.asked.divisions,
        )

    @property
    def seconds_for_all(self) -> float | None:
        """Return the time limit that lets the whole plan run; None where none is set."""
        if self.clock.limit is None:
            return None
        work = self._now
        seconds = work.whole().seconds + work.first_teaching_seconds(work.epochs)
        return self.started + self.after + (1.0 + SLACK) * seconds

    def allowed(self, dropped: tuple[str, ...]) -> str:
        """Describe the work that fits into the limit; empty without a limit.

        Args:
            dropped: Families that are not trained.
        """
        if self.clock.limit is None:
            return ""
        return allowed_text(self.clock.limit, self.asked, self.plan, dropped)

    @property
    def race(self) -> str:
        """Return a sentence on a race without a limit; empty if all trials run to their end."""
        is_shown = self.clock.limit is None and self.plan.rungs
        return race_text(self.plan.rungs) if is_shown else ""

    @property
    def reference_by(self) -> float | None:
        """Return the time by which gradient boosting must have ended; None without a limit."""
        ends = self.clock.ends
        return None if ends is None else ends - (self.after - self.reference)

    def expect(self, *, trials: int, finals: Finals) -> None:
        """Update the expected number of trials and the final training runs."""
        work, plan = self.asked, self.plan
        outer = finals.outer_trials * finals.repeats * work.outer_folds
        epochs = work.trained_epochs(trials, plan.epochs, plan.rungs)
        whole = work.trained_epochs(trials, plan.epochs)
        share = epochs / whole if whole else 1.0
        self.forecast.plan("search", trials * work.divisions, share=share)
        self.forecast.plan("final", finals.trainings, size=work.final_size)
        self.forecast.plan("outer", outer, size=work.outer_size)
        taught = self.teaching + work.teaching_seconds(finals, plan.epochs)
        self.forecast.after = self.after + finals.judged * work.predicted + taught

    def keep_time(self, *, ended: int, finalists: int | None = None) -> None:
        """Reserve the time of the final training runs at the end, at the pace so far.

        While few trials have ended, the time of the smallest is reserved; after the planned
        trials that of all that were asked for, so that these come before further trials.

        Args:
            ended: Trials that ended.
            finalists: Finalists if the search ended now; None for the most.
        """
        if self.clock.limit is None:
            return
        work, plan = self._now, self.plan
        enough = ended >= min(LEAST_TRIALS, plan.trials)
        finals = plan.finals if enough else work.smallest(plan.trials)
        if ended >= plan.trials:
            finals = work.bounded(work.finals, trials=ended)
            if finalists is not None:
                finals = replace(finals, more=finalists - finals.finalists)
        self.clock.reserved = self.after + self.teaching + work.final_seconds(finals, plan.epochs)

    def fitting(self, at_most: int) -> int:
        """Return the number of trials that can train to their end before the search must end."""
        ends = self.clock.search_ends
        if ends is None:
            return at_most
        seconds = FITTING * (ends - time.monotonic())
        work = self._now
        plan = self.plan
        return most(at_most, seconds, lambda n: work.search_seconds(n, plan.epochs, plan.rungs))

    def keeping(self, trials: int, *, age: int) -> int:
        """Return the number of trials of a running population that can train to their end.

        Args:
            trials: The number of trials that are to continue.
            age: Epochs that they have trained.
        """
        ends = self.clock.search_ends
        if ends is None:
            return trials
        work, plan, seconds = self._now, self.plan, ends - time.monotonic()

        def needed(count: int) -> float:
            return work.rest_seconds(count, plan.epochs, plan.rungs, age=age)

        if needed(trials) <= TOLERANCE * seconds:
            return trials
        return max(most(trials, seconds, needed), min(trials, FEWEST_TRIALS))

    def deadline(self, trials: int) -> float | None:
        """Return when a population that begins now is cut off at the latest; None for never.

        It takes time from the final training runs if the machine becomes slower, but leaves
        `LAST_RESORT` of the smallest. If no trial has ended, it has its expected time.

        Args:
            trials: The trials of the population, if it is the first; 0 for any other.
        """
        ends = self.clock.ends
        if ends is None:
            return None
        work, plan = self._now, self.plan
        smallest = work.final_seconds(work.smallest(plan.trials), plan.epochs)
        last = ends - self.after - LAST_RESORT * smallest
        own = (1.0 + SLACK) * work.search_seconds(trials, plan.epochs, plan.rungs)
        return max(last, time.monotonic() + own)

    def first(self, at_most: int) -> int:
        """Return the size of the first population, so that a first model is ready early."""
        work, epochs, at = self.asked, self.plan.epochs, self.plan.rungs
        seconds = FIRST_SECONDS - self.clock.elapsed
        count = most(at_most, seconds, lambda n: work.search_seconds(n, epochs, at))
        is_cheap = epochs * work.once <= FIRST_COST * self.plan.seconds
        return max(1, count) if is_cheap else at_most

    def finals(self, *, ended: int, picked: Callable[[int], int] | None = None) -> Finals:
        """Return the final training runs that fit into the time after the search.

        Args:
            ended: Trials that ended.
            picked: Returns the number of finalists by the number of families; by default the most.
        """
        left, work = self.clock.left, self._now
        if left is None:
            found = work.bounded(work.finals, trials=ended)
        else:
            found = work.finals_within(
                left - self.after, trials=ended, epochs=self.plan.epochs, picked=picked
            )
        self.expect(trials=0, finals=found)
        self.forecast.enter("final")
        return found

    def refit_seconds(self, members: int, epochs: int, *, share: float) -> float:
        """Return the expected seconds of the last training run on all rows.

        Args:
            members: Training runs.
            epochs: The most epochs of any of them.
            share: The rows relative to the rows of a final training run.
        """
        work = replace(self._now, used=1.0)
        return work.population_seconds(members, epochs=epochs, size=share * work.final_size)

    def teaching_seconds(self, share: float) -> float:
        """Return the expected seconds that a teacher learns for a division.

        Args:
            share: Its rows relative to the rows of a final training run.
        """
        work = self._now
        return work.taught_seconds(self.plan.epochs) * share * work.final_size

    def has_taught(self) -> None:
        """Note that the study's own trials have taught."""
        self.teaching = 0.0

    def leave_teacher(self) -> None:
        """Plan the rest without a teacher, because no training run needs it."""
        self.asked = replace(self.asked, taught=0.0, teachers=0)

    def outer(self, finals: Finals, *, trials: int) -> Finals:
        """Return the repeats and trials of the outer folds that fit into the time.

        Args:
            finals: The final training runs chosen after the search.
            trials: The number of trials that every outer fold could train.
        """
        left, work = self.clock.left, self._now
        if left is None:
            found = work.bounded(replace(finals, outer_trials=trials), trials=trials)
        else:
            found = work.outer_within(
                left - self.after, trials=trials, finals=finals, epochs=self.plan.epochs
            )
        self.expect(trials=0, finals=found)
        self.forecast.enter("outer")
        return found

    def told(self, reports: Sequence[TrainingReport], seconds: float) -> None:
        """Learn from trials that ended, and from the seconds that telling them took."""
        self.forecast.told(len(reports) * self.asked.divisions, seconds)
        self.forecast.ended(one.epochs for one in reports if one.state == "complete")

    def begin(self) -> None:
        """Note that a population begins now."""
        self._mark = time.monotonic()

    def saw(self, report: EpochReport) -> None:
        """Learn from an epoch that just ended."""
        now = time.monotonic()
        self.forecast.saw(report, now - self._mark)
        self._mark = now

    @property
    def left(self) -> float:
        """Return the expected seconds that are left, at most the limit."""
        left, limited = self.forecast.left, self.clock.left
        if limited is None:
            return left
        # While there are trials to train, a search uses all of its time.
        uses_all = self.forecast.is_searching and self.plan.trials < self.asked.trials
        return max(0.0, limited if uses_all else min(left, limited))
