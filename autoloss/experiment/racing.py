"""A search whose trials race: at each rung the best third continues, and the others leave.

With `[protocol] racing` a race saves time. Under a time limit it lets the search try many trials,
although only few have the time to reach the end of their schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from autoloss.core.errors import AutolossError
from autoloss.experiment.rounds import at_once, even_part, quota_left
from autoloss.experiment.session import SearchSession, TrainedTrial
from autoloss.experiment.teaching import border, must_teach, note_if_untaught, teach
from autoloss.experiment.time_plan import FEWEST_TRIALS, LEAST_FINALISTS
from autoloss.losses import LossSpec
from autoloss.records import REFINED_LOG_LOSS, CurvePoint, mean_curve
from autoloss.search import Trial
from autoloss.training import EpochReport, Passage, Race
from autoloss.training.divisions import Trained
from autoloss.training.together import usual_together

SMALLEST, SHARE = 4, 8
"""The sampler proposes `SMALLEST` trials at once, or 1 / `SHARE` of the budget. With fewer at
once, it learns more from each, and the best ends sooner."""
TUNED, DEFAULT, OTHER = "tuned cross-entropy", "default cross-entropy", "another loss"


@dataclass(eq=False)
class _Wave:
    """Trials that train together and are compared with each other and with earlier waves.

    Args:
        trials: The trials.
        passed: The best epoch so far of each at the rungs that it reached.
        left: The age at which a trial left, by its place.
    """

    trials: Sequence[Trial]
    passed: list[list[CurvePoint]] = field(default_factory=list)
    left: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.passed = [[] for _ in self.trials]

    def ended(self, place: int, trained: Trained) -> TrainedTrial:
        """Return a trial with the result of its training."""
        report = replace(trained.report, rungs=tuple(self.passed[place]))
        if (age := self.left.get(place)) is not None:
            # Another process may have begun a further epoch before it heard of the rung.
            curve = tuple(point for point in report.curve if point.epoch <= age)
            report = replace(report, state="pruned", curve=curve, epochs=age)
        return TrainedTrial(self.trials[place], replace(trained, report=report))


class RacingSearch:
    """Trains the trials of a study in waves.

    The best trial of each side of the verdict always continues, and default cross-entropy. Without
    a time limit the best of each family does too; with one, the best of the fewest families that
    are trained again.

    Args:
        session: The search.
        size: The most trials of a wave; None for as many as a population has.
    """

    def __init__(self, session: SearchSession, *, size: int | None = None) -> None:
        self.session = session
        self._size = size
        self._is_limited = session.clock.limit is not None
        study = session.study
        self._families = LEAST_FINALISTS if self._is_limited else len(study.families)
        self._race = Race()
        for one in study.ascents():
            for point in one.rungs:
                self._add(study.trial(one.number), point)

    def run(self) -> None:
        """Ask, train and tell until the trials or the time are spent."""
        session = self.session
        while wanted := self._wanted():
            if must_teach(session):
                wanted = self._wanted() if teach(session) else 0
            if not wanted:
                break
            if trials := session.study.ask(wanted, until=border(session)):
                self._train(_Wave(trials))
            elif not must_teach(session):
                break
        note_if_untaught(session)

    def _train(self, wave: _Wave) -> None:
        session, trials = self.session, wave.trials
        trained = session.train(
            session.divisions,
            trials,
            deadline=session.timetable.deadline(0 if session.tally.count else len(trials)),
            at_once=True,
            needs_weights=session.needs_weights,
            spare=lambda report, alive: self._leaving(wave, report, alive),
        )
        session.tell([wave.ended(place, one) for place, one in enumerate(trained)])

    def _wanted(self) -> int:
        """Return the number of trials of the next wave.

        Without a limit it depends on the study alone: the sampler learns from earlier waves, and
        trials are compared within a wave.
        """
        session, study = self.session, self.session.study
        most = at_once(session)
        size = most if self._size is None else self._size
        if (left := quota_left(study)) > 0:
            count = even_part(left, size)
        else:
            count = min(size, max(SMALLEST, study.budget // SHARE))
        if not self._is_limited:
            return count
        ended, timetable = session.tally.count, session.timetable
        if study.left == study.budget:
            count = min(count, timetable.first(most))
        timetable.keep_time(ended=ended, finalists=self._finalists())
        fitting = timetable.fitting(min(count, most))
        # However short the time is, the verdict needs a few trials.
        return fitting if ended else max(fitting, FEWEST_TRIALS)

    def _finalists(self) -> int | None:
        """Return the number of finalists if the search ended now; None if it cannot end."""
        try:
            return len(self.session.study.pick_finalists())
        except AutolossError:
            return None

    def _leaving(self, wave: _Wave, report: EpochReport, alive: Sequence[int]) -> list[int]:
        """Return the candidates of a wave that stop after an epoch."""
        session, count = self.session, len(wave.trials)
        is_whole = len(report.points) == count * len(session.divisions)
        if report.epoch not in session.timetable.plan.rungs or not is_whole:
            # Where the memory was full, a part of the wave trains alone, and nobody leaves.
            return []
        training = {place % count for place in alive}
        known = {place: report.points[place::count] for place in training}
        for place, points in known.items():
            own = [point for point in points if point is not None]
            if len(own) == len(points):
                point = replace(mean_curve([[one] for one in own])[0], epoch=report.epoch)
                wave.passed[place].append(point)
                self._add(wave.trials[place], point)
        staying = self._staying(report.epoch, wave.trials[0].wave)
        gone = {place for place in training if wave.trials[place].slot not in staying}
        # A trial that diverged leaves too, but did not pass.
        passed = [place for place in gone if None not in known[place]]
        wave.left.update(dict.fromkeys(passed, report.epoch))
        return [place for place in alive if place % count in gone]

    def _staying(self, age: int, wave: int) -> set[int]:
        """Return the slots of a wave that continue after a rung."""
        needed = self._race.leading(age, wave, families=self._families)
        best = self._race.staying(age, wave)
        every = list(dict.fromkeys([*needed, *best]))
        if not self._is_limited:
            return set(every)
        most = self.session.timetable.keeping(len(every), age=age)
        return set(every[: max(most, len(needed))])

    def _add(self, trial: Trial, point: CurvePoint) -> None:
        """Record a trial at a rung, with the values of the study's objectives."""
        study = self.session.study
        known = {REFINED_LOG_LOSS: point.refined_log_loss}
        if study.metric.name == "error":
            known["error"] = point.error
        values = tuple(known[name] for name in study.space.objectives if name in known)
        passage = Passage(
            trial.slot,
            values or (point.refined_log_loss,),
            trial.wave,
            trial.spec.base,
            roles_of(trial),
        )
        self._race.add(point.epoch, passage)


def roles_of(trial: Trial) -> frozenset[str]:
    """Return the roles that the verdict could need a trial for, besides its family."""
    if trial.spec != LossSpec():
        return frozenset({OTHER})
    return frozenset({TUNED, DEFAULT} if trial.origin == "default" else {TUNED})


def can_race(session: SearchSession) -> bool:
    """Return whether the trials of a search race: under a time limit, or if the space says so.

    Without a limit it needs learning curves of the study's objectives.
    """
    study = session.study
    if session.clock.limit is not None:
        return True
    is_shown = study.space.objectives == (REFINED_LOG_LOSS,) or study.metric.name == "error"
    return study.space.protocol.racing and is_shown and bool(session.timetable.plan.rungs)


def race(session: SearchSession) -> None:
    """Train the trials of a search as a race."""
    size = None
    if session.clock.limit is None:
        # The trials that are compared must not depend on the machine.
        jobs = session.divisions.jobs
        size = max(1, (session.study.space.together or usual_together(jobs)) // len(jobs))
    RacingSearch(session, size=size).run()
