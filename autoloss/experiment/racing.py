"""The search as a race: trials that fall behind leave, and new ones take their places at once.

Time is counted in epochs that the search has trained. When a trial began is written with it, and
what it did at each rung when it ends. So a search that was interrupted trains what was lost as if
the others, which had ended, still ran beside it, and goes on to ask what it would have asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoloss.experiment.reserve import Ended, Reserve
from autoloss.losses import get
from autoloss.search import Trial
from autoloss.training import (
    Passage,
    Pool,
    Race,
    best_so_far,
    empty_device_cache,
    is_out_of_memory,
    rungs,
)
from autoloss.training.divisions import Trained

if TYPE_CHECKING:
    from autoloss.experiment.session import SearchSession
    from autoloss.records import CurvePoint

REFILL = 2
"""New trials join when at least one in so many places is free: each order costs its own rows."""
SMALLEST, SHARE = 4, 8
"""Trials that the sampler chooses are trained so many at once, or one in so many of the budget:
the fewer there are, the more each is learnt from, and the sooner the best is at its end."""


@dataclass(eq=False)
class _Running:
    """A trial that trains: its candidates in the pool, one for each division.

    Args:
        trial: The trial.
        began: Epochs that the search had trained when it began.
        passed: What it was compared by, at the rungs so far.
        stays: Whether it is trained to its end, whatever it does.
        left: Whether it leaves.
        candidates: Its candidates' numbers in the pool.
    """

    trial: Trial
    began: int
    passed: list[CurvePoint] = field(default_factory=list)
    stays: bool = False
    left: bool = False
    candidates: list[int] = field(default_factory=list)


class RacingSearch:
    """Trains the trials of a study in one population, which they leave and join.

    Quotas are drawn at random: the more of them begin together, the sooner it is known which fall
    behind. What the sampler chooses begins when they have ended, and learns from them.

    Args:
        session: The search.
        size: Trials to train at once.
    """

    def __init__(self, session: SearchSession, *, size: int) -> None:
        self.session = session
        self.size = size
        self.rungs = rungs(session.study.space.training)
        self._race = Race()
        self._reserve = Reserve()
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
            # What had ended before an interruption still counts as running.
            self.now += 1
        # Those that are still held back had no time to be trained to their end.
        self.session.ended(self._reserve.take(len(self._reserve.held)))

    @property
    def _is_up(self) -> bool:
        return self.session.clock.is_up or self.session.study.time_is_up

    @property
    def _must_end(self) -> bool:
        """Return whether the time that is left is needed by those held back."""
        ends = self.session.clock.search_ends
        if ends is None or not self._reserve.held:
            return False
        return time.monotonic() + self._pace * self.session.study.space.training.max_epochs >= ends

    def _recall(self) -> None:
        """Take up what the study knows from before."""
        study = self.session.study
        spans = study.spans()
        self._past = [(span.slot, span.start, span.end) for span in spans if span.end is not None]
        for span in spans:
            for point in span.rungs:
                passed = Passage(span.slot, self._values(point), span.start + point.epoch)
                self._race.add(point.epoch, passed)
        whole = [record.number for record in study.trials if record.state == "complete"]
        self._reserve.fill(map(study.trial, whole))
        self._last_ask = max((span.start for span in spans), default=-1)
        self._asked = 1 + max((span.slot for span in spans), default=-1)
        if any(span.is_lost for span in spans) and not self._is_up:
            self._waiting = study.refill(study.budget, start=0)
            self._asked = max(self._asked, *(1 + trial.slot for trial in self._waiting))
        self.now = min((trial.start for trial in self._waiting), default=self._last_ask + 1)

    def _begin(self) -> None:
        """Let those begin whose time has come, and ask new ones where there is room."""
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
            held = self._reserve.take(max(0, self.size - len(self._running)))
            again = [_Running(one.trial, self.now, list(one.passed), True) for one in held]
            if again:
                self._join(again)

    def _ask(self) -> None:
        """Ask new trials where there is room for several."""
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
        """Train an epoch, let those leave that fell behind, and tell what ended."""
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
        self._reserve.fill(one.trial for one in ended if one.trained.state == "complete")
        left = self._reserve.keep([one for one in ended if one.left])
        self.session.ended([one for one in ended if not one.left] + left)
        self.session.raced(
            alive=alive_before,
            done=sum(self.now - one.began for one in self._running),
            seconds=self._pace,
            best_log_loss=best,
        )

    def _compare(self, running: Sequence[_Running], alive: set[int]) -> None:
        """Find out who of those that came to a rung leaves."""
        arrived = [one for one in running if self.now - one.began in self.rungs and not one.stays]
        for one in arrived:
            age = self.now - one.began
            one.passed.append(self._at(one, age))
            values = self._values(one.passed[-1])
            self._race.add(age, Passage(one.trial.slot, values, self.now))
            self.session.study.passed(one.trial, one.passed[-1])
        for one in arrived:
            goes_on = alive & set(one.candidates)
            one.left = bool(goes_on) and self._race.leaves(self.now - one.began, one.trial.slot)

    def _ended(self, one: _Running) -> Ended:
        trained = Trained.of([self._pool.take(number) for number in one.candidates])
        return Ended(one.trial, trained, self.now - one.began, one.left, tuple(one.passed))

    def _at(self, one: _Running, age: int) -> CurvePoint:
        """Return what a trial is compared by: the mean over its divisions, as if it ended now."""
        points = [best_so_far(self._pool.curve(number), age) for number in one.candidates]
        return Trained.mean_curve([[point] for point in points])[0]

    def _values(self, point: CurvePoint) -> tuple[float, ...]:
        """Return what trials are compared by: the objectives of the study."""
        known = {"refined_log_loss": point.refined_log_loss, "error": point.error}
        return tuple(known[name] for name in self.session.study.space.objectives)

    def _new_pool(self) -> None:
        session = self.session
        self._pool = Pool(session.divisions.jobs, deadline=session.clock.search_ends)

    def _guarded(self, action: Callable[[], list[int]]) -> list[int] | None:
        """Return what an action in the pool gives; None where the memory was full.

        Everything then begins anew with half as many at once.
        """
        try:
            return action()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler: the error's traceback would hold what filled the memory.
        self._waiting = [one.trial for one in self._running] + self._waiting
        self._running = []
        self._new_pool()
        empty_device_cache()
        if self.size == 1:
            alone, self._waiting = self._waiting[:1], self._waiting[1:]
            self.session.train_and_tell(alone)
            return None
        self.size = (self.size + 1) // 2
        self.session.halved(self.size)
        return None


def can_race(session: SearchSession) -> bool:
    """Return whether trials of a search can be compared before their end.

    That is where curves show what the study is about, and where losses do not read how far the
    training is, which is not the same for all that train together.
    """
    study = session.study
    is_shown = study.space.objectives == ("refined_log_loss",) or study.metric.name == "error"
    return (
        study.space.protocol.racing
        and is_shown
        and bool(rungs(study.space.training))
        and not any("progress" in get(base).needs for base in study.families)
    )
