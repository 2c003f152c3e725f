"""Draws settings with Optuna's sampler.

Each population has its own study in memory, with the trials that the sampler learns from, so
that a resumed search draws the same settings as an uninterrupted search.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from autoloss.losses.parameters import ChoiceParam, IntParam, Parameter
from autoloss.search.growth import Ends, ends_of, hull
from autoloss.search.halton import halton_point
from autoloss.search.space import NUISANCE, TEMPERATURE, Space

Direction = Literal["minimize", "maximize"]
LARGEST_HISTORY = 250
_MOST_DRAWS = 16
_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "running": TrialState.RUNNING,
}


@dataclass(frozen=True)
class Observation:
    """A trial as the sampler sees it.

    Args:
        slot: Its place in the study.
        params: Its parameters.
        distributions: The ranges that they were drawn from.
        state: ``"complete"``, ``"pruned"`` (ranked below all complete trials) or
            ``"running"``.
        values: The objectives of a complete trial.
        reported: The last epoch and value of a pruned trial. Trials that came further rank higher;
            at the same epoch, trials with a better value.
    """

    slot: int
    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    state: Literal["complete", "pruned", "running"]
    values: tuple[float, ...] = ()
    reported: tuple[int, float] | None = None


@dataclass(frozen=True)
class Draw:
    """Drawn parameters, with the ranges that they were drawn from."""

    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]


class Suggester:
    """Draws the settings of a population; each draw sees the draws before it as running trials.

    A draw depends on the seed, its slot, and the trials before it in the order of their slots. It
    depends neither on the size of the population nor on interruptions of the search.

    Args:
        space: The space, for the task at hand.
        families: The families that are searched.
        seen: The trials so far.
        seed: Seed of the study.
        directions: ``"minimize"`` or ``"maximize"``, of each objective.
        widened: Ranges that are wider than the space's, by family and key.
    """

    def __init__(
        self,
        space: Space,
        families: Sequence[str],
        seen: Sequence[Observation],
        *,
        seed: int,
        directions: Sequence[Direction],
        widened: Mapping[str, Mapping[str, Parameter]] | None = None,
    ) -> None:
        self.space = space
        self.widened = widened or {}
        self.families = tuple(families)
        self.seed = seed
        storage = optuna.storages.InMemoryStorage()
        with quiet():
            self._study = optuna.create_study(storage=storage, directions=list(directions))
        study_id = storage.get_study_id_from_name(self._study.study_name)
        for one in limited(seen, directions):
            storage.create_new_trial(study_id, _frozen(one))

    def draw(
        self, slot: int, fixed: Mapping[str, Any], *, attempt: int = 0, learns: bool = True
    ) -> Draw:
        """Draw a trial's parameters.

        Args:
            slot: Its place in the study.
            fixed: The fixed parameters.
            attempt: Above 0 after a draw for this slot was turned down.
            learns: Whether the draw learns from earlier trials; otherwise it is random.
        """
        entropy = np.random.SeedSequence([self.seed, slot, attempt])
        seed = int(entropy.generate_state(1)[0])
        self._learns = learns
        self._study.sampler = (
            _Sampler(seed=seed, joint=self._joint, bounds=self._bounds)
            if learns
            else optuna.samplers.RandomSampler(seed=seed)
        )
        self._study.enqueue_trial(dict(fixed))
        self._trial = self._study.ask()
        for key, distribution in self._keys():
            _suggest(self._trial, key, distribution)
        return Draw(dict(self._trial.params), dict(self._trial.distributions))

    def shared_nuisance(self, turn: int) -> dict[str, float]:
        """Return learning rate, weight decay and dropout of a turn, the same for all families.

        The turns are points of a scrambled Halton sequence, which covers the ranges more evenly
        than independent draws.

        Args:
            turn: The number of a family's trial in its quota, from 0.
        """
        keys = [key for key in NUISANCE if key in self.space.ranges]
        if not keys:
            return {}
        point = halton_point(turn, len(keys), np.random.default_rng([self.seed, len(keys)]))
        return {key: _at(self.space.ranges[key], u) for key, u in zip(keys, point, strict=True)}

    def turn_down(self) -> None:
        """Forget the last draw, so that later draws do not see it as running."""
        self._study.tell(self._trial, state=TrialState.FAIL)

    @property
    def _joint(self) -> dict[str, BaseDistribution]:
        """Return the parameters of every trial, which a single objective draws jointly.

        A range is the union of the ranges of all families. If a drawn value lies outside the range
        of the trial's family, Optuna draws this parameter again alone.
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
    def _bounds(self) -> dict[str, dict[str, Ends]]:
        """Return the ends of joint parameters that grew, by family and key."""
        joint = (TEMPERATURE, *NUISANCE)
        grown = {key for own in self.widened.values() for key in own if key in joint}
        return {
            family: ends_of({key: self._range(key, family) for key in sorted(grown)})
            for family in self.families
        }

    def _keys(self) -> Iterator[tuple[str, BaseDistribution]]:
        """Yield the parameters to draw; the chosen losses decide which parameters follow."""
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
        """Return the distribution of a parameter for the drawn family."""
        return distribution_of(self._range(key, self._trial.params["base"]))

    def _range(self, key: str, family: str) -> Parameter:
        widened = self.widened.get(family, {}) if self._learns else {}
        return widened.get(key, self.space.ranges[key])


class _Sampler(optuna.samplers.TPESampler):
    """Optuna's sampler with given joint parameters; it does not infer them from the trials.

    Args:
        seed: The seed.
        joint: The joint parameters.
        bounds: Ends of joint parameters, by family and key.
    """

    def __init__(
        self,
        *,
        seed: int,
        joint: Mapping[str, BaseDistribution],
        bounds: Mapping[str, Mapping[str, Ends]],
    ) -> None:
        super().__init__(seed=seed, multivariate=True, constant_liar=True)
        self._joint = dict(joint)
        self._bounds = bounds

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the joint parameters."""
        return self._joint

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw the joint parameters until they lie within the ranges of the drawn family."""
        for _ in range(_MOST_DRAWS):
            drawn = super().sample_relative(study, trial, search_space)
            if self._fits(drawn):
                break
        return drawn

    def _fits(self, drawn: Mapping[str, Any]) -> bool:
        """Return whether a draw lies within the ranges of its own family."""
        own = self._bounds.get(drawn.get("base", ""), {})
        return all(low <= drawn[key] <= high for key, (low, high) in own.items())


class _Seen(FrozenTrial):
    """A trial that is made for a storage in memory, which needs no copy of it.

    Copies took half of the time of asking a single trial.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> _Seen:
        return self


def _frozen(seen: Observation) -> FrozenTrial:
    """Return a trial for Optuna, which sets its number; its parameters need no second check."""
    values = list(seen.values) if seen.state == "complete" else None
    return _Seen(
        number=-1,
        trial_id=-1,
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


def limited(seen: Sequence[Observation], directions: Sequence[Direction]) -> list[Observation]:
    """Return the trials that the sampler sees, by slot: all running, at most 250 finished trials.

    Of more finished trials, a fifth are the best by the sum of their ranks, the others the latest.
    """
    by_slot = sorted(seen, key=lambda one: one.slot)
    finished = [one for one in by_slot if one.state != "running"]
    if len(finished) <= LARGEST_HISTORY:
        return by_slot
    complete = [one for one in finished if one.state == "complete"]
    values = np.array([one.values for one in complete]).reshape(-1, len(directions))
    values *= [-1.0 if direction == "maximize" else 1.0 for direction in directions]
    ranks = values.argsort(0, kind="stable").argsort(0, kind="stable").sum(1)
    best = [complete[i] for i in ranks.argsort(kind="stable")[: LARGEST_HISTORY // 5]]
    kept = {one.slot for one in best}
    latest = [one for one in finished if one.slot not in kept][len(kept) - LARGEST_HISTORY :]
    kept |= {one.slot for one in latest}
    return [one for one in by_slot if one.state == "running" or one.slot in kept]


def distribution_of(parameter: Parameter) -> BaseDistribution:
    """Return the range of a parameter in Optuna's form."""
    if isinstance(parameter, ChoiceParam):
        return CategoricalDistribution(parameter.choices)
    if isinstance(parameter, IntParam):
        return IntDistribution(parameter.low, parameter.high, log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def _at(parameter: Parameter, share: float) -> float:
    """Return the value at a share in [0, 1) of a range, on its scale."""
    if isinstance(parameter, ChoiceParam):
        return float(parameter.choices[int(share * len(parameter.choices))])
    low, high = parameter.low, parameter.high
    value = low * (high / low) ** share if parameter.log else low + share * (high - low)
    value = min(max(value, low), high)
    return float(round(value) if isinstance(parameter, IntParam) else value)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the messages of Optuna."""
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
