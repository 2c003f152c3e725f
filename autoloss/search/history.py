"""The history of the sampler, as arrays that the draws of a population share.

Optuna's sampler reads every finished trial again for every parameter that it draws. Here the
trials are split and converted once, and each draw adds only running trials. The draws are the
same, number for number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.samplers._tpe.sampler import (
    _split_trials,
    default_gamma,
    default_gamma_multiobjective,
)
from optuna.trial import FrozenTrial, TrialState

Params = Mapping[str, Any]
Observed = dict[str, NDArray[np.float64]]


class History:
    """The trials that a sampler learns from, in the order in which they were asked.

    Args:
        study: A study with the directions of the objectives; its trials are not read.
        trials: Trials that are complete, pruned or running, numbered in their order.
    """

    def __init__(self, study: optuna.Study, trials: Sequence[FrozenTrial]) -> None:
        finished = [one for one in trials if one.state != TrialState.RUNNING]
        self.n_finished = len(finished)
        self.has_several = len(study.directions) > 1
        gamma = default_gamma_multiobjective if self.has_several else default_gamma
        below, above = _split_trials(study, finished, gamma(len(finished)))
        self._below = [one.params for one in below]
        self._above = [(one.number, one.params) for one in above]
        self._running: list[tuple[int, Params]] = [
            (one.number, one.params) for one in trials if one.state == TrialState.RUNNING
        ]
        self._next = len(trials)
        self._known: dict[Any, tuple[Observed, Observed, NDArray[np.int64]]] = {}
        self._good: dict[Any, _ParzenEstimator] = {}

    def add(self, params: Params) -> None:
        """Add a running trial, the last so far."""
        self._running.append((self._next, params))
        self._next += 1

    def turn_down(self) -> None:
        """Remove the trial that was added last."""
        self._running.pop()

    def good(self, space: dict[str, BaseDistribution], settings: Any) -> _ParzenEstimator:
        """Return the density of the parameters of the best trials.

        Args:
            space: The parameters.
            settings: Optuna's settings of a density.
        """
        key = tuple(space.items())
        if key not in self._good:
            observed, _, _ = self._observed(space)
            weights = np.ones(len(next(iter(observed.values())))) if self.has_several else None
            self._good[key] = _ParzenEstimator(observed, space, settings, weights)
        return self._good[key]

    def other(self, space: dict[str, BaseDistribution], settings: Any) -> _ParzenEstimator:
        """Return the density of the parameters of all other trials, running trials included."""
        _, ended, numbers = self._observed(space)
        running = [entry for entry in self._running if space.keys() <= entry[1].keys()]
        if running:
            found = observe(space, [params for _, params in running])
            # The latest weigh most.
            places = np.concatenate([numbers, [number for number, _ in running]])
            order = np.argsort(places, kind="stable")
            ended = {key: np.concatenate([ended[key], found[key]])[order] for key in space}
        return _ParzenEstimator(ended, space, settings)

    def _observed(
        self, space: dict[str, BaseDistribution]
    ) -> tuple[Observed, Observed, NDArray[np.int64]]:
        """Return the parameters of the best, those of the others, and the numbers of these."""
        key = tuple(space.items())
        if key not in self._known:
            wanted = space.keys()
            best = [params for params in self._below if wanted <= params.keys()]
            others = [entry for entry in self._above if wanted <= entry[1].keys()]
            self._known[key] = (
                observe(space, best),
                observe(space, [params for _, params in others]),
                np.array([number for number, _ in others], dtype=np.int64),
            )
        return self._known[key]


def observe(space: Mapping[str, BaseDistribution], trials: Sequence[Params]) -> Observed:
    """Return parameters in Optuna's numeric form: choices by index.

    Args:
        space: The parameters.
        trials: Trials that have all of them.

    Shape:
        each (T,).
    """
    found: Observed = {}
    for name, distribution in space.items():
        if isinstance(distribution, CategoricalDistribution):
            place = {choice: i for i, choice in enumerate(distribution.choices)}
            values = [place[params[name]] for params in trials]
        else:
            values = [params[name] for params in trials]
        found[name] = np.asarray(values, dtype=np.float64)
    return found
