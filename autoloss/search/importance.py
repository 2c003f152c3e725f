"""How much each parameter matters to the log loss after calibration."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from autoloss.search.facts import FACTS
from autoloss.search.space import REFINED
from autoloss.search.suggest import quiet

_FEWEST = 10


def importance(trials: Sequence[FrozenTrial]) -> tuple[tuple[str, float], ...]:
    """Return parameters with their share of the importance, largest first, summing to 1.

    PED-ANOVA, which handles parameters that only some trials have. Empty where too few trials
    ended to say.

    Args:
        trials: The trials of a study.
    """
    with quiet():
        study = optuna.create_study()
    for trial in trials:
        if trial.state == TrialState.COMPLETE and trial.params:
            study.add_trial(
                optuna.trial.create_trial(
                    params=trial.params,
                    distributions=trial.distributions,
                    value=trial.user_attrs[FACTS]["metrics"][REFINED],
                )
            )
    if len(study.get_trials(deepcopy=False)) < _FEWEST:
        return ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return tuple((key, float(share)) for key, share in shares.items() if share > 0)
