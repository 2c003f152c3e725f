"""Successive halving: who continues after a rung."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autoloss.training import Passage, Race, rungs
from autoloss.training.race import FACTOR, LEAST_SEEN


def by_brute_force(passages: list[Passage], own: Passage) -> bool:
    """The rule in words: fewer than a third of those seen are better, by one of the values."""
    before = [one for one in passages if one.wave <= own.wave]
    if len(before) < LEAST_SEEN:
        return True
    better = [sum(value > one.values[i] for one in before) for i, value in enumerate(own.values)]
    return any(count < math.ceil(len(before) / FACTOR) for count in better)


@pytest.mark.parametrize("objectives", [1, 2])
def test_who_stays_is_who_brute_force_finds(objectives: int) -> None:
    draw = np.random.default_rng(0)
    counts = {True: 0, False: 0}
    for _ in range(40):
        race, passages = Race(), []
        for slot in range(int(draw.integers(1, 40))):
            values = tuple(draw.choice(np.linspace(0.3, 0.5, 30), objectives).tolist())
            passages.append(Passage(slot, values, int(draw.integers(5))))
            race.add(2, passages[-1])
        for one in passages:
            found = one.slot in race.staying(2, one.wave)
            assert found == by_brute_force(passages, one)
            counts[found] += 1
    assert min(counts.values()) > 50


def entered(values: list[float]) -> Race:
    race = Race()
    for slot, value in enumerate(values):
        race.add(2, Passage(slot, (value,), 0))
    return race


def test_the_best_third_goes_on_and_so_do_equals() -> None:
    values = [0.1 * k for k in range(1, 10)]
    assert entered(values[::-1]).staying(2, 0) == [8, 7, 6]
    assert entered([*values[:3], values[2], *values[4:]]).staying(2, 0) == [0, 1, 2, 3]
    assert entered([0.4] * 12).staying(2, 0) == list(range(12))


def test_nobody_leaves_before_enough_were_seen() -> None:
    few = LEAST_SEEN - 1
    assert len(entered([0.1 * k for k in range(few)]).staying(2, 0)) == few


def test_a_later_wave_is_compared_with_all_before_and_changes_none_of_them() -> None:
    race = entered([0.1 * k for k in range(1, 10)])
    before = race.staying(2, 0)
    race.add(2, Passage(9, (0.35,), 1))
    assert race.staying(2, 1) == [9]
    race.add(2, Passage(10, (0.41,), 2))
    assert race.staying(2, 2) == []
    assert race.staying(2, 0) == before


def test_rungs_do_not_know_each_other() -> None:
    race = entered([0.1 * k for k in range(1, 10)])
    race.add(6, Passage(8, (0.9,), 0))
    assert race.staying(6, 0) == [8]


def test_with_two_objectives_only_who_is_out_by_both_leaves() -> None:
    race = Race()
    for slot in range(10):
        race.add(2, Passage(slot, (0.1 * (slot + 1), 0.1 * (10 - slot)), 0))
    assert set(range(10)) - set(race.staying(2, 0)) == {4, 5}


def test_the_best_of_a_role_and_of_the_best_families_leads() -> None:
    race = Race()
    values = {"brier": (0.3, 0.2), "focal": (0.4, 0.6), "cross_entropy": (0.9, 0.8)}
    for k, (family, own) in enumerate(values.items()):
        roles = frozenset({"tuned"} if family == "cross_entropy" else {"other"})
        for i, value in enumerate(own):
            race.add(2, Passage(2 * k + i, (value,), 0, family, roles))
    assert race.leading(2, 0, families=0) == [1, 5]
    assert race.leading(2, 0, families=2) == [1, 2, 5]
    assert race.leading(2, 0, families=9) == [1, 2, 5]
    # In a later wave only who is better than everyone before leads.
    race.add(2, Passage(6, (0.85,), 1, "cross_entropy", frozenset({"tuned"})))
    race.add(2, Passage(7, (0.25,), 1, "focal", frozenset({"other"})))
    assert race.leading(2, 1, families=2) == [7]


@pytest.mark.parametrize(
    ("epochs", "decay", "expected"),
    [
        (40, 0.5, (4, 12)),
        (20, 0.5, (2, 6)),
        (16, 0.5, (2, 6)),
        (100, 0.5, (10, 30)),
        (2, 0.0, (1,)),
        (6, 1.0, ()),
        (1, 0.0, ()),
    ],
)
def test_rungs_lie_before_the_decay(epochs: int, decay: float, expected: tuple) -> None:
    assert rungs(epochs, decay) == expected
