"""The search in rounds: populations train one after the other, and the sampler learns between."""

from __future__ import annotations

from collections.abc import Sequence

from autoloss.experiment.session import SearchSession, TrainedTrial
from autoloss.experiment.teaching import border, must_teach, teach
from autoloss.search import Study, Trial

ROUNDS, MOST_ROUNDS = 4, 32
"""The number of rounds of a small and of a large budget."""
SMALLEST_ROUND, USUAL_ROUND, LARGEST_ROUND = 8, 32, 256


def search_in_rounds(session: SearchSession) -> None:
    """Train populations one after the other."""
    study = session.study
    # Other processes may have asked the last trials before the border.
    while (trials := study.ask(_wanted(session), until=border(session))) or must_teach(session):
        while trials:
            n = even_part(len(trials), at_once(session))
            train_and_tell(session, trials[:n])
            trials = trials[n:]


def train_and_tell(session: SearchSession, trials: Sequence[Trial]) -> None:
    """Train trials to their end and tell the study their results."""
    trained = session.train(session.divisions, trials, needs_weights=session.needs_weights)
    session.tell(list(map(TrainedTrial, trials, trained)))


def at_once(session: SearchSession) -> int:
    """Return the number of trials in a population."""
    return max(1, session.executor.together // len(session.divisions))


def _wanted(session: SearchSession) -> int:
    """Return the number of trials to ask.

    The proposals of the sampler depend on the trials that were told before, so their number
    depends on the study alone. Trials of a quota are drawn at random, and their number may
    depend on the machine.
    """
    study, most = session.study, at_once(session)
    if must_teach(session):
        teach(session)
    if (left := quota_left(study)) <= 0:
        return round_size(study.budget)
    count = even_part(left, most)
    if study.left == study.budget:
        count = min(count, session.timetable.first(most))
    return count


def quota_left(study: Study) -> int:
    """Return the number of unasked trials of the quotas; negative after the quotas.

    Until all trials have been asked that late trials wait for, it is the number of these alone.
    """
    asked, plan = study.budget - study.left, study.plan
    planned = plan.early if asked < plan.early else len(plan.first) + len(plan.then)
    return planned - asked


def round_size(budget: int) -> int:
    """Return the number of trials to ask of the sampler at once; it learns between rounds.

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
