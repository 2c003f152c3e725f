"""What a search does with its time: planned before the first training, followed to the end."""

from __future__ import annotations

import time
from dataclasses import replace

from autoloss.core.clock import Clock
from autoloss.core.errors import TrainingError
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
"""Seconds within which a first model stands where it can, and the share of the search that this
may cost."""
SLACK = 0.1
"""What is added to the time that all of a plan is expected to need."""
HOPELESS, GRACE = 2.0, 3.0
"""A limit is refused where the least takes so many times as long, and seconds more."""
TOLERANCE = 1.1
"""How much longer than the time left a running population may seem to take."""
SETTLING = 5
"""Epochs of a population after which its pace is believed: much else begins with the first."""
FITTING = 0.9
"""Share of the time left that a population may be expected to take."""
RACE_USED = 0.35
"""Share of the epochs that the trials of a race use."""


class Timetable:
    """Follows a plan: how many trials fit, when the search ends, what is left.

    Args:
        workload: What was asked, and what it costs.
        clock: The time.
        after: Seconds that follow the last training.
        beside: Seconds, besides, of the model of another kind.
        before: What was planned when the study began, where it goes on: trials and epochs.

    Attributes:
        plan: What the time allows, as it was planned before the first training.
        forecast: What is left.

    Raises:
        TrainingError: The limit is too short for the smallest search.
    """

    def __init__(
        self,
        workload: Workload,
        clock: Clock,
        *,
        after: float,
        beside: float = 0.0,
        before: tuple[int, int] | None = None,
    ) -> None:
        self.asked = workload
        self.clock = clock
        self.beside = beside
        self.after = after + beside
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
            raise TrainingError(
                f"A time limit must leave time for {plan.trials} trials of one epoch and their "
                f"verdict, about {duration_text(round(needed))} here, but got "
                f"time_limit={limit:g}: give a longer limit or fewer rows."
            )
        return plan

    def _again(self, trials: int, epochs: int) -> TimePlan:
        """Return the plan of a study that goes on: its trials and epochs stay what they were."""
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
        """Return the workload with what epochs and trials have cost so far."""
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
        """Return what the limit allows, in words; empty without a limit.

        Args:
            dropped: Families that are not trained.
        """
        if self.clock.limit is None:
            return ""
        return allowed_text(self.clock.limit, self.asked, self.plan, dropped)

    @property
    def begin_by(self) -> float | None:
        """Return when what stands beside the verdict must have ended; None without a limit."""
        ends = self.clock.ends
        return None if ends is None else ends - (self.after - self.beside)

    def expect(self, *, trials: int, finals: Finals) -> None:
        """Take in how many trials are still to be trained, and what follows them."""
        work = self.asked
        outer = finals.outer_trials * finals.repeats * work.outer_folds
        self.forecast.plan("search", trials * work.divisions)
        self.forecast.plan("final", finals.trainings, size=work.final_size)
        self.forecast.plan("outer", outer, size=work.outer_size)

    def keep_time(self, *, ended: int) -> None:
        """Keep the time at the end that the final trainings need, at the pace so far.

        Args:
            ended: Trials that ended; while they are too few, the least is kept.
        """
        if self.clock.limit is None:
            return
        work, plan = self._now, self.plan
        enough = ended >= min(LEAST_TRIALS, plan.trials)
        finals = plan.finals if enough else work.smallest(plan.trials)
        self.clock.reserved = self.after + work.final_seconds(finals, plan.epochs)

    def fitting(self, at_most: int) -> int:
        """Return how many trials can be trained to their end before the search must end."""
        ends = self.clock.search_ends
        if ends is None:
            return at_most
        seconds = FITTING * (ends - time.monotonic())
        work = self._now
        return most(at_most, seconds, lambda n: work.search_seconds(n, self.plan.epochs))

    def keeping(self, report: EpochReport, *, trials: int) -> int:
        """Return how many trials of a running population can be trained to their end.

        Args:
            report: Where the population stands.
            trials: How many of them train.
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
        """Return the seconds that a population may take whatever the limit, when it is the first.

        Only one of the fewest trials may: others are cut off.
        """
        if trials > FEWEST_TRIALS:
            return 0.0
        return (1.0 + SLACK) * self._now.search_seconds(trials, self.plan.epochs)

    def first(self, at_most: int) -> int:
        """Return the trials of the first population, so that a first model stands early."""
        work, epochs = self.asked, self.plan.epochs
        seconds = FIRST_SECONDS - self.clock.elapsed
        count = most(at_most, seconds, lambda n: work.search_seconds(n, epochs))
        is_cheap = epochs * work.once <= FIRST_COST * self.plan.seconds
        return max(1, count) if is_cheap else at_most

    def finals(self, *, ended: int) -> Finals:
        """Return the final trainings for which there is time when the search has ended."""
        left, work = self.clock.left, self._now
        if left is None:
            found = work.bounded(work.finals, trials=ended)
        else:
            found = work.finals_within(left - self.after, trials=ended, epochs=self.plan.epochs)
        self.expect(trials=0, finals=found)
        self.forecast.enter("final")
        return found

    def outer(self, finals: Finals, *, trials: int) -> Finals:
        """Return the repeats and trials of the outer folds for which there is time.

        Args:
            finals: What was decided when the search had ended.
            trials: Trials that could be trained in every outer fold.
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
        """Learn from what telling trials has cost."""
        self.forecast.told(trials * self.asked.divisions, seconds)

    def begin(self) -> None:
        """Take in that a population begins now."""
        self._mark = time.monotonic()

    def saw(self, report: EpochReport) -> None:
        """Learn from an epoch that ended now."""
        now = time.monotonic()
        self.forecast.saw(report, now - self._mark)
        self._mark = now

    def raced(self, alive: int, left: float, seconds: float) -> None:
        """Learn from an epoch of a race.

        Args:
            alive: Candidates that trained.
            left: Epochs of candidates that are left, at a guess.
            seconds: What the epoch took.
        """
        self.forecast.saw_epoch(alive, seconds)
        self.forecast.raced(alive=alive, left=max(0.0, left))

    @property
    def left(self) -> float:
        """Return the seconds that are left, within the limit."""
        left, limited = self.forecast.left, self.clock.left
        if limited is None:
            return left
        # While there are trials to try, a search goes on as long as it may.
        uses_all = self.forecast.is_searching and self.plan.trials < self.asked.trials
        return max(0.0, limited if uses_all else min(left, limited))


def allowed_text(limit: float, asked: Workload, plan: TimePlan, dropped: tuple[str, ...]) -> str:
    """Return what a limit allows, in words.

    Args:
        limit: The limit in seconds.
        asked: What the search was asked to do.
        plan: What the limit allows.
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
