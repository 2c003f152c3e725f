"""The search in rounds: populations train one after the other, and the sampler learns between."""

from __future__ import annotations

import time
from collections.abc import Sequence

from autoloss.experiment.session import SearchSession, TrainedTrial
from autoloss.experiment.time_plan import FEWEST_TRIALS
from autoloss.search import Trial
from autoloss.training import EpochReport
from autoloss.training.divisions import Trained

ROUNDS, MOST_ROUNDS = 4, 32
"""The number of rounds of a small budget, and of a large one."""
SMALLEST_ROUND, USUAL_ROUND, LARGEST_ROUND = 8, 32, 256


def search_in_rounds(session: SearchSession) -> None:
    """Train populations one after the other."""
    while (wanted := _wanted(session)) > 0:
        trials = session.study.ask(wanted)
        if not trials:
            break
        while trials:
            n = even_part(len(trials), _at_once(session))
            train_and_tell(session, trials[:n])
            trials = trials[n:]


def train_and_tell(session: SearchSession, trials: Sequence[Trial]) -> None:
    """Train trials to their end and tell the study their results."""
    session.tell(list(map(TrainedTrial, trials, _trained(session, trials))))


def _at_once(session: SearchSession) -> int:
    """Return the number of trials in a population."""
    return max(1, session.executor.together // len(session.divisions))


def _wanted(session: SearchSession) -> int:
    """Return the number of trials to ask.

    The proposals of the sampler depend on the trials that were told before, so their number
    depends on the study alone. Trials of a quota are drawn at random, and their number may
    depend on the machine. Under a time limit every number may, so that no trial is asked in
    vain.
    """
    study, timetable, at_once = session.study, session.timetable, _at_once(session)
    planned = len(study.plan.first) + len(study.plan.then)
    left = planned - (study.budget - study.left)
    is_limited = session.clock.limit is not None
    count = round_size(study.budget)
    if is_limited:
        count = min(count, at_once)
    if left > 0:
        count = even_part(left, at_once)
        if study.left == study.budget:
            count = min(count, timetable.first(at_once))
    if not is_limited:
        return count
    ended = session.tally.count
    timetable.keep_time(ended=ended)
    fitting = timetable.fitting(count)
    # However short the time is, the verdict needs a few trials.
    return fitting if ended else max(fitting, FEWEST_TRIALS)


def _trained(session: SearchSession, trials: Sequence[Trial]) -> list[Trained]:
    """Train trials on all divisions until the search must end."""
    timetable, divisions = session.timetable, session.divisions
    deadline = session.clock.search_ends
    if deadline is None:
        return session.train(divisions, trials, needs_weights=False)
    if not session.tally.count:
        # The first trials train whatever the limit, because the verdict needs some.
        deadline = max(deadline, time.monotonic() + timetable.least_seconds(len(trials)))

    def spare(report: EpochReport, alive: Sequence[int]) -> list[int]:
        if report.candidates != len(trials) * len(divisions):
            return []
        running = sorted({place % len(trials) for place in alive})
        timetable.keep_time(ended=session.tally.count)
        kept = running[: timetable.keeping(report, trials=len(running))]
        return [place for place in alive if place % len(trials) not in kept]

    return session.train(divisions, trials, deadline=deadline, needs_weights=False, spare=spare)


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
