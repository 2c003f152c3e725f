"""The timetable of a search: planned before the first training, followed to the end."""

from __future__ import annotations

import time
from dataclasses import replace

from autoloss.core.clock import Clock
from autoloss.core.errors import InputError
from autoloss.experiment.forecast import STAYING, Forecast
from autoloss.experiment.time_plan import (
    FEWEST_TRIALS,
    LEAST_TRIALS,
    Finals,
    TimePlan,
    Workload,
    most,
)
from autoloss.report.words import duration_text, listed
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
SETTLING = 5
"""Epochs after which the pace of a population is trusted: the first epochs include set-up."""
FITTING = 0.9
"""Share of the time left that a population may be expected to take."""
RACE_USED = 0.35
"""Share of the epochs that the trials of a race use."""


class Timetable:
    """Follows a plan: the trials that fit, the end of the search, the time left.

    Args:
        workload: The requested work and its cost.
        clock: The clock of the search.
        after: Seconds that follow the last training.
        reference: Seconds of gradient boosting.
        before: The planned trials and epochs of a study that is resumed.

    Attributes:
        plan: The trials, epochs and final trainings that the time allows, as planned at the start.
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
        self.plan = self._planned() if before is None else self._again(*before)
        self.forecast = Forecast(
            EpochCosts(workload.once, workload.each),
            self.plan.epochs,
            workload.together,
            used=workload.used,
            after=self.after,
        )
        self.expect(trials=workload.trials, finals=self.plan.finals)
        self.keep_time(ended=workload.trials)
        self._mark = time.monotonic()

    def _planned(self) -> TimePlan:
        left = self.clock.left
        if left is None:
            return self.asked.whole()
        plan = self.asked.within(left - self.after)
        limit = self.clock.limit or 0.0
        needed = self.clock.elapsed + self.after + plan.seconds
        if needed > HOPELESS * limit + GRACE:
            raise InputError(
                f"A time limit must leave time for {plan.trials} trials of one epoch and their "
                f"verdict, about {duration_text(round(needed))} here, but got "
                f"time_limit={limit:g}: give a longer limit or fewer rows."
            )
        return plan

    def _again(self, trials: int, epochs: int) -> TimePlan:
        """Return the plan of a resumed study, which keeps its trials and epochs."""
        left = self.clock.left
        finals = self.asked.bounded(self.asked.finals, trials=trials)
        searching = self.asked.search_seconds(trials, epochs)
        if left is not None:
            time_left = left - self.after - searching
            finals = self.asked.finals_within(time_left, trials=trials, epochs=epochs)
        seconds = searching + self.asked.final_seconds(finals, epochs)
        return TimePlan(trials, epochs, finals, seconds)

    @property
    def _now(self) -> Workload:
        """Return the workload with the costs of epochs and trials seen so far."""
        pace = self.forecast.pace
        return replace(
            self.asked,
            once=pace * self.asked.once,
            each=pace * self.asked.each,
            used=self.forecast.share_used,
            per_trial=self.forecast.per_training * self.asked.divisions,
        )

    @property
    def seconds_for_all(self) -> float | None:
        """Return the time limit that lets the whole plan run; None where none is set."""
        if self.clock.limit is None:
            return None
        return self.started + self.after + (1.0 + SLACK) * self._now.whole().seconds

    def allowed(self, dropped: tuple[str, ...]) -> str:
        """Describe the work that fits into the limit; empty without a limit.

        Args:
            dropped: Families that are not trained.
        """
        if self.clock.limit is None:
            return ""
        return allowed_text(self.clock.limit, self.asked, self.plan, dropped)

    @property
    def reference_by(self) -> float | None:
        """Return the time by which gradient boosting must have ended; None without a limit."""
        ends = self.clock.ends
        return None if ends is None else ends - (self.after - self.reference)

    def expect(self, *, trials: int, finals: Finals) -> None:
        """Update the expected number of trials and the final trainings."""
        work = self.asked
        outer = finals.outer_trials * finals.repeats * work.outer_folds
        self.forecast.plan("search", trials * work.divisions)
        self.forecast.plan("final", finals.trainings, size=work.final_size)
        self.forecast.plan("outer", outer, size=work.outer_size)

    def keep_time(self, *, ended: int) -> None:
        """Reserve the time of the final trainings at the end, at the pace so far.

        Args:
            ended: Trials that ended; while they are few, the smallest time is reserved.
        """
        if self.clock.limit is None:
            return
        work, plan = self._now, self.plan
        enough = ended >= min(LEAST_TRIALS, plan.trials)
        finals = plan.finals if enough else work.smallest(plan.trials)
        self.clock.reserved = self.after + work.final_seconds(finals, plan.epochs)

    def fitting(self, at_most: int) -> int:
        """Return how many trials can train to their end before the search must end."""
        ends = self.clock.search_ends
        if ends is None:
            return at_most
        seconds = FITTING * (ends - time.monotonic())
        work = self._now
        return most(at_most, seconds, lambda n: work.search_seconds(n, self.plan.epochs))

    def keeping(self, report: EpochReport, *, trials: int) -> int:
        """Return how many trials of a running population can train to their end.

        Args:
            report: The progress of the population.
            trials: The number of its trials that train.
        """
        ends = self.clock.search_ends
        if ends is None or report.epoch <= min(SETTLING, report.max_epochs // 3):
            return trials
        work, each = self._now, report.alive / max(trials, 1)
        epochs = report.max_epochs - report.epoch
        seconds = ends - time.monotonic()

        def needed(count: float) -> float:
            return epochs * (work.once + STAYING * work.each * each * count)

        if needed(trials) <= TOLERANCE * seconds:
            return trials
        return max(most(trials, seconds, needed), min(trials, FEWEST_TRIALS))

    def least_seconds(self, trials: int) -> float:
        """Return the seconds that the first population may take whatever the limit.

        This holds only for a population of the fewest trials; others are cut off.
        """
        if trials > FEWEST_TRIALS:
            return 0.0
        return (1.0 + SLACK) * self._now.search_seconds(trials, self.plan.epochs)

    def first(self, at_most: int) -> int:
        """Return the size of the first population, so that a first model is ready early."""
        work, epochs = self.asked, self.plan.epochs
        seconds = FIRST_SECONDS - self.clock.elapsed
        count = most(at_most, seconds, lambda n: work.search_seconds(n, epochs))
        is_cheap = epochs * work.once <= FIRST_COST * self.plan.seconds
        return max(1, count) if is_cheap else at_most

    def finals(self, *, ended: int) -> Finals:
        """Return the final trainings that fit into the time after the search."""
        left, work = self.clock.left, self._now
        if left is None:
            found = work.bounded(work.finals, trials=ended)
        else:
            found = work.finals_within(left - self.after, trials=ended, epochs=self.plan.epochs)
        self.expect(trials=0, finals=found)
        self.forecast.enter("final")
        return found

    def refit_seconds(self, members: int, epochs: int, *, share: float) -> float:
        """Return the expected seconds of the last training on all rows.

        Args:
            members: Trainings.
            epochs: The most epochs of any of them.
            share: The rows relative to those of a final training.
        """
        work = replace(self._now, used=1.0)
        return work.population_seconds(members, epochs=epochs, size=share * work.final_size)

    def outer(self, finals: Finals, *, trials: int) -> Finals:
        """Return the repeats and trials of the outer folds that fit into the time.

        Args:
            finals: The final trainings chosen after the search.
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

    def told(self, trials: int, seconds: float) -> None:
        """Learn from the seconds that telling trials took."""
        self.forecast.told(trials * self.asked.divisions, seconds)

    def begin(self) -> None:
        """Note that a population begins now."""
        self._mark = time.monotonic()

    def saw(self, report: EpochReport) -> None:
        """Learn from an epoch that just ended."""
        now = time.monotonic()
        self.forecast.saw(report, now - self._mark)
        self._mark = now

    def raced(self, alive: int, left: float, seconds: float) -> None:
        """Learn from an epoch of a race.

        Args:
            alive: Candidates that trained.
            left: The estimated epochs of candidates that are left.
            seconds: The seconds of the epoch.
        """
        self.forecast.saw_epoch(alive, seconds)
        self.forecast.raced(alive=alive, left=max(0.0, left))

    @property
    def left(self) -> float:
        """Return the expected seconds that are left, at most those of the limit."""
        left, limited = self.forecast.left, self.clock.left
        if limited is None:
            return left
        # While there are trials to train, a search uses all of its time.
        uses_all = self.forecast.is_searching and self.plan.trials < self.asked.trials
        return max(0.0, limited if uses_all else min(left, limited))


def allowed_text(limit: float, asked: Workload, plan: TimePlan, dropped: tuple[str, ...]) -> str:
    """Describe the trials, epochs and final trainings that a limit allows.

    Args:
        limit: The limit in seconds.
        asked: The requested work.
        plan: The plan within the limit.
        dropped: Families that are not trained.
    """
    trials = (
        f"all {asked.trials}"
        if plan.trials == asked.trials
        else (f"about {plan.trials} of {asked.trials}")
    )
    epochs = f"{plan.epochs} of {asked.epochs}" if plan.epochs < asked.epochs else f"{plan.epochs}"
    text = f"{duration_text(limit)} allow {trials} trials at {epochs} epochs"
    if plan.finals.trainings < asked.finals.trainings:
        text += f", and {plan.finals.replicates} trainings of each finalist"
    if plan.finals.repeats < asked.finals.repeats:
        text += f", and {plan.finals.repeats} of {asked.finals.repeats} nested cross-validations"
    return f"{text}; not trained: {listed(dropped)}" if dropped else text
