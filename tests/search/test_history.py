from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.samplers import TPESampler

from autoloss.search import load_space, plan_families
from autoloss.search.suggest import Seen, Suggester, quiet

SPACE = load_space("default").for_classes([900, 100])
FAMILIES = plan_families(SPACE.bases, 128).families
STATES = {
    "complete": optuna.trial.TrialState.COMPLETE,
    "pruned": optuna.trial.TrialState.PRUNED,
    "running": optuna.trial.TrialState.RUNNING,
}


def history(n, directions):
    """Trials of all states, two of three complete, whose figures are drawn."""
    draws = Suggester(SPACE, FAMILIES, [], seed=5, directions=directions)
    rng = np.random.default_rng(0)
    found = []
    for slot in range(n):
        drawn = draws.draw(slot, {}, learns=False)
        state = ("complete", "pruned", "complete", "running", "complete", "complete")[slot % 6]
        values = tuple(rng.random(len(directions))) if state == "complete" else ()
        left = (2, float(rng.random())) if state == "pruned" and len(directions) == 1 else None
        found.append(Seen(slot, drawn.params, drawn.distributions, state, values, left))
    return found


def of_optuna(seen, suggester, slot, *, seed, directions):
    """What Optuna's own sampler draws, each parameter asked of it in the same order."""
    with quiet():
        study = optuna.create_study(directions=directions)
    for one in seen:
        study.add_trial(
            optuna.trial.create_trial(
                state=STATES[one.state],
                params=dict(one.params),
                distributions=dict(one.distributions),
                values=list(one.values) if one.state == "complete" else None,
                intermediate_values=dict([one.reported]) if one.reported else None,
            )
        )
    entropy = int(np.random.SeedSequence([seed, slot, 0]).generate_state(1)[0])
    study.sampler = TPESampler(seed=entropy)
    study.sampler.infer_relative_search_space = lambda *_: suggester._together
    trial = study.ask()
    drawn = {}
    for key, distribution in suggester.draw(slot, {}).distributions.items():
        drawn[key] = trial._suggest(key, distribution)
    return drawn


@pytest.mark.parametrize("directions", [["minimize"], ["maximize"], ["minimize", "minimize"]])
@pytest.mark.parametrize("n", [6, 40, 120])
def test_draws_are_those_of_optunas_sampler_on_the_same_trials(n, directions):
    seen = history(n, directions)
    one, other = (
        Suggester(SPACE, FAMILIES, seen, seed=1, directions=directions) for _ in range(2)
    )
    for slot in range(n, n + 3):
        drawn = one.draw(slot, {})
        assert drawn.params == of_optuna(seen, other, slot, seed=1, directions=directions)
        seen = [*seen, Seen(slot, drawn.params, drawn.distributions, "running")]


def test_a_population_reads_what_was_seen_once(monkeypatch):
    read = []
    from autoloss.search import history as module

    observe = module.observe
    monkeypatch.setattr(
        module, "observe", lambda space, t: read.append(len(t)) or observe(space, t)
    )
    seen = history(120, ["minimize"])
    draws = Suggester(SPACE, FAMILIES, seen, seed=1, directions=["minimize"])
    for slot in range(120, 136):
        draws.draw(slot, {})
    finished = sum(one.state != "running" for one in seen)
    together = [n for n in read if n >= finished // 2]
    # The best and the others of the common parameters; all else is what runs, or one parameter.
    assert len(together) == 1


def test_what_is_drawn_together_lies_in_the_range_of_its_family(monkeypatch):
    grown = replace(SPACE.ranges["lr"], high=1.0)
    wide = {family: {"lr": grown} for family in FAMILIES[:4]}
    seen = history(120, ["minimize"])
    draws = Suggester(SPACE, FAMILIES, seen, seed=1, directions=["minimize"], widened=wide)
    alone = []
    sampler = sys.modules[Suggester.__module__]._Sampler
    real = sampler.sample_independent
    monkeypatch.setattr(sampler, "sample_independent", lambda *a: alone.append(a[3]) or real(*a))
    for slot in range(120, 200):
        drawn = draws.draw(slot, {})
        family = drawn.params["base"]
        high = 1.0 if family in wide else SPACE.ranges["lr"].high
        assert drawn.params["lr"] <= high
    assert alone.count("lr") <= 4
