"""The importance of each parameter for the log loss after calibration."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from autoloss.records import REFINED_LOG_LOSS
from autoloss.search.sampler import quiet
from autoloss.search.trial_facts import FACTS

_FEWEST = 10


def importance(trials: Sequence[FrozenTrial]) -> tuple[tuple[str, float], ...]:
    """Return parameters with their share of the importance, largest first; they sum to 1.

    PED-ANOVA handles parameters that only some trials have. The result is empty if too few trials
    are complete.

    Args:
        trials: The trials of a study.
    """
    complete = [one for one in trials if one.state == TrialState.COMPLETE and one.params]
    if len(complete) < _FEWEST:
        return ()
    with quiet():
        study = optuna.create_study()
    for trial, distributions in zip(complete, _shared_ranges(complete), strict=True):
        study.add_trial(
            optuna.trial.create_trial(
                params=trial.params,
                distributions=distributions,
                value=trial.user_attrs[FACTS]["metrics"][REFINED_LOG_LOSS],
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return tuple((key, float(share)) for key, share in shares.items() if share > 0)


def _shared_ranges(trials: Sequence[FrozenTrial]) -> list[dict[str, BaseDistribution]]:
    """Return the distributions of each trial, with the same range for a parameter in all trials.

    PED-ANOVA treats trials with different ranges as different experiments, so a range that grew
    would make its parameter look less important.
    """
    shared: dict[str, BaseDistribution] = {}
    for trial in trials:
        for key, now in trial.distributions.items():
            before = shared.setdefault(key, now)
            if isinstance(now, FloatDistribution) and isinstance(before, FloatDistribution):
                low, high = min(now.low, before.low), max(now.high, before.high)
                shared[key] = FloatDistribution(low, high, log=now.log)
            elif isinstance(now, IntDistribution) and isinstance(before, IntDistribution):
                whole = min(now.low, before.low), max(now.high, before.high)
                shared[key] = IntDistribution(*whole, log=now.log)
    return [{key: shared[key] for key in trial.distributions} for trial in trials]
