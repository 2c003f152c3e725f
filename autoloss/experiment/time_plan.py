"""The trials, epochs and final training runs that fit into a time limit.

The final training runs are reserved first, and each runs to the end of its schedule. The rest of
the time buys as many trials as it can by successive halving, whose survivors run to the end of the
same schedule. If these are too few, the schedule is shortened for all alike.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from autoloss.experiment.finals import Finals
from autoloss.training.race import FACTOR, rungs
from autoloss.verdict.coverage import ENOUGH_TRIALS, LEAST_SHARE

USED = 0.85
"""Expected share of the epochs that candidates use before early stopping."""
LEAST_TRIALS = 10
"""Trials below which the schedule is shortened: the quotas of cross-entropy and another loss."""
FEWEST_TRIALS = 2
COMFORTABLE_TRIALS, COMFORTABLE_REPLICATES = 24, 3
"""Trials, and training runs of each of the fewest finalists, below which the schedule is shortened
to half; below half of it they become fewer."""
ONCE_EACH_ROW = 5
"""Training runs of a finalist that hold out every row once; families give way before them."""
SEARCH_SHARE = 0.4
"""Share of the time that the search gets before the final training runs may grow."""
LEAST_SURVIVORS = 3
"""Trials of a population that continue after a rung, at least: default and tuned cross-entropy and
another loss."""
LEAST_FINALISTS, LEAST_REPLICATES = 0, 2
"""With no family there are only the sides of the verdict."""
OUTER_SHARE, OUTER_MORE = 0.6, 4
"""Under a short limit an outer fold trains this share of the trials, plus this number."""
LEAST_OUTER_TRIALS = 4
BLENDED, BLENDED_OF_FAMILIES = 2, 4
"""Trials in the blend that ships, as planned: of the verdict's sides alone, and of families."""
GROWING = 4
"""Training runs of a finalist that take as long as both losses on growing parts."""
REFIT_MARGIN = 1.3
"""The training run on all rows is left out if the stages before it take longer than planned."""


@dataclass(frozen=True)
class TimePlan:
    """The plan of a search.

    Args:
        trials: Trials that are expected to be trained.
        epochs: Epochs of the schedule.
        finals: The final training runs.
        seconds: The seconds of all of this.
        rungs: The ages at which the best third of the trials continues; none if all do.
    """

    trials: int
    epochs: int
    finals: Finals
    seconds: float
    rungs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Workload:
    """The requested work of a search, and the cost of each part.

    Args:
        trials: The budget.
        epochs: Epochs that the space asks for.
        finals: The final training runs that the space asks for.
        divisions: Divisions on which a trial is trained.
        outer_folds: Outer folds of a repeat.
        together: Candidates of a population.
        once: Seconds of an epoch of a population on the divisions of the search.
        each: Further seconds for each of its candidates.
        final_size: Length of an epoch of a final training run relative to an epoch of the search.
        outer_size: The same for a training run in an outer fold.
        per_trial: Seconds of a trial besides its training.
        outer_work: The largest work of the outer folds, as a multiple of the search's; 0 for no
            bound.
        used: Share of the epochs that candidates use before early stopping.
        refit_size: Length of an epoch of the training run on all rows.
        decay: Share of the schedule, at its end, in which the learning rate falls to zero.
        racing: Whether trials race without a limit too.
        predicted: Seconds of a training run's predictions for locked rows and OOD rows; 0 for
            none.
        taught: Seconds that a teacher learns by itself for a division of the search; 0 for none.
        teachers: Training runs of trials that teach a division; 0 for none.
        teacher_size: Length of an epoch of such a training run.
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
    refit_size: float = 1.0
    decay: float = 0.5
    racing: bool = False
    predicted: float = 0.0
    taught: float = 0.0
    teachers: int = 0
    teacher_size: float = 0.0

    def population_seconds(self, trainings: float, *, epochs: int, size: float = 1.0) -> float:
        """Return the seconds of training runs in as few populations as possible."""
        populations = math.ceil(trainings / self.together)
        return epochs * size * (populations * self.once + trainings * self.used * self.each)

    def search_seconds(self, trials: int, epochs: int, at: Sequence[int] = ()) -> float:
        """Return the seconds of the search.

        Args:
            trials: The number of trials.
            epochs: Epochs of the schedule.
            at: The rungs.
        """
        populations = math.ceil(trials * self.divisions / self.together)
        trained = self.trained_epochs(trials, epochs, at) * self.divisions * self.each
        return epochs * populations * self.once + trained + trials * self.per_trial

    def trained_epochs(
        self, trials: int, epochs: int, at: Sequence[int] = (), age: int = 0
    ) -> float:
        """Return the expected epochs of all trials together, on a division.

        Args:
            trials: The number of trials.
            epochs: Epochs of the schedule.
            at: The rungs.
            age: Epochs that the trials have trained.
        """
        total, alive = 0.0, trials
        for rung in at:
            if rung > age:
                total += alive * (rung - age)
                age, alive = rung, survivors(alive)
        return total + alive * max(self.used * epochs - age, 0.0)

    def rest_seconds(self, trials: int, epochs: int, at: Sequence[int], *, age: int) -> float:
        """Return the seconds of a population's trials of an age, until all have ended."""
        trained = self.trained_epochs(trials, epochs, at, age) * self.divisions * self.each
        return (epochs - age) * self.once + trained

    def final_seconds(self, finals: Finals, epochs: int) -> float:
        """Return the seconds of the final training runs and their predictions for the verdict."""
        outer = finals.outer_trials * finals.repeats * self.outer_folds
        again = self.population_seconds(finals.trainings, epochs=epochs, size=self.final_size)
        again += self.population_seconds(outer, epochs=epochs, size=self.outer_size)
        again += finals.judged * self.predicted + self.teaching_seconds(finals, epochs)
        if finals.growing:
            again += self.population_seconds(GROWING, epochs=epochs, size=self.final_size)
        return again + (self._refit_seconds(finals, epochs) if finals.refit else 0.0)

    def taught_seconds(self, epochs: int) -> float:
        """Return the seconds that a teacher learns for a division of the search."""
        each = self.population_seconds(self.teachers, epochs=epochs, size=self.teacher_size)
        return self.taught + each

    def first_teaching_seconds(self, epochs: int) -> float:
        """Return the seconds that the study's own trials learn to teach the search's divisions."""
        return self.divisions * self.taught_seconds(epochs) if self.teachers else 0.0

    def teaching_seconds(self, finals: Finals, epochs: int) -> float:
        """Return the seconds that a teacher learns for the divisions of final training runs."""
        of_finals = finals.replicates * self.final_size
        of_outer = finals.repeats * self.outer_folds * self.outer_size if finals.repeats else 0.0
        of_refit = self.refit_size if finals.refit else 0.0
        return self.taught_seconds(epochs) * (of_finals + of_outer + of_refit)

    def _refit_seconds(self, finals: Finals, epochs: int) -> float:
        """Return the seconds of the training runs on all rows, for all members of a blend."""
        most = BLENDED_OF_FAMILIES if finals.finalists else BLENDED
        trials = max(1, min(finals.finalists + finals.more, most))
        each = self.population_seconds(finals.replicates, epochs=epochs, size=self.refit_size)
        return REFIT_MARGIN * trials * each

    def bounded(self, finals: Finals, *, trials: int) -> Finals:
        """Return final training runs after `trials` trials, within the bound of outer folds."""
        most = min(finals.outer_trials, trials)
        each = self.outer_folds * finals.repeats * self.outer_size
        if each and self.outer_work:
            most = min(most, int(self.outer_work * trials * self.divisions / each))
        return replace(finals, outer_trials=max(most, min(trials, FEWEST_TRIALS)))

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Return the rungs of a schedule."""
        return rungs(epochs, self.decay)

    def whole(self) -> TimePlan:
        """Return the plan without a limit."""
        finals = self.bounded(self.finals, trials=self.trials)
        return self._plan(self.trials, self.epochs, finals, self._usual_rungs)

    @property
    def _usual_rungs(self) -> tuple[int, ...]:
        return self.rungs(self.epochs) if self.racing else ()

    def within(self, seconds: float) -> TimePlan:
        """Return the largest plan that fits into `seconds`, or the smallest plan if none fits."""
        whole = replace(self, racing=False).whole()
        if whole.seconds <= seconds:
            return whole
        every = self.rungs(self.epochs)
        # All trials, of which fewer and fewer are trained to their end.
        for first in range(len(every) - 1, -1, -1):
            plan = self._plan(self.trials, self.epochs, whole.finals, every[first:])
            if plan.seconds <= seconds:
                return plan
        comfortable, shortest = min(self.trials, COMFORTABLE_TRIALS), self._shortest
        if self._fits(comfortable, self.epochs, self.comfortable, seconds):
            most = self._most_trials(seconds, self.comfortable, self.epochs)
            alone = self._most_trials(SEARCH_SHARE * seconds, None, self.epochs)
            beside_all = self._most_trials(seconds, self._largest, self.epochs)
            trials = min(most, max(comfortable, alone, beside_all))
            return self._planned(trials, self.epochs, seconds)
        # Half of the schedule costs about one hundredth of the log loss, fewer training runs more.
        if self._fits(comfortable, shortest, self.comfortable, seconds):
            epochs = self._most_epochs(seconds, comfortable, self.comfortable)
            return self._planned(comfortable, epochs, seconds)
        enough = self._enough
        trials = min(comfortable, self._most_trials(seconds, self.smallest_with_refit, shortest))
        if trials >= enough:
            return self._planned(trials, shortest, seconds)
        if self._fits(enough, shortest, self.smallest, seconds):
            return self._planned(enough, shortest, seconds)
        count = min(self.trials, LEAST_TRIALS)
        if epochs := self._most_epochs(seconds, count, self.smallest):
            return self._planned(count, min(epochs, shortest), seconds)
        trials = self._most_trials(seconds, self.smallest, 1)
        return self._planned(max(trials, min(self.trials, FEWEST_TRIALS)), 1, seconds)

    def comfortable(self, trials: int) -> Finals:
        """Return final training runs after `trials` trials for which the schedule is shortened."""
        replicates = min(self.finals.replicates, COMFORTABLE_REPLICATES)
        return replace(self.smallest_with_refit(trials), replicates=replicates)

    def smallest_with_refit(self, trials: int) -> Finals:
        """Return the smallest final training runs, with the wanted ones after the verdict."""
        asked = self.finals
        return replace(self.smallest(trials), refit=asked.refit, growing=asked.growing)

    def smallest(self, trials: int) -> Finals:
        """Return the smallest final training runs after `trials` trials."""
        finals = self._largest(trials)
        return Finals(
            min(finals.finalists, LEAST_FINALISTS),
            min(finals.replicates, LEAST_REPLICATES),
            min(finals.repeats, 1),
            min(finals.outer_trials, _outer_trials(trials)),
            more=finals.more,
        )

    def finals_within(
        self,
        seconds: float,
        *,
        trials: int,
        epochs: int,
        picked: Callable[[int], int] | None = None,
    ) -> Finals:
        """Return the largest final training runs that fit into `seconds`, or the smallest.

        Args:
            seconds: The time.
            trials: Trials that have ended, or are expected to end.
            epochs: Epochs of the schedule.
            picked: Returns the number of finalists by the number of families; by default the most.
        """
        every = self._steps(trials)
        if picked is not None:
            every = [replace(one, more=picked(one.finalists) - one.finalists) for one in every]
        fitting = (one for one in every if self.final_seconds(one, epochs) <= seconds)
        return next(fitting, every[-1])

    def outer_within(self, seconds: float, *, trials: int, finals: Finals, epochs: int) -> Finals:
        """Return the largest final training runs whose outer folds fit into `seconds`.

        The number of repeats falls first, then the number of trials. If nothing fits, the smallest
        final training runs are returned.

        Args:
            seconds: The time.
            trials: The number of trials that every outer fold could train.
            finals: The planned final training runs.
            epochs: Epochs of the schedule.
        """

        def cost(repeats: int, each: int) -> float:
            trainings = repeats * each * self.outer_folds
            folds = repeats * self.outer_folds
            taught = self.taught_seconds(epochs) * folds * self.outer_size
            return taught + self.population_seconds(trainings, epochs=epochs, size=self.outer_size)

        for repeats in range(finals.repeats, 0, -1):
            each = self.bounded(replace(finals, repeats=repeats), trials=trials).outer_trials
            if cost(repeats, each) <= seconds:
                return replace(finals, repeats=repeats, outer_trials=each)
        each = most(each, seconds, lambda n: cost(1, n))
        least = min(trials, LEAST_OUTER_TRIALS)
        return replace(finals, repeats=1, outer_trials=max(each, least))

    def _planned(self, trials: int, epochs: int, seconds: float) -> TimePlan:
        at = self.rungs(epochs)
        searching = self.search_seconds(trials, epochs, at)
        finals = self.finals_within(seconds - searching, trials=trials, epochs=epochs)
        return self._plan(trials, epochs, finals, at)

    def _plan(self, trials: int, epochs: int, finals: Finals, at: tuple[int, ...]) -> TimePlan:
        seconds = self.search_seconds(trials, epochs, at) + self.final_seconds(finals, epochs)
        return TimePlan(trials, epochs, finals, seconds, at)

    def _steps(self, trials: int) -> list[Finals]:
        """Return final training runs after `trials` trials, from the largest to the smallest."""
        asked, smallest = self.finals, self.smallest(trials)
        found = [
            self.bounded(replace(asked, repeats=repeats), trials=trials)
            for repeats in range(asked.repeats, min(asked.repeats, 1) - 1, -1)
        ]
        few = replace(found[-1], outer_trials=smallest.outer_trials)
        least = min(asked.replicates, ONCE_EACH_ROW)
        fewer = [(asked.finalists, count) for count in range(asked.replicates - 1, least - 1, -1)]
        fewer += [(count, least) for count in range(asked.finalists - 1, 1, -1)]
        fewer += [(smallest.finalists, count) for count in range(least, smallest.replicates, -1)]
        found += [replace(few, finalists=f, replicates=r) for f, r in fewer]
        return [*found, self.smallest_with_refit(trials), smallest]

    def _largest(self, trials: int) -> Finals:
        return self.bounded(self.finals, trials=trials)

    @property
    def _enough(self) -> int:
        """Return the number of trials that a verdict needs; below it, epochs are cut instead."""
        enough = min(ENOUGH_TRIALS, math.ceil(LEAST_SHARE * self.trials))
        return min(self.trials, max(enough, LEAST_TRIALS))

    @property
    def _shortest(self) -> int:
        """Return the shortest schedule that decides something."""
        return math.ceil(LEAST_SHARE * self.epochs)

    def _fits(
        self, trials: int, epochs: int, finals: Callable[[int], Finals], seconds: float
    ) -> bool:
        plan = self._plan(trials, epochs, finals(trials), self.rungs(epochs))
        return plan.seconds <= seconds

    def _most_epochs(self, seconds: float, trials: int, finals: Callable[[int], Finals]) -> int:
        """Return the most epochs for `trials` trials and their final training runs; 0 for none."""
        fitting = (
            epochs
            for epochs in range(self.epochs, 0, -1)
            if self._fits(trials, epochs, finals, seconds)
        )
        return next(fitting, 0)

    def _most_trials(
        self, seconds: float, finals: Callable[[int], Finals] | None, epochs: int
    ) -> int:
        """Return the number of trials that fit beside their final training runs."""

        def cost(trials: int) -> float:
            after = 0.0 if finals is None else self.final_seconds(finals(trials), epochs)
            return self.search_seconds(trials, epochs, self.rungs(epochs)) + after

        return most(self.trials, seconds, cost)


def _outer_trials(trials: int) -> int:
    """Return the number of trials that an outer fold trains under a short limit."""
    return min(trials, math.ceil(OUTER_SHARE * trials) + OUTER_MORE)


def survivors(trials: int) -> int:
    """Return the number of a population's trials expected to continue after a rung.

    Besides the best third, the best of each side of the verdict continues.

    Examples:
        >>> [survivors(trials) for trials in (2, 6, 32)]
        [2, 3, 11]
    """
    return max(math.ceil(trials / FACTOR), min(trials, LEAST_SURVIVORS))


def most(at_most: int, seconds: float, cost: Callable[[int], float]) -> int:
    """Return the largest number up to `at_most` whose cost fits into `seconds`; 0 for none."""
    return bisect_right(range(1, at_most + 1), seconds, key=cost)
