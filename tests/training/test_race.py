from __future__ import annotations

import math

import numpy as np
import pytest

from autoloss.settings import TrainingConfig
from autoloss.training import Passage, Race, Runner, rungs
from autoloss.training.race import FACTOR, LEAST_OF_FAMILY, LEAST_SEEN, NEAR

FAMILIES = ("cross_entropy", "brier", "focal")


def by_brute_force(passages: list[Passage], own: Passage) -> bool:
    """The rule in words: out by each value, unless protected or compared with too few."""
    before = [one for one in passages if one.time <= own.time]
    if own.runner.origin == "default" or len(before) < LEAST_SEEN:
        return False
    plain = sorted((one.values[0], one.runner.slot) for one in before if one.runner.plain)
    if own.runner.plain and plain[0][1] == own.runner.slot:
        return False
    if own.runner.origin == "quota":
        before = [one for one in before if one.runner.family == own.runner.family]
        if len(before) < LEAST_OF_FAMILY:
            return False
    stays = False
    for i, value in enumerate(own.values):
        better = sum(value > one.values[i] * (1 + NEAR) for one in before)
        stays = stays or better < math.ceil(len(before) / FACTOR)
    return not stays


@pytest.mark.parametrize("objectives", [1, 2])
def test_who_leaves_is_who_brute_force_finds(objectives: int) -> None:
    draw = np.random.default_rng(0)
    counts = {True: 0, False: 0}
    for _ in range(40):
        race, passages = Race(), []
        for slot in range(int(draw.integers(5, 40))):
            family = str(draw.choice(FAMILIES))
            runner = Runner(
                slot,
                family,
                str(draw.choice(["default", "quota", "sampler"], p=[0.1, 0.5, 0.4])),
                plain=family == "cross_entropy" and bool(draw.integers(2)),
            )
            values = tuple(draw.choice(np.linspace(0.3, 0.5, 30), objectives).tolist())
            passages.append(Passage(runner, values, int(draw.integers(5))))
            race.add(2, passages[-1])
        for one in passages:
            found = race.leaves(2, one.runner.slot)
            assert found == by_brute_force(passages, one)
            counts[found] += 1
    assert min(counts.values()) > 50


def entered(values: list[float], *, origin: str = "sampler", family: str = "brier") -> Race:
    race = Race()
    for slot, value in enumerate(values):
        race.add(2, Passage(Runner(slot, family, origin), (value,), 0))
    return race


def left(race: Race, count: int) -> list[int]:
    return [slot for slot in range(count) if race.leaves(2, slot)]


def test_the_best_third_and_its_near_ties_go_on() -> None:
    values = [0.1 * k for k in range(1, 10)]
    assert left(entered(values), 9) == list(range(3, 9))
    assert left(entered([*values[:3], 0.3002, *values[4:]]), 9) == list(range(4, 9))
    assert left(entered([0.4] * 12), 12) == []


def test_nobody_leaves_before_enough_were_seen() -> None:
    assert left(entered([0.1 * k for k in range(1, LEAST_SEEN)]), LEAST_SEEN - 1) == []


def test_a_default_stays_however_bad_and_so_does_the_best_plain_cross_entropy() -> None:
    race = entered([0.1 * k for k in range(1, 10)])
    race.add(2, Passage(Runner(20, "focal", "default"), (9.0,), 0))
    race.add(2, Passage(Runner(21, "cross_entropy", "sampler", plain=True), (8.0,), 0))
    race.add(2, Passage(Runner(22, "cross_entropy", "sampler", plain=True), (8.5,), 0))
    assert [race.leaves(2, slot) for slot in (20, 21, 22)] == [False, False, True]


def test_a_quota_is_compared_with_its_family_alone() -> None:
    race = entered([0.1 * k for k in range(1, 10)])
    for slot, value in [(30, 5.0), (31, 6.0), (32, 7.0)]:
        race.add(2, Passage(Runner(slot, "focal", "quota"), (value,), 0))
    assert [race.leaves(2, slot) for slot in (30, 31, 32)] == [False, True, True]


def test_who_comes_later_does_not_change_who_had_left() -> None:
    race = entered([0.1 * k for k in range(1, 10)])
    before = left(race, 9)
    for slot in range(40, 60):
        race.add(2, Passage(Runner(slot, "brier", "sampler"), (0.01,), 1))
    assert left(race, 9) == before


def test_with_two_objectives_only_who_is_out_by_both_leaves() -> None:
    race = Race()
    for slot in range(10):
        values = (0.1 * (slot + 1), 0.1 * (10 - slot))
        race.add(2, Passage(Runner(slot, "brier", "sampler"), values, 0))
    assert left(race, 10) == [4, 5]


@pytest.mark.parametrize(
    ("epochs", "decay", "expected"),
    [
        (40, 0.5, (2, 6, 18)),
        (20, 0.5, (2, 6)),
        (20, 0.0, (2, 6, 18)),
        (2, 0.0, ()),
        (6, 1.0, ()),
    ],
)
def test_rungs_lie_before_the_decay(epochs: int, decay: float, expected: tuple) -> None:
    assert rungs(TrainingConfig(max_epochs=epochs, decay=decay)) == expected
