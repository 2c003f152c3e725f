from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from autoloss.losses import ClassFacts, LossSpec
from autoloss.search import load_space, plan_families
from autoloss.search.edges import Tried, Tries, best_of, outer_ends, widened_ranges
from autoloss.search.growth import ends_of
from autoloss.search.probes import PROBES, next_probe
from autoloss.search.proposals import propose
from autoloss.search.quota import counted
from autoloss.search.sampler import Suggester

SPACE = load_space("default").for_classes(ClassFacts(torch.tensor([50, 50])))
PLAN = plan_families(SPACE.bases, 128)
LR = SPACE.ranges["lr"]
NUISANCE = {"lr": 2e-3, "weight_decay": 1e-2, "dropout": 0.1}


def tried(refined=0.5, *, family="focal", widened=None, **values):
    loss = LossSpec.default(family).to_dict()
    dotted = {key.replace("__", "."): value for key, value in values.items()}
    return Tried({**loss, **NUISANCE, **dotted}, refined=refined, widened=widened or {})


def history(*, family="focal", refined=0.5, **values):
    return [tried(refined, family=family, **values), *[tried(0.7, family=family)] * 3]


def probes(found, *, quota=4, seed=0):
    """Return the probes of histories until there are none, each asked as it comes."""
    asked = []
    widened = widened_ranges(found, SPACE, quota=quota)
    while probe := next_probe(found, SPACE, widened, seed=seed, slot=80 + len(asked)):
        asked.append(probe)
        ends = ends_of(widened[probe.family])
        found[probe.family].append(Tried(probe.values, has_ended=False, widened=ends))
        assert len(asked) < 20
    return asked


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("key", "value"), [("lr", 9.9e-3), ("lr", 3.1e-4), ("focal.gamma", 4.9), ("dropout", 0.49)]
)
def test_a_grown_part_is_looked_into_once_near_and_once_far(key, value, seed):
    found = {"focal": history(**{key.replace(".", "__"): value})}
    best = found["focal"][0].values
    wider = widened_ranges(found, SPACE, quota=4)["focal"][key]
    asked = probes(found, seed=seed)
    assert len(asked) == PROBES
    scale = math.log if wider.log else float
    end = wider.high if value > wider.default else wider.low
    shares = []
    for probe in asked:
        assert {k: v for k, v in probe.values.items() if k != key} == {
            k: v for k, v in best.items() if k != key
        }
        shares.append((scale(probe.values[key]) - scale(value)) / (scale(end) - scale(value)))
    assert 0.0 <= shares[0] <= 0.5 <= shares[1] <= 1.0


def test_each_setting_at_an_end_has_its_own_probes_and_the_better_family_comes_first():
    found = {
        "focal": history(lr=9.9e-3, dropout=0.49),
        "poly1": history(family="poly1", refined=0.4, lr=9.9e-3),
    }
    asked = probes(found)
    assert [probe.family for probe in asked] == ["poly1"] * 2 + ["focal"] * 4
    moved = [next(k for k in NUISANCE if p.values[k] > SPACE.ranges[k].high) for p in asked]
    assert moved == ["lr", "lr", "lr", "lr", "dropout", "dropout"]


def test_a_better_value_further_out_is_followed_and_a_worse_one_is_not():
    found = {"focal": history(lr=9.9e-3)}
    widened = widened_ranges(found, SPACE, quota=4)
    ends = ends_of(widened["focal"])
    near, far = (tried(0.6, lr=lr, widened=ends) for lr in (2e-2, 4e-2))
    assert probes({"focal": [*found["focal"], near, far]}) == []
    better = tried(0.4, lr=3e-2, widened=ends)
    (probe,) = probes({"focal": [*found["focal"], near, better]})
    assert 3e-2 < probe.values["lr"] <= ends["lr"][1]
    at_end = tried(0.4, lr=ends["lr"][1], widened=ends)
    asked = probes({"focal": [*found["focal"], near, at_end]})
    assert len(asked) == PROBES
    assert all(probe.values["lr"] > ends["lr"][1] for probe in asked)


def test_no_probe_if_the_best_lies_inside_or_the_range_cannot_grow():
    assert probes({"focal": history(lr=5e-3)}) == []
    assert probes({"bi_tempered": history(family="bi_tempered", bi_tempered__t1=1.0)}) == []
    assert probes({"focal": history(dropout=0.0)}) == []


def test_a_range_at_its_largest_is_probed_no_more_than_once():
    wide = {"lr": (LR.low, 1.0)}
    history = [tried(0.5, lr=0.99, widened=wide), *[tried(0.7, lr=0.5, widened=wide)] * 3]
    assert len(probes({"focal": history})) == 1


@pytest.mark.parametrize("is_ahead", [False, True])
def test_a_probe_takes_the_turn_of_the_sampler_unless_cross_entropy_would_fall_behind(is_ahead):
    found = {"focal": history(lr=9.9e-3)}
    widened = widened_ranges(found, SPACE, quota=4)
    slot = len(PLAN.first + PLAN.then)
    probe = next_probe(found, SPACE, widened, seed=0, slot=slot)
    draws = Suggester(SPACE, PLAN.families, [], seed=0, directions=["minimize"], widened=widened)
    losses = [{"base": "cross_entropy"}, {"base": "focal", "focal.gamma": 2.0}]
    asked = propose(
        slot,
        space=SPACE,
        plan=PLAN,
        suggester=draws,
        counts=counted([losses[0], *losses[is_ahead:]] if is_ahead else losses[:1]),
        probe=probe,
    )
    assert asked.origin == "sampler"
    if is_ahead:
        assert asked.spec == LossSpec()
        return
    assert {**asked.spec.to_dict(), **asked.nuisance} == probe.values
    # The sampler learns from it.
    assert asked.params["lr"] == probe.values["lr"] > LR.high
    assert asked.distributions["lr"].high == widened["focal"]["lr"].high


def test_the_sampler_has_every_other_turn():
    slots = range(len(PLAN.first + PLAN.then) + 6)
    assert [slot for slot in slots if PLAN.may_probe(slot)] == [*slots][-6::2]


def test_trials_that_are_added_tell_what_all_of_them_would():
    wide = {"lr": (LR.low, 0.5)}
    first = [tried(0.5, lr=9.9e-3), *(tried(0.7, lr=0.02 * i, widened=wide) for i in range(1, 4))]
    later = [tried(None, lr=0.3, widened=wide), tried(0.4, lr=0.2, widened=wide)]
    grown = Tries(first)
    assert best_of(grown) is first[0]
    for side in ("low", "high"):
        outer_ends("lr", LR, grown, 0.04, side)
    grown += later
    assert best_of(grown) is later[1]
    for side, value in (("low", 0.04), ("high", 0.04), ("high", 0.3), ("high", 0.4)):
        ends = outer_ends("lr", LR, [*first, *later], value, side)
        assert np.array_equal(outer_ends("lr", LR, grown, value, side), ends)
