from __future__ import annotations

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autoloss.search.importance import importance
from autoloss.search.trial_facts import FACTS


def trials(*, widen):
    """Return trials whose loss depends on `lr` alone; half were drawn from wider ranges."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(60):
        wide = widen and i >= 30
        params = {
            "lr": float(np.exp(rng.uniform(np.log(1e-4), np.log(1e-2)))),
            "dropout": float(rng.uniform(0.0, 0.5)),
            "t": int(rng.integers(1, 5)),
            "base": str(rng.choice(["focal", "poly1"])),
        }
        found.append(
            optuna.trial.create_trial(
                params=params,
                distributions={
                    "lr": FloatDistribution(1e-4, 1e-1 if wide else 1e-2, log=True),
                    "dropout": FloatDistribution(0.0, 0.8 if wide else 0.5),
                    "t": IntDistribution(1, 8 if wide else 4),
                    "base": CategoricalDistribution(("focal", "poly1")),
                },
                value=0.0,
                user_attrs={
                    FACTS: {"metrics": {"refined_log_loss": abs(np.log(params["lr"] / 1e-3))}}
                },
            )
        )
    return found


@pytest.mark.parametrize("widen", [False, True])
def test_the_parameter_that_matters_has_the_largest_share(widen):
    shares = importance(trials(widen=widen))
    assert shares[0][0] == "lr"
    assert shares[0][1] > 0.5
    assert sum(share for _, share in shares) == pytest.approx(1.0)


def test_a_range_that_grew_in_between_counts_as_one():
    """The importance is that of trials that were all drawn from the wider range."""
    mixed = trials(widen=True)
    wide = {key: mixed[-1].distributions[key] for key in mixed[-1].distributions}
    whole = [
        optuna.trial.create_trial(
            params=one.params, distributions=wide, value=0.0, user_attrs=one.user_attrs
        )
        for one in mixed
    ]
    assert importance(mixed) == importance(whole)


def test_too_few_trials_say_nothing():
    assert importance(trials(widen=True)[:9]) == ()
