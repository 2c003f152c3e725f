"""The search as a race: trials that fall behind leave, and new ones take their places at once.

Time is counted in epochs that the search has trained. A trial stores the time when it began, and
at its end its results at each rung. A resumed search trains the lost trials again as if the trials
that had ended still ran beside them, and then asks the same trials as without the interruption.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from autoloss.experiment.held_back import HeldBack
from autoloss.experiment.rounds import train_and_tell
from autoloss.experiment.session import SearchSession, TrainedTrial
from autoloss.experiment.time_plan import FEWEST_TRIALS
from autoloss.losses import get
from autoloss.records import REFINED_LOG_LOSS, CurvePoint, mean_curve
from autoloss.search import Trial
from autoloss.training import (
    Passage,
    Pool,
    Race,
    best_so_far,
    empty_device_cache,
    half,
    if_it_fits,
    rungs,
)
from autoloss.training.divisions import Trained
from autoloss.training.together import usual_together

REFILL = 2
"""New trials join when 1 / `REFILL` of the places are free: each order costs its own rows."""
SMALLEST, SHARE = 4, 8
"""The sampler's proposals train `SMALLEST` at once, or 1 / `SHARE` of the budget. With fewer at
once, the sampler learns more from each, and the best ends sooner."""


@dataclass(eq=False)
class _Running:
    """A trial in training, with one candidate in the pool for each division.

    Args:
        trial: The trial.
        began: Epochs that the search had trained when the trial began.
        rungs: Its values at the rungs so far.
        stays: Whether it trains to its end, whatever its values at the rungs.
        left: Whether it leaves.
        candidates: The numbers of its candidates in the pool.
    """

    trial: Trial
    began: int
    rungs: list[CurvePoint] = field(default_factory=list)
    stays: bool = False
    left: bool = False
    candidates: list[int] = field(default_factory=list)


class RacingSearch:
    """Trains the trials of a study in one population, which trials join and leave.

    The quotas are drawn at random, and begin together so that weak trials leave early. The
    proposals of the sampler begin when the quotas have ended, and learn from them.

    Args:
        session: The search.
        size: The number of trials to train at once.
    """

    def __init__(self, session: SearchSession, *, size: int) -> None:
        self.session = session
        self.size = size
        self.rungs = rungs(session.study.space.training)
        self._race = Race()
        self._held = HeldBack()
        self._running: list[_Running] = []
        self._waiting: list[Trial] = []
        self._is_ending = False
        self._pace = 0.0
        self._new_pool()
        self._recall()

    def run(self) -> None:
        """Ask, train and tell until the trials or the time are spent."""
        study = self.session.study
        while True:
            self._begin()
            if self._running:
                self._epoch()
                continue
            if not self._waiting and (self._is_up or self._is_ending or study.left == 0):
                break
            # Trials that ended before an interruption still count as running.
            self.now += 1
        # There was no time to train the trials that are still held back to their end.
        self.session.tell(self._held.take(len(self._held.trials)))

    @property
    def _is_up(self) -> bool:
        return self.session.clock.is_up or self.session.study.time_is_up

    @property
    def _must_end(self) -> bool:
        """Return whether the trials held back need all the time that is left."""
        ends = self.session.clock.search_ends
        if ends is None or not self._held.trials:
            return False
        return time.monotonic() + self._pace * self.session.study.space.training.max_epochs >= ends

    def _recall(self) -> None:
        """Recall the trials of the study from before an interruption."""
        study = self.session.study
        spans = study.spans()
        self._past = [(span.slot, span.start, span.end) for span in spans if span.end is not None]
        for span in spans:
            for point in span.rungs:
                passed = Passage(span.slot, self._values(point), span.start + point.epoch)
                self._race.add(point.epoch, passed)
        whole = [record.number for record in study.trials if record.state == "complete"]
        self._held.fill(map(study.trial, whole))
        self._last_ask = max((span.start for span in spans), default=-1)
        self._asked = 1 + max((span.slot for span in spans), default=-1)
        if any(span.is_lost for span in spans) and not self._is_up:
            self._waiting = study.refill(study.budget, start=0)
            self._asked = max(self._asked, *(1 + trial.slot for trial in self._waiting))
        self.now = min((trial.start for trial in self._waiting), default=self._last_ask + 1)

    def _begin(self) -> None:
        """Begin the trials that are due, and ask new ones if there is room."""
        places = max(0, self.size - len(self._running))
        due = [trial for trial in self._waiting if trial.start <= self.now][:places]
        if due:
            self._waiting = [trial for trial in self._waiting if trial not in due]
            self._join([_Running(trial, self.now) for trial in due])
        if self._waiting or self._is_up:
            return
        self._is_ending = self._is_ending or self._must_end
        if not self._is_ending and self.now > self._last_ask:
            self._ask()
        if self._is_ending or (not self._running and self.session.study.left == 0):
            held = self._held.take(max(0, self.size - len(self._running)))
            again = [_Running(one.trial, self.now, list(one.report.rungs), True) for one in held]
            if again:
                self._join(again)

    def _ask(self) -> None:
        """Ask new trials if there is room for several."""
        study = self.session.study
        busy = [one.trial.slot for one in self._running]
        busy += [slot for slot, start, end in self._past if start <= self.now < end]
        planned = len(study.plan.first) + len(study.plan.then)
        fixed = max(0, planned - self._asked)
        size = self.size if fixed else min(self.size, max(SMALLEST, study.budget // SHARE))
        room = size - len(busy)
        if room <= 0 or (busy and room < -(-size // REFILL)):
            return
        if not fixed and any(slot < planned for slot in busy):
            return
        if trials := study.refill(min(room, fixed or room), start=self.now):
            self._last_ask = self.now
            self._asked = max(self._asked, *(1 + trial.slot for trial in trials))
            self._join([_Running(trial, self.now) for trial in trials])

    def _join(self, new: Sequence[_Running]) -> None:
        session = self.session
        started = time.monotonic()
        candidates = session.candidates(session.divisions, [one.trial for one in new])
        self._running += new
        numbers = self._guarded(lambda: self._pool.join(candidates))
        if numbers is not None:
            for i, one in enumerate(new):
                one.candidates = numbers[i :: len(new)]
        session.clock.training += time.monotonic() - started

    def _epoch(self) -> None:
        """Train an epoch, remove the trials that fell behind, and tell the trials that ended."""
        started = time.monotonic()
        alive_before = len(self._pool.alive)
        self._pool.deadline = self.session.clock.search_ends
        if self._guarded(self._pool.epoch) is None:
            return
        self._pace = time.monotonic() - started
        self.session.clock.training += self._pace
        self.now += 1
        alive = set(self._pool.alive)
        diverged = [
            one for one in self._running if any(map(self._pool.has_diverged, one.candidates))
        ]
        self._compare([one for one in self._running if one not in diverged], alive)
        gone = [
            one
            for one in self._running
            if one.left or one in diverged or not alive & set(one.candidates)
        ]
        best = self._pool.best
        self._running = [one for one in self._running if one not in gone]
        self._pool.drop([number for one in gone for number in one.candidates])
        ended = [self._ended(one) for one in gone]
        self._held.fill(one.trial for one in ended if one.report.state == "complete")
        pruned = self._held.keep([one for one in ended if one.report.state == "pruned"])
        self.session.tell([one for one in ended if one.report.state != "pruned"] + pruned)
        self.session.raced(
            alive=alive_before,
            done=sum(self.now - one.began for one in self._running),
            seconds=self._pace,
            best_log_loss=best,
        )

    def _compare(self, running: Sequence[_Running], alive: set[int]) -> None:
        """Compare the trials that reached a rung, and mark the ones that leave."""
        arrived = [one for one in running if self.now - one.began in self.rungs and not one.stays]
        for one in arrived:
            age = self.now - one.began
            one.rungs.append(self._at(one, age))
            values = self._values(one.rungs[-1])
            self._race.add(age, Passage(one.trial.slot, values, self.now))
            self.session.study.passed(one.trial, one.rungs[-1])
        for one in arrived:
            goes_on = alive & set(one.candidates)
            one.left = bool(goes_on) and self._race.leaves(self.now - one.began, one.trial.slot)

    def _ended(self, one: _Running) -> TrainedTrial:
        trained = Trained.of([self._pool.take(number) for number in one.candidates])
        report = replace(trained.report, rungs=tuple(one.rungs))
        if one.left:
            report = replace(report, state="pruned")
        return TrainedTrial(one.trial, replace(trained, report=report))

    def _at(self, one: _Running, age: int) -> CurvePoint:
        """Return the point at which a trial is compared: its mean over the divisions so far."""
        points = [best_so_far(self._pool.curve(number), age) for number in one.candidates]
        return mean_curve([[point] for point in points])[0]

    def _values(self, point: CurvePoint) -> tuple[float, ...]:
        """Return the values of the study's objectives, by which trials are compared."""
        known = {REFINED_LOG_LOSS: point.refined_log_loss, "error": point.error}
        return tuple(known[name] for name in self.session.study.space.objectives)

    def _new_pool(self) -> None:
        session = self.session
        self._pool = Pool(session.divisions.jobs, deadline=session.clock.search_ends)

    def _guarded(self, action: Callable[[], list[int]]) -> list[int] | None:
        """Return the result of an action in the pool, or None if the memory was full.

        The search then starts its trials again with half as many at once.
        """
        done = if_it_fits(action)
        if done is not None:
            return done
        self._waiting = [one.trial for one in self._running] + self._waiting
        self._running = []
        self._new_pool()
        empty_device_cache()
        if self.size == 1:
            alone, self._waiting = self._waiting[:1], self._waiting[1:]
            train_and_tell(self.session, alone)
            return None
        self.size = half(self.size)
        self.session.halved(self.size)
        return None


def can_race(session: SearchSession) -> bool:
    """Return whether the trials of a search can be compared before their end.

    It needs learning curves of the study's objectives, and losses that do not read the progress
    of the training, because trials that train together are at different epochs.
    """
    study = session.study
    is_shown = study.space.objectives == (REFINED_LOG_LOSS,) or study.metric.name == "error"
    return (
        study.space.protocol.racing
        and is_shown
        and bool(rungs(study.space.training))
        and not any("progress" in get(base).needs for base in study.families)
    )


def race(session: SearchSession) -> None:
    """Train the trials of a search as a race."""
    # The order in which trials join must not depend on the machine.
    jobs = session.divisions.jobs
    size = (session.study.space.together or usual_together(jobs)) // len(jobs)
    if session.clock.limit is not None:
        size = min(size, max(FEWEST_TRIALS, session.timetable.fitting(size)))
    RacingSearch(session, size=max(1, size)).run()
