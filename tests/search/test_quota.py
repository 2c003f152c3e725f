from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloss.core.errors import InputError
from autoloss.search.quota import (
    PLAIN,
    SMOOTHED,
    Arm,
    counted,
    must_be_cross_entropy,
    plan_families,
)

BASES = ("focal", "power", "poly1", "generalized_cross_entropy", "bi_tempered", "sm_softmax")
budgets = st.integers(1, 600)
some_bases = st.lists(st.sampled_from(("cross_entropy", "brier", *BASES)), unique=True)


@given(some_bases, budgets)
def test_a_plan_keeps_to_its_budget_and_begins_with_cross_entropy(bases, trials):
    plan = plan_families(bases, trials)
    arms = plan.first + plan.then
    assert 1 <= len(arms) <= trials
    assert arms[0] == PLAIN
    assert arms[: min(3, trials)] == (PLAIN, SMOOTHED, Arm("brier"))[:trials]


@given(some_bases, budgets)
def test_every_family_has_the_literature_default_and_its_quota(bases, trials):
    plan = plan_families(bases, trials)
    counts = Counter(arm.family for arm in plan.first + plan.then if arm != SMOOTHED)
    expected = min(max(trials // (2 * len(plan.families)), 4), 15)
    assert plan.quota == expected
    if trials >= 6:
        assert all(counts[family] == plan.quota for family in plan.families)
        assert {arm.family for arm in plan.first} >= set(plan.families)


@given(some_bases, budgets)
def test_a_short_budget_drops_families_from_the_end_and_never_the_quota(bases, trials):
    plan = plan_families(bases, trials)
    larger = plan_families(bases, trials + 200)
    wanted = [base for base in bases if base not in ("cross_entropy", "brier")]
    searched = [family for family in plan.families if family in wanted]
    assert searched + list(plan.dropped) == wanted or set(plan.dropped) >= {"brier"}
    assert set(plan.families) - {"brier"} <= set(larger.families)
    assert plan.quota >= 4


@given(st.lists(st.sampled_from(BASES), min_size=1, unique=True), st.integers(12, 600))
def test_baselines_take_at_most_half(bases, trials):
    plan = plan_families(bases, trials)
    arms = plan.first + plan.then
    baselines = sum(arm in (PLAIN, SMOOTHED, Arm("brier")) for arm in arms)
    assert baselines <= trials / 2 or len(plan.families) == 1


@given(some_bases, budgets)
def test_cross_entropy_is_never_behind_while_quotas_are_filled(bases, trials):
    plan = plan_families(bases, trials)
    counts: Counter[str] = Counter()
    for arm in plan.first + plan.then:
        counts["plain" if arm == PLAIN else "smoothed" if arm == SMOOTHED else arm.family] += 1
        assert counts["plain"] >= max(n for name, n in counts.items() if name != "smoothed")


@given(some_bases, st.integers(24, 600))
def test_smoothed_cross_entropy_is_tuned_as_hard_as_a_family(bases, trials):
    plan = plan_families(bases, trials)
    arms = plan.first + plan.then
    left = trials - len(arms)
    assert arms.count(SMOOTHED) == plan.quota or left == 0
    assert arms.count(SMOOTHED) <= plan.quota


@given(some_bases, budgets, st.sets(st.sampled_from(("mixup", "distillation"))))
def test_cross_entropy_with_a_further_target_has_the_trials_of_a_family(bases, trials, further):
    plan = plan_families(bases, trials, ("none", "smoothing", *sorted(further)))
    arms = plan.first + plan.then
    assert len(arms) <= trials
    of_targets = Counter(arm.target for arm in arms if arm.role == "target")
    assert set(of_targets) <= further
    if trials >= 6:
        assert all(count == plan.quota for count in of_targets.values())
    if trials >= 60:
        assert set(of_targets) == further
    # The families and their quota are those of a space without the targets, or fewer.
    usual = plan_families(bases, trials)
    assert plan.families == usual.families[: len(plan.families)]
    assert further or plan == usual
    counts: Counter[Arm] = Counter()
    for arm in arms:
        counts[arm] += 1
        assert counts[PLAIN] == max(counts.values())


def test_a_family_may_not_overtake_cross_entropy():
    smoothed = {"base": "cross_entropy", "target": "smoothing", "smoothing.epsilon": 0.1}
    asked = counted([{"base": "cross_entropy"}, smoothed, {"base": "focal", "focal.gamma": 1.0}])
    assert must_be_cross_entropy(asked, "focal")
    assert not must_be_cross_entropy(asked, "brier")
    assert not must_be_cross_entropy(asked, "cross_entropy")


def test_no_trials_are_refused():
    with pytest.raises(InputError, match="trials must be at least 1, but got trials=0"):
        plan_families(BASES, 0)
