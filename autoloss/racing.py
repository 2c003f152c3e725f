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

from autoloss.divisions import Trained
from autoloss.losses import get
from autoloss.search import Trial
from autoloss.search.baseline import is_plain_cross_entropy
from autoloss.training import (
    Passage,
    Pool,
    Race,
    Runner,
    empty_device_cache,
    is_out_of_memory,
    rungs,
)

if TYPE_CHECKING:
    from autoloss.records import CurvePoint
    from autoloss.session import SearchSession

REFILL = 3
"""New trials join when at least one in so many places is free: each order costs its own rows."""


@dataclass(frozen=True)
class Ended:
    """What became of a trial.

    Args:
        trial: The trial.
        trained: What its trainings gave.
        epochs: Epochs that it trained.
        left: Whether it left the race.
    """

    trial: Trial
    trained: Trained
    epochs: int
    left: bool

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """Return its learning curve up to where it diverged, if it did."""
        curve = self.trained.curve
        if self.trained.state != "diverged":
            return curve
        return tuple(point for point in curve if point.epoch < self.epochs)


@dataclass
class _Running:
    """A trial that trains: its candidates in the pool, one for each division."""

    trial: Trial
    runner: Runner
    began: int
    candidates: list[int]
    left: bool = field(default=False)


class RacingSearch:
    """Trains the trials of a study in one population that is kept full.

    Args:
        session: The search.
        size: Trials to train at once.
        learning: Trials to train at once where the sampler chooses them, which learns from those
            before; quotas are drawn at random, and the more of a family begin together, the
            sooner it is known which of them fall behind.
    """

    def __init__(self, session: SearchSession, *, size: int, learning: int) -> None:
        self.session = session
        self.size = size
        self.learning = learning
        self.rungs = rungs(session.study.space.training)
        self._race = Race()
        self._running: list[_Running] = []
        self._waiting: list[Trial] = []
        self._new_pool()
        self._recall()

    def run(self) -> None:
        """Ask, train and tell until the trials or the time are spent."""
        while True:
            self._begin()
            if not self._running:
                if not self._waiting and (self.session.study.left == 0 or self._is_up):
                    return
                # What had ended before an interruption still counts as running.
                self.now += 1
                continue
            self._epoch()

    @property
    def _is_up(self) -> bool:
        return self.session.clock.is_up or self.session.study.time_is_up

    def _recall(self) -> None:
        """Take up what the study knows from before."""
        study = self.session.study
        spans = study.spans()
        self._past = [(span.start, span.end) for span in spans if span.end is not None]
        for span in spans:
            runner = _runner(study.trial(span.number))
            for point in span.rungs:
                passed = Passage(runner, self._values(point), span.start + point.epoch)
                self._race.add(point.epoch, passed)
        self._last_ask = max((span.start for span in spans), default=-1)
        self._asked = 1 + max((span.slot for span in spans), default=-1)
        if any(span.is_lost for span in spans) and not self._is_up:
            self._waiting = study.refill(study.budget, start=0)
            self._asked = max(self._asked, *(1 + trial.slot for trial in self._waiting))
        self.now = min((trial.start for trial in self._waiting), default=self._last_ask + 1)

    def _begin(self) -> None:
        """Let those begin whose time has come, and ask new ones where there is room."""
        due = [trial for trial in self._waiting if trial.start <= self.now]
        due = due[: self.size - len(self._running)]
        if due:
            self._waiting = [trial for trial in self._waiting if trial not in due]
            self._join(due)
        if self._waiting or self.now <= self._last_ask or self._is_up:
            return
        busy = len(self._running) + sum(start <= self.now < end for start, end in self._past)
        plan = self.session.study.plan
        fixed = max(0, len(plan.first) + len(plan.then) - self._asked)
        size = self.size if fixed else min(self.size, self.learning)
        room = size - busy
        if room <= 0 or (busy and room < -(-size // REFILL)):
            return
        if trials := self.session.study.refill(min(room, fixed or room), start=self.now):
            self._last_ask = self.now
            self._asked = max(self._asked, *(1 + trial.slot for trial in trials))
            self._join(trials)

    def _join(self, trials: Sequence[Trial]) -> None:
        session = self.session
        started = time.monotonic()
        candidates = session.candidates(session.divisions, trials)
        self._running += [_Running(trial, _runner(trial), self.now, []) for trial in trials]
        with_memory = self._guarded(lambda: self._pool.join(candidates))
        if with_memory is not None:
            for i, one in enumerate(self._running[-len(trials) :]):
                one.candidates = with_memory[i :: len(trials)]
        session.clock.training += time.monotonic() - started

    def _epoch(self) -> None:
        """Train an epoch, let those leave that fell behind, and tell what ended."""
        started = time.monotonic()
        if self._guarded(self._pool.epoch) is None:
            return
        self.session.clock.training += time.monotonic() - started
        self.now += 1
        alive = set(self._pool.alive)
        diverged = [
            one for one in self._running if any(map(self._pool.has_diverged, one.candidates))
        ]
        arrived = [
            one
            for one in self._running
            if self.now - one.began in self.rungs and one not in diverged
        ]
        for one in arrived:
            age = self.now - one.began
            self._race.add(age, Passage(one.runner, self._values(self._at(one, age)), self.now))
        for one in arrived:
            one.left = bool(alive & set(one.candidates)) and self._race.leaves(
                self.now - one.began, one.runner.slot
            )
        gone = [
            one
            for one in self._running
            if one.left or one in diverged or not alive & set(one.candidates)
        ]
        best = self._pool.best
        self._running = [one for one in self._running if one not in gone]
        self._pool.drop([number for one in gone for number in one.candidates])
        self.session.ended([self._ended(one) for one in gone], rungs=self.rungs)
        self.session.show(
            done=sum(self.now - one.began for one in self._running), best_log_loss=best
        )

    def _ended(self, one: _Running) -> Ended:
        trained = Trained.of([self._pool.take(number) for number in one.candidates])
        return Ended(one.trial, trained, self.now - one.began, one.left)

    def _at(self, one: _Running, age: int) -> CurvePoint:
        """Return the mean over its divisions of a trial that came to an age."""
        curves = [self._pool.curve(number) for number in one.candidates]
        return Trained.mean_curve(curves)[age - 1]

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


def _runner(trial: Trial) -> Runner:
    plain = is_plain_cross_entropy(trial.spec.to_dict())
    return Runner(trial.slot, trial.spec.base, trial.origin, plain)
