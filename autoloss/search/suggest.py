"""Draws settings: Optuna's sampler, asked so that a stopped study goes on as if it had not."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from autoloss.losses.parameters import ChoiceParam, IntParam, Parameter
from autoloss.search.growth import hull
from autoloss.search.history import History
from autoloss.search.space import NUISANCE, TEMPERATURE, Space

Direction = Literal["minimize", "maximize"]
Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Lower and upper ends, one a family."""
LARGEST_HISTORY = 250
_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "running": TrialState.RUNNING,
}


@dataclass(frozen=True)
class Seen:
    """A trial as the sampler sees it.

    Args:
        slot: Its place in the study.
        params: Its parameters.
        distributions: Where they were drawn from.
        state: ``"complete"``, ``"pruned"`` (worse than any complete one; in a race also while it
            trains) or ``"running"``.
        values: Values of the objectives, of a complete trial.
        reported: Epoch and value of a pruned trial, where it has one: those that came further
            count as better, among equals those with the better value.
    """

    slot: int
    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    state: Literal["complete", "pruned", "running"]
    values: tuple[float, ...] = ()
    reported: tuple[int, float] | None = None


@dataclass(frozen=True)
class Drawn:
    """Parameters that were drawn, with where from."""

    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]


class Suggester:
    """Draws the settings of several trials, each of which sees those before it as running.

    What a trial gets depends on the seed, its slot and the trials before it alone, in the order of
    their slots: neither on how many are asked at once nor on how often the study was interrupted.

    Args:
        space: The space, for the task at hand.
        families: The families that are searched.
        seen: The trials so far.
        seed: Seed of the study.
        directions: ``"minimize"`` or ``"maximize"``, of each objective.
        widened: Ranges that are wider than the space's, by family and dotted key.
    """

    def __init__(
        self,
        space: Space,
        families: Sequence[str],
        seen: Sequence[Seen],
        *,
        seed: int,
        directions: Sequence[Direction],
        widened: Mapping[str, Mapping[str, Parameter]] | None = None,
    ) -> None:
        self.space = space
        self.widened = widened or {}
        self.families = tuple(families)
        self.seed = seed
        with quiet():
            self._study = optuna.create_study(directions=list(directions))
        self._history = History(
            self._study,
            [_frozen(number, one) for number, one in enumerate(limited(seen, directions))],
        )

    def draw(
        self, slot: int, fixed: Mapping[str, Any], *, attempt: int = 0, learns: bool = True
    ) -> Drawn:
        """Draw a trial's parameters.

        Args:
            slot: Its place in the study.
            fixed: Parameters that are not to be drawn.
            attempt: Above 0 where an earlier draw for this slot was turned down.
            learns: Whether from what the trials so far did; otherwise at random from the space.
        """
        entropy = np.random.SeedSequence([self.seed, slot, attempt])
        seed = int(entropy.generate_state(1)[0])
        self._learns = learns
        self._study.sampler = (
            _Sampler(self._history, seed=seed, together=self._together, bounds=self._bounds)
            if learns
            else optuna.samplers.RandomSampler(seed=seed)
        )
        self._study.enqueue_trial(dict(fixed))
        self._trial = self._study.ask()
        for key, distribution in self._keys():
            _suggest(self._trial, key, distribution)
        drawn = Drawn(dict(self._trial.params), dict(self._trial.distributions))
        self._history.add(drawn.params)
        # What was drawn is known; a study is slower the more trials run in it.
        self._study.tell(self._trial, state=TrialState.FAIL)
        return drawn

    def turn_down(self) -> None:
        """Forget the last draw, so that later ones do not see it as running."""
        self._history.turn_down()

    @property
    def _together(self) -> dict[str, BaseDistribution]:
        """Return what every trial has, which one objective draws together.

        A range is that of all families together. Of what is drawn, that counts which lies in the
        range of the family that was drawn with it; only where nothing does, or the family is
        another one, a setting is drawn again alone.
        """
        if len(self._study.directions) > 1:
            return {}
        space = self.space
        kinds = {"base": self.families, **space.choices}
        chosen = {
            kind: CategoricalDistribution(choices)
            for kind, choices in kinds.items()
            if len(choices) > 1
        }
        keys = [key for key in (TEMPERATURE, *NUISANCE) if key in space.ranges]
        return chosen | {
            key: distribution_of(hull([self._range(key, family) for family in self.families]))
            for key in keys
        }

    @property
    def _bounds(self) -> dict[str, Bounds]:
        """Return the ends of what is drawn together, family by family, where these differ."""
        found = {}
        for key in (TEMPERATURE, *NUISANCE) if self._learns and self.widened else ():
            own = [self._range(key, f) for f in self.families] if key in self.space.ranges else []
            ends = np.array(
                [(one.low, one.high) for one in own if not isinstance(one, ChoiceParam)]
            )
            if len(ends) and (ends != ends[0]).any():
                found[key] = (ends[:, 0], ends[:, 1])
        return found

    def _keys(self) -> Iterator[tuple[str, BaseDistribution]]:
        """Yield what is to be drawn; what is below a choice depends on what was chosen."""
        space = self.space
        for kind, choices in {"base": self.families, **space.choices}.items():
            if kind != "base" and len(choices) == 1:
                continue
            yield kind, CategoricalDistribution(choices)
            for key in space.keys_of(self._trial.params[kind]):
                if key in space.ranges:
                    yield key, self._distribution(key)
        for key in (TEMPERATURE, *NUISANCE):
            if key in space.ranges:
                yield key, self._distribution(key)

    def _distribution(self, key: str) -> BaseDistribution:
        """Return where a parameter is drawn from, given the family that was drawn."""
        return distribution_of(self._range(key, self._trial.params["base"]))

    def _range(self, key: str, family: str) -> Parameter:
        widened = self.widened.get(family, {}) if self._learns else {}
        return widened.get(key, self.space.ranges[key])


class _Sampler(optuna.samplers.TPESampler):
    """Optuna's sampler on a history that its draws share.

    It is told what all trials have in common, which else takes half of its time.

    Args:
        history: The trials that it learns from.
        seed: Its seed.
        together: The common parameters.
        bounds: Their ends family by family, where these differ.
    """

    def __init__(
        self,
        history: History,
        *,
        seed: int,
        together: Mapping[str, BaseDistribution],
        bounds: Mapping[str, Bounds],
    ) -> None:
        super().__init__(seed=seed)
        self._history = history
        self._together = dict(together)
        self._bounds = bounds

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return what is drawn together."""
        return self._together

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the common parameters; none while too few trials have finished."""
        return self._drawn(search_space) if search_space and self._can_learn else {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return one parameter."""
        if self._can_learn:
            return self._drawn({param_name: param_distribution})[param_name]
        return self._random_sampler.sample_independent(
            study, trial, param_name, param_distribution
        )

    @property
    def _can_learn(self) -> bool:
        return self._history.n_finished >= self._n_startup_trials

    def _drawn(self, space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """Return the most promising of several draws from where the best trials lie."""
        settings = self._parzen_estimator_parameters
        good = self._history.good(space, settings)
        other = self._history.other(space, settings)
        samples = good.sample(self._rng.rng, self._n_ei_candidates)
        worth = self._compute_acquisition_func(samples, good, other)
        if {"base", *self._bounds} <= space.keys():
            fits = self._fits(samples)
            worth = np.where(fits, worth, -np.inf) if fits.any() else worth
        best = self._compare(samples, worth)
        return {key: one.to_external_repr(best[key]) for key, one in space.items()}

    def _fits(self, samples: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
        """Return which draws lie in the ranges of their own family; (n,)."""
        family = samples["base"].astype(int)
        fits = np.ones(len(family), dtype=bool)
        for key, (low, high) in self._bounds.items():
            fits &= (low[family] <= samples[key]) & (samples[key] <= high[family])
        return fits


def _frozen(number: int, seen: Seen) -> FrozenTrial:
    """Return a trial as Optuna splits it: unchecked, because its study has checked it."""
    values = list(seen.values) if seen.state == "complete" else None
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=_STATES[seen.state],
        value=None,
        values=values,
        datetime_start=None,
        datetime_complete=None,
        params=dict(seen.params),
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={} if seen.reported is None else dict([seen.reported]),
    )


def limited(seen: Sequence[Seen], directions: Sequence[Direction]) -> list[Seen]:
    """Return the trials that the sampler sees, by slot: all running, at most 250 finished.

    Of more, a fifth are the best (by the sum of their ranks), the others the latest.
    """
    by_slot = sorted(seen, key=lambda one: one.slot)
    finished = [one for one in by_slot if one.state != "running"]
    if len(finished) <= LARGEST_HISTORY:
        return by_slot
    complete = [one for one in finished if one.state == "complete"]
    values = np.array([one.values for one in complete])
    values *= [-1.0 if direction == "maximize" else 1.0 for direction in directions]
    ranks = values.argsort(0, kind="stable").argsort(0, kind="stable").sum(1)
    best = [complete[i] for i in ranks.argsort(kind="stable")[: LARGEST_HISTORY // 5]]
    kept = {one.slot for one in best}
    latest = [one for one in finished if one.slot not in kept][len(kept) - LARGEST_HISTORY :]
    kept |= {one.slot for one in latest}
    return [one for one in by_slot if one.state == "running" or one.slot in kept]


def distribution_of(parameter: Parameter) -> BaseDistribution:
    """Return a parameter's range as Optuna has it."""
    if isinstance(parameter, ChoiceParam):
        return CategoricalDistribution(parameter.choices)
    if isinstance(parameter, IntParam):
        return IntDistribution(parameter.low, parameter.high, log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from announcing studies that nobody needs to know of."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _suggest(trial: optuna.Trial, key: str, distribution: BaseDistribution) -> None:
    if isinstance(distribution, CategoricalDistribution):
        trial.suggest_categorical(key, distribution.choices)
    elif isinstance(distribution, IntDistribution):
        trial.suggest_int(key, distribution.low, distribution.high, log=distribution.log)
    elif isinstance(distribution, FloatDistribution):
        trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)
