from __future__ import annotations

import math

import numpy as np
import pytest

from autoloss.core.settings import TrainingConfig
from autoloss.records import CurvePoint
from autoloss.training import Passage, Race, best_so_far, rungs
from autoloss.training.race import FACTOR, LEAST_SEEN


def by_brute_force(passages: list[Passage], own: Passage) -> bool:
    """The rule in words: a third of those seen, or more, are better; by each value."""
    before = [one for one in passages if one.time <= own.time]
    if len(before) < LEAST_SEEN:
        return False
    better = [sum(value > one.values[i] for one in before) for i, value in enumerate(own.values)]
    return all(count >= math.ceil(len(before) / FACTOR) for count in better)


@pytest.mark.parametrize("objectives", [1, 2])
def test_who_leaves_is_who_brute_force_finds(objectives: int) -> None:
    draw = np.random.default_rng(0)
    counts = {True: 0, False: 0}
    for _ in range(40):
        race, passages = Race(), []
        for slot in range(int(draw.integers(1, 40))):
            values = tuple(draw.choice(np.linspace(0.3, 0.5, 30), objectives).tolist())
            passages.append(Passage(slot, values, int(draw.integers(5))))
            race.add(2, passages[-1])
        for one in passages:
            found = race.leaves(2, one.slot)
            assert found == by_brute_force(passages, one)
            counts[found] += 1
    assert min(counts.values()) > 50


def entered(values: list[float]) -> Race:
    race = Race()
    for slot, value in enumerate(values):
        race.add(2, Passage(slot, (value,), 0))
    return race


def left(race: Race, count: int) -> list[int]:
    return [slot for slot in range(count) if race.leaves(2, slot)]


def test_the_best_third_goes_on_and_so_do_equals() -> None:
    values = [0.1 * k for k in range(1, 10)]
    assert left(entered(values), 9) == list(range(3, 9))
    assert left(entered([*values[:3], values[2], *values[4:]]), 9) == list(range(4, 9))
    assert left(entered([0.4] * 12), 12) == []


def test_nobody_leaves_before_enough_were_seen() -> None:
    assert left(entered([0.1 * k for k in range(1, LEAST_SEEN)]), LEAST_SEEN - 1) == []


def test_who_comes_later_does_not_change_who_had_left() -> None:
    race = entered([0.1 * k for k in range(1, 10)])
    before = left(race, 9)
    for slot in range(40, 60):
        race.add(2, Passage(slot, (0.01,), 1))
    assert left(race, 9) == before


def test_who_comes_at_the_same_time_counts_whenever_they_are_added() -> None:
    race = entered([0.1 * k for k in range(1, 10)])
    assert not race.leaves(2, 2)
    for slot in range(40, 60):
        race.add(2, Passage(slot, (0.01,), 0))
    assert race.leaves(2, 2)


def test_with_two_objectives_only_who_is_out_by_both_leaves() -> None:
    race = Race()
    for slot in range(10):
        race.add(2, Passage(slot, (0.1 * (slot + 1), 0.1 * (10 - slot)), 0))
    assert left(race, 10) == [4, 5]


def test_a_candidate_is_compared_by_its_best_epoch_so_far() -> None:
    losses, errors = [0.5, 0.3, 0.4, 0.2], [0.4, 0.3, 0.1, 0.2]
    curve = [CurvePoint(i + 1, *both) for i, both in enumerate(zip(losses, errors, strict=True))]
    found = [best_so_far(curve, age) for age in (1, 2, 3, 4, 9)]
    assert [point.refined_log_loss for point in found] == [0.5, 0.3, 0.3, 0.2, 0.2]
    assert [point.error for point in found] == [0.4, 0.3, 0.3, 0.2, 0.2]
    assert [point.epoch for point in found] == [1, 2, 3, 4, 9]


@pytest.mark.parametrize(
    ("epochs", "decay", "expected"),
    [
        (40, 0.5, (1, 3, 9)),
        (16, 0.5, (1, 3)),
        (60, 0.5, (1, 3, 9, 27)),
        (2, 0.0, (1,)),
        (6, 1.0, ()),
        (1, 0.0, ()),
    ],
)
def test_rungs_lie_before_the_decay(epochs: int, decay: float, expected: tuple) -> None:
    assert rungs(TrainingConfig(max_epochs=epochs, decay=decay)) == expected
