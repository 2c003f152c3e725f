"""The trials, epochs and final trainings that fit into a time limit.

Under a short limit the number of trials falls first, then the epochs of the schedule, for all
trials alike. There are fewer final trainings too, but each runs to the end of its schedule.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from autoloss.verdict.coverage import ENOUGH_TRIALS, LEAST_SHARE

USED = 0.85
"""Expected share of the epochs that candidates use before early stopping."""
LEAST_TRIALS = 10
"""Trials below which the schedule is shortened: the quotas of cross-entropy and another loss."""
FEWEST_TRIALS = 2
SEARCH_SHARE = 0.55
"""Share of the time that the search gets before the final trainings may grow."""
LEAST_FINALISTS, LEAST_REPLICATES = 2, 2
MORE_FINALISTS = 3
"""Finalists besides the best of each family: the best by the metric, and two cross-entropies."""
OUTER_SHARE, OUTER_MORE = 0.6, 4
"""Under a short limit an outer fold trains this share of the trials, plus this number."""
LEAST_OUTER_TRIALS = 4


@dataclass(frozen=True)
class Finals:
    """The trainings that come after the search.

    Args:
        finalists: Families whose best trial is trained again.
        replicates: Trainings of each finalist.
        repeats: Repeats of the nested cross-validation; 0 where rows are locked.
        outer_trials: Trials that are trained in every outer fold.
    """

    finalists: int
    replicates: int
    repeats: int = 0
    outer_trials: int = 0

    @property
    def trainings(self) -> int:
        """Return the trainings of finalists, at most."""
        return (self.finalists + MORE_FINALISTS) * self.replicates


@dataclass(frozen=True)
class TimePlan:
    """The plan of a search.

    Args:
        trials: Trials that are expected to be trained.
        epochs: Epochs of the schedule.
        finals: The final trainings.
        seconds: The seconds of all of this.
    """

    trials: int
    epochs: int
    finals: Finals
    seconds: float


@dataclass(frozen=True)
class Workload:
    """The requested work of a search, and the cost of each part.

    Args:
        trials: The budget.
        epochs: Epochs that the space asks for.
        finals: The final trainings that the space asks for.
        divisions: Divisions on which a trial is trained.
        outer_folds: Outer folds of a repeat.
        together: Candidates of a population.
        once: Seconds of an epoch of a population on the divisions of the search.
        each: Further seconds for each of its candidates.
        final_size: Length of an epoch of a final training relative to an epoch of the search.
        outer_size: The same for a training in an outer fold.
        per_trial: Seconds of a trial besides its training.
        outer_work: The largest work of the outer folds, as a multiple of the search's; 0 for no
            bound.
        used: Share of the epochs that candidates use before early stopping.
    """

    trials: int
    epochs: int
    finals: Finals
    divisions: int
    outer_folds: int
    together: int
    once: float
    each: float
    final_size: float = 1.0
    outer_size: float = 1.0
    per_trial: float = 0.0
    outer_work: float = 0.0
    used: float = USED

    def population_seconds(self, trainings: float, *, epochs: int, size: float = 1.0) -> float:
        """Return the seconds of trainings in as few populations as possible."""
        populations = math.ceil(trainings / self.together)
        return epochs * size * (populations * self.once + trainings * self.used * self.each)

    def search_seconds(self, trials: int, epochs: int) -> float:
        """Return the seconds of the search."""
        trained = self.population_seconds(trials * self.divisions, epochs=epochs)
        return trained + trials * self.per_trial

    def final_seconds(self, finals: Finals, epochs: int) -> float:
        """Return the seconds of the final trainings."""
        outer = finals.outer_trials * finals.repeats * self.outer_folds
        again = self.population_seconds(finals.trainings, epochs=epochs, size=self.final_size)
        return again + self.population_seconds(outer, epochs=epochs, size=self.outer_size)

    def bounded(self, finals: Finals, *, trials: int) -> Finals:
        """Return final trainings after `trials` trials, within the bound of the outer folds."""
        most = min(finals.outer_trials, trials)
        each = self.outer_folds * finals.repeats * self.outer_size
        if each and self.outer_work:
            most = min(most, int(self.outer_work * trials * self.divisions / each))
        return replace(finals, outer_trials=max(most, min(trials, FEWEST_TRIALS)))

    def whole(self) -> TimePlan:
        """Return the plan without a limit."""
        finals = self.bounded(self.finals, trials=self.trials)
        seconds = self.search_seconds(self.trials, self.epochs)
        seconds += self.final_seconds(finals, self.epochs)
        return TimePlan(self.trials, self.epochs, finals, seconds)

    def within(self, seconds: float) -> TimePlan:
        """Return the largest plan that fits into `seconds`, or the smallest plan if none fits."""
        whole = self.whole()
        if whole.seconds <= seconds:
            return whole
        least = self._enough
        trials = self._most_trials(seconds, self.smallest, self.epochs)
        if trials >= least:
            alone = self._most_trials(SEARCH_SHARE * seconds, None, self.epochs)
            beside_all = self._most_trials(seconds, self._largest, self.epochs)
            trials = min(trials, max(least, alone, beside_all))
            return self._planned(trials, self.epochs, seconds)
        for count in (least, min(self.trials, LEAST_TRIALS)):
            epochs = self._most_epochs(seconds, count)
            # Less than half of the schedule decides nothing; fewer trials are better.
            if epochs >= (LEAST_SHARE * self.epochs if count > LEAST_TRIALS else 1):
                return self._planned(count, epochs, seconds)
        trials = self._most_trials(seconds, self.smallest, 1)
        return self._planned(max(trials, min(self.trials, FEWEST_TRIALS)), 1, seconds)

    def smallest(self, trials: int) -> Finals:
        """Return the smallest final trainings after `trials` trials."""
        finals = self._largest(trials)
        return Finals(
            min(finals.finalists, LEAST_FINALISTS),
            min(finals.replicates, LEAST_REPLICATES),
            min(finals.repeats, 1),
            min(finals.outer_trials, _outer_trials(trials)),
        )

    def finals_within(self, seconds: float, *, trials: int, epochs: int) -> Finals:
        """Return the largest final trainings that fit into `seconds`, or the smallest.

        Args:
            seconds: The time.
            trials: Trials that have ended, or are expected to end.
            epochs: Epochs of the schedule.
        """
        every = self._steps(trials)
        fitting = (one for one in every if self.final_seconds(one, epochs) <= seconds)
        return next(fitting, every[-1])

    def outer_within(self, seconds: float, *, trials: int, finals: Finals, epochs: int) -> Finals:
        """Return the largest final trainings whose outer folds fit into `seconds`.

        The number of repeats falls first, then the number of trials. If nothing fits, the smallest
        final trainings are returned.

        Args:
            seconds: The time.
            trials: The number of trials that every outer fold could train.
            finals: The planned final trainings.
            epochs: Epochs of the schedule.
        """

        def cost(repeats: int, each: int) -> float:
            trainings = repeats * each * self.outer_folds
            return self.population_seconds(trainings, epochs=epochs, size=self.outer_size)

        for repeats in range(finals.repeats, 0, -1):
            each = self.bounded(replace(finals, repeats=repeats), trials=trials).outer_trials
            if cost(repeats, each) <= seconds:
                return replace(finals, repeats=repeats, outer_trials=each)
        each = most(each, seconds, lambda n: cost(1, n))
        least = min(trials, LEAST_OUTER_TRIALS)
        return replace(finals, repeats=1, outer_trials=max(each, least))

    def _planned(self, trials: int, epochs: int, seconds: float) -> TimePlan:
        searching = self.search_seconds(trials, epochs)
        finals = self.finals_within(seconds - searching, trials=trials, epochs=epochs)
        total = searching + self.final_seconds(finals, epochs)
        return TimePlan(trials, epochs, finals, total)

    def _steps(self, trials: int) -> list[Finals]:
        """Return final trainings after `trials` trials, from the largest to the smallest."""
        asked, smallest = self.finals, self.smallest(trials)
        found = [
            self.bounded(replace(asked, repeats=repeats), trials=trials)
            for repeats in range(asked.repeats, min(asked.repeats, 1) - 1, -1)
        ]
        few = replace(found[-1], outer_trials=smallest.outer_trials)
        for count in range(max(asked.finalists, asked.replicates), 1, -1):
            found.append(
                replace(
                    few,
                    finalists=max(min(asked.finalists, count), smallest.finalists),
                    replicates=max(min(asked.replicates, count), smallest.replicates),
                )
            )
        return [*found, smallest]

    def _largest(self, trials: int) -> Finals:
        return self.bounded(self.finals, trials=trials)

    def _with(self, trials: int, finals: Finals, epochs: int) -> float:
        return self.search_seconds(trials, epochs) + self.final_seconds(finals, epochs)

    @property
    def _enough(self) -> int:
        """Return the number of trials that a verdict needs; below it, epochs are cut instead."""
        enough = min(ENOUGH_TRIALS, math.ceil(LEAST_SHARE * self.trials))
        return min(self.trials, max(enough, LEAST_TRIALS))

    def _most_epochs(self, seconds: float, trials: int) -> int:
        """Return the most epochs for `trials` trials beside the smallest final trainings."""
        finals = self.smallest(trials)
        return most(self.epochs, seconds, lambda epochs: self._with(trials, finals, epochs))

    def _most_trials(
        self, seconds: float, finals: Callable[[int], Finals] | None, epochs: int
    ) -> int:
        """Return the number of trials that fit beside their final trainings."""

        def cost(trials: int) -> float:
            after = 0.0 if finals is None else self.final_seconds(finals(trials), epochs)
            return self.search_seconds(trials, epochs) + after

        return most(self.trials, seconds, cost)


def _outer_trials(trials: int) -> int:
    """Return how many trials an outer fold trains under a short limit."""
    return min(trials, math.ceil(OUTER_SHARE * trials) + OUTER_MORE)


def most(at_most: int, seconds: float, cost: Callable[[int], float]) -> int:
    """Return the largest number up to `at_most` whose cost fits into `seconds`; 0 for none."""
    return bisect_right(range(1, at_most + 1), seconds, key=cost)
