from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import optuna
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.samplers import TPESampler

from autoloss.losses import ClassFacts, LossSpec
from autoloss.search import load_space, plan_families
from autoloss.search.proposals import propose
from autoloss.search.sampler import LARGEST_HISTORY, Observation, Suggester, limited, quiet

SPACE = load_space("default").for_classes(ClassFacts(torch.tensor([900, 100])))
MINIMIZE = ["minimize"]
FAMILIES = plan_families(SPACE.bases, 128).families
STATES = {
    "complete": optuna.trial.TrialState.COMPLETE,
    "pruned": optuna.trial.TrialState.PRUNED,
    "running": optuna.trial.TrialState.RUNNING,
}


def suggester(seen=(), *, seed=0, space=SPACE, trials=128, directions=MINIMIZE, widened=None):
    plan = plan_families(space.bases, trials)
    return Suggester(
        space, plan.families, list(seen), seed=seed, directions=directions, widened=widened
    )


def as_seen(slot, drawn, value):
    return Observation(slot, drawn.params, drawn.distributions, "complete", (value,))


def history(n, *, seed=0):
    draws = suggester(seed=seed)
    rng = np.random.default_rng(seed)
    return [as_seen(slot, draws.draw(slot, {}), float(rng.random())) for slot in range(n)]


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.integers(0, 10_000))
def test_a_draw_has_the_parameters_of_its_branch_and_is_a_loss(seed, slot):
    drawn = suggester(seed=seed).draw(slot, {}).params
    chosen = {drawn[kind] for kind in ("base", "prior", "target")}
    dotted = {key for key in drawn if "." in key}
    assert {key.partition(".")[0] for key in dotted} <= chosen
    of_branch = {key for owner in chosen for key in SPACE.keys_of(owner)}
    assert dotted == of_branch & set(SPACE.ranges)
    loss = {
        key: value for key, value in drawn.items() if key not in ("lr", "weight_decay", "dropout")
    }
    spec = LossSpec.from_dict(loss)
    assert spec.base == drawn["base"]
    for key in ("lr", "weight_decay", "dropout"):
        assert SPACE.ranges[key].low <= drawn[key] <= SPACE.ranges[key].high


def test_the_same_history_gives_the_same_draws_however_many_are_asked_at_once():
    seen = history(20)
    together = suggester(seen)
    first = [together.draw(slot, {}).params for slot in range(20, 26)]
    again = suggester(seen[::-1])
    assert [again.draw(slot, {}).params for slot in range(20, 26)] == first
    other_seed = suggester(seen, seed=1)
    assert other_seed.draw(20, {}).params != first[0]


def test_a_running_draw_is_seen_and_a_rejected_draw_is_not():
    seen = history(20)
    one, other = suggester(seen), suggester(seen)
    drawn = one.draw(20, {})
    other.draw(20, {})
    other.turn_down()
    resumed = suggester([*seen, Observation(20, drawn.params, drawn.distributions, "running")])
    assert one.draw(21, {}).params == resumed.draw(21, {}).params
    assert other.draw(21, {}).params == suggester(seen).draw(21, {}).params


def test_the_sampler_sees_so_many_finished_trials_the_best_and_the_latest():
    (drawn,) = history(1)
    seen = [
        Observation(slot, drawn.params, drawn.distributions, "complete", (abs(slot - 100.0),))
        for slot in range(1500)
    ]
    running = Observation(1500, drawn.params, drawn.distributions, "running")
    kept = [one.slot for one in limited([*seen, running], MINIMIZE)]
    assert len(kept) == LARGEST_HISTORY + 1
    assert kept == sorted(kept)
    best, latest = LARGEST_HISTORY // 5, LARGEST_HISTORY * 4 // 5
    assert set(range(101 - best // 2, 100 + best // 2)) <= set(kept)
    assert set(range(1500 - latest, 1501)) <= set(kept)
    best_of_higher = [one.slot for one in limited(seen, ["maximize"])]
    assert 100 not in best_of_higher


@pytest.mark.parametrize("name", ["default", "quick", "imbalanced", "calibration", "noisy_labels"])
@pytest.mark.parametrize("trials", [6, 40, 300])
def test_the_first_population_is_the_literature(name, trials):
    space = load_space(name).for_classes(ClassFacts(torch.tensor([900, 50, 50])))
    plan = plan_families(space.bases, trials)
    draws = Suggester(space, plan.families, [], seed=3, directions=MINIMIZE)
    asked = [
        propose(slot, space=space, plan=plan, suggester=draws, counts={})
        for slot in range(len(plan.first))
    ]
    expected = [
        {"base": "cross_entropy"},
        {"base": "cross_entropy", "target": "smoothing", "smoothing.epsilon": 0.1},
        {"base": "brier"},
        *(
            LossSpec.default(f).to_dict()
            for f in plan.families
            if f not in ("cross_entropy", "brier")
        ),
    ]
    assert [proposal.spec.to_dict() for proposal in asked] == expected
    assert {proposal.origin for proposal in asked} == {"default"}
    assert all(p.nuisance["lr"] == space.default("lr") for p in asked)


def test_cross_entropy_with_another_target_is_tried_for_itself():
    overrides = {"targets": ["none", "smoothing", "mixup"]}
    space = load_space("default", overrides=overrides).for_classes(
        ClassFacts(torch.tensor([50, 50]))
    )
    plan = plan_families(space.bases, 128, space.targets)
    draws = Suggester(space, plan.families, [], seed=0, directions=MINIMIZE)
    asked = [
        (plan.arm(slot), propose(slot, space=space, plan=plan, suggester=draws, counts={}))
        for slot in range(len(plan.first + plan.then))
    ]
    mixed = [one for arm, one in asked if arm.role == "target"]
    assert len(mixed) == plan.quota
    specs = [one.spec.to_dict() for one in mixed]
    assert all(set(spec) == {"base", "target", "mixup.alpha"} for spec in specs)
    assert specs[0]["mixup.alpha"] == space.default("mixup.alpha")
    assert len({spec["mixup.alpha"] for spec in specs}) == plan.quota
    # The sampler learns from them.
    assert all(one.params for one in mixed)


def test_a_baseline_outside_the_space_runs_and_is_not_shown_to_the_sampler():
    overrides = {
        "bases": ["focal", "poly1"],
        "targets": ["none"],
        "temperature": {"low": 2.0, "high": 4.0},
        "lr": 0.01,
    }
    space = load_space("default", overrides=overrides).for_classes(
        ClassFacts(torch.tensor([50, 50]))
    )
    plan = plan_families(space.bases, 13)
    draws = Suggester(space, plan.families, [], seed=0, directions=MINIMIZE)
    asked = [
        propose(slot, space=space, plan=plan, suggester=draws, counts={}) for slot in range(13)
    ]
    assert asked[0].spec == LossSpec()
    assert asked[1].spec["smoothing.epsilon"] == 0.1
    assert asked[2].spec == LossSpec("brier")
    assert [bool(one.params) for one in asked[:3]] == [False, False, False]
    assert all(one.nuisance["lr"] == 0.01 for one in asked)
    free = [one for one in asked if one.spec.base != "cross_entropy" and one.params]
    assert free
    assert all(2.0 <= one.spec.temperature <= 4.0 for one in free)


@pytest.mark.parametrize("directions", [MINIMIZE, ["minimize", "minimize"]])
def test_a_wider_range_is_drawn_from_for_its_family_alone(directions):
    lr, gamma = SPACE.ranges["lr"], SPACE.ranges["focal.gamma"]
    widened = {"focal": {"lr": replace(lr, high=0.1), "focal.gamma": replace(gamma, high=9.0)}}
    rng = np.random.default_rng(0)
    draws = suggester(widened=widened, directions=directions)
    seen = []
    for slot in range(40):
        drawn = draws.draw(slot, {"base": "focal"} if slot % 2 else {})
        # The larger the learning rate, the better.
        values = (-np.log(drawn.params["lr"]) + 0.1 * rng.random(),) * len(directions)
        seen.append(Observation(slot, drawn.params, drawn.distributions, "complete", values))
    draws = suggester(seen, widened=widened, directions=directions)
    later = [draws.draw(slot, {"base": "focal"}) for slot in range(40, 60)]
    assert sum(one.params["lr"] > lr.high for one in later) > 10
    assert any(one.params["focal.gamma"] > gamma.high for one in later)
    assert all(one.distributions["lr"].high == 0.1 for one in later)
    others = [draws.draw(slot, {"base": "poly1"}) for slot in range(60, 80)]
    assert all(lr.low <= one.params["lr"] <= lr.high for one in others)
    assert all(one.distributions["lr"].high == lr.high for one in others)
    free = [draws.draw(slot, {}).params for slot in range(80, 120)]
    assert {one["base"] for one in free if one["lr"] > lr.high} <= {"focal"}


def test_no_result_takes_part_in_a_quota_and_every_setting_of_a_family_is_drawn():
    plan = plan_families(SPACE.bases, 128)
    first = len(plan.first)
    slots = range(first, first + len(plan.then))
    seen = history(30)
    widened = {"focal": {"lr": replace(SPACE.ranges["lr"], high=0.1)}}
    asked = {}
    for label, draws in {
        "none": suggester(),
        "seen": suggester(seen),
        "otherwise": suggester([replace(one, values=(-one.values[0],)) for one in seen]),
        "wider": suggester(seen, widened=widened),
    }.items():
        proposals = [
            propose(slot, space=SPACE, plan=plan, suggester=draws, counts={}) for slot in slots
        ]
        asked[label] = [(one.spec, one.nuisance) for one in proposals]
        assert {one.origin for one in proposals} == {"quota"}
    assert asked["none"] == asked["seen"] == asked["otherwise"] == asked["wider"]
    for family in plan.families:
        of_family = [
            one
            for one, arm in zip(asked["none"], plan.then, strict=True)
            if arm.family == family and arm.role != "smoothed"
        ]
        assert len(of_family) >= plan.quota - 1
        for key in ("lr", "weight_decay", "dropout"):
            assert len({nuisance[key] for _, nuisance in of_family}) == len(of_family)
        for key in set(SPACE.keys_of(family)) & set(SPACE.ranges):
            assert len({loss[key] for loss, _ in of_family}) > 1


def test_the_quotas_of_all_families_share_the_settings_besides_the_loss():
    plan = plan_families(SPACE.bases, 256)
    first = len(plan.first)
    slots = range(first, first + len(plan.then))
    by_arm = {}
    for slot, arm in zip(slots, plan.then, strict=True):
        found = propose(slot, space=SPACE, plan=plan, suggester=suggester(), counts={})
        by_arm.setdefault(arm, []).append(found.nuisance)
    longest = max(by_arm.values(), key=len)
    assert len(by_arm) == len(plan.families) + 1
    assert all(own == longest[: len(own)] for own in by_arm.values())
    for key in ("lr", "weight_decay", "dropout"):
        one = SPACE.ranges[key]
        values = np.array([own[key] for own in longest])
        assert np.all((one.low <= values) & (values <= one.high))
        if one.log:
            values = np.log(values)
        low, high = np.log([one.low, one.high]) if one.log else (one.low, one.high)
        shares = np.sort((values - low) / (high - low))
        # Even draws: no gap of more than a third, where independent draws leave some.
        assert np.diff([0.0, *shares, 1.0]).max() < 1 / 3
    other = propose(
        first,
        space=SPACE,
        plan=plan,
        suggester=Suggester(SPACE, FAMILIES, [], seed=99, directions=["minimize"]),
        counts={},
    )
    assert other.nuisance != longest[0]


def of_all_states(n, directions):
    """Trials of all states, two of three complete, whose figures are drawn."""
    draws = Suggester(SPACE, FAMILIES, [], seed=5, directions=directions)
    rng = np.random.default_rng(0)
    found = []
    for slot in range(n):
        drawn = draws.draw(slot, {}, learns=False)
        state = ("complete", "pruned", "complete", "running", "complete", "complete")[slot % 6]
        values = tuple(rng.random(len(directions))) if state == "complete" else ()
        left = (2, float(rng.random())) if state == "pruned" and len(directions) == 1 else None
        found.append(Observation(slot, drawn.params, drawn.distributions, state, values, left))
    return found


def of_optuna(seen, suggester, slot, *, seed, directions):
    """The draws of Optuna's own sampler, asked for each parameter in the same order."""
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
    study.sampler.infer_relative_search_space = lambda *_: suggester._joint
    trial = study.ask()
    drawn = {}
    for key, distribution in suggester.draw(slot, {}).distributions.items():
        drawn[key] = trial._suggest(key, distribution)
    return drawn


@pytest.mark.parametrize("directions", [MINIMIZE, ["maximize"], ["minimize", "minimize"]])
@pytest.mark.parametrize("n", [6, 40, 120])
def test_draws_equal_optunas_sampler_on_the_same_trials(n, directions):
    seen = of_all_states(n, directions)
    one, other = (
        Suggester(SPACE, FAMILIES, seen, seed=1, directions=directions) for _ in range(2)
    )
    for slot in range(n, n + 3):
        drawn = one.draw(slot, {})
        assert drawn.params == of_optuna(seen, other, slot, seed=1, directions=directions)
        seen = [*seen, Observation(slot, drawn.params, drawn.distributions, "running")]


def test_joint_draws_lie_in_the_ranges_of_their_family(monkeypatch):
    grown = replace(SPACE.ranges["lr"], high=1.0)
    wide = {family: {"lr": grown} for family in FAMILIES[:4]}
    seen = of_all_states(120, MINIMIZE)
    draws = Suggester(SPACE, FAMILIES, seen, seed=1, directions=MINIMIZE, widened=wide)
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
