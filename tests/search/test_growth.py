from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloss.losses import get, names
from autoloss.losses.components import parameters_of
from autoloss.losses.parameters import ChoiceParam, FloatParam, Interval, IntParam
from autoloss.search.growth import LIMITS, allowed_ends, between, grown, hull, side_of
from autoloss.search.space_keys import NUISANCE_PARAMETERS

DECLARED = {
    key: parameter
    for name in names()
    for key, parameter in parameters_of(name).items()
    if not isinstance(parameter, ChoiceParam)
} | NUISANCE_PARAMETERS
ANY = FloatParam(1.0, 3.0, default=2.0, valid=Interval(-math.inf, math.inf))
keys = st.sampled_from(sorted(DECLARED))
sides = st.lists(st.sampled_from(["low", "high"]), min_size=1, max_size=12)


def width(parameter):
    if parameter.log:
        return math.log(parameter.high / parameter.low)
    return parameter.high - parameter.low


@pytest.mark.parametrize(
    ("value", "expected"), [(1.0, "low"), (1.1, "low"), (1.11, None), (2.89, None), (2.9, "high")]
)
def test_the_edge_is_five_percent_of_the_width(value, expected):
    assert side_of(value, ANY) == expected


def test_the_edge_of_a_logarithmic_range_is_in_log_units():
    lr = NUISANCE_PARAMETERS["lr"]
    at = {share: lr.low * (lr.high / lr.low) ** share for share in (0.049, 0.051, 0.949, 0.951)}
    assert [side_of(value, lr) for value in at.values()] == ["low", None, None, "high"]


def test_a_range_grows_by_half_and_at_most_to_four_times_its_width():
    widths, now = [], ANY
    for _ in range(6):
        now = grown(now, "high", key="any.x", first=ANY)
        assert now.low == ANY.low
        widths.append(width(now))
    assert widths == pytest.approx([3.0, 4.5, 6.75, 8.0, 8.0, 8.0])
    assert grown(ANY, "low", key="any.x", first=ANY).low == pytest.approx(0.0)


def test_a_logarithmic_range_grows_in_log_units():
    lr = NUISANCE_PARAMETERS["lr"]
    wider = grown(lr, "high", key="lr", first=lr)
    assert wider.low == lr.low
    assert wider.high == pytest.approx(lr.high * math.sqrt(lr.high / lr.low))


@given(keys, sides)
def test_a_grown_range_is_allowed_and_contains_the_range_before(key, at):
    first = now = DECLARED[key]
    for side in at:
        wider = grown(now, side, key=key, first=first)
        assert wider.low <= now.low < now.high <= wider.high
        assert wider.high == now.high if side == "low" else wider.low == now.low
        now = wider
    assert width(now) <= 4.0 * width(first) * (1 + 1e-12)
    for end in (now.low, now.high):
        assert first.mistake(key, end) is None
    low, high = LIMITS.get(key, (-math.inf, math.inf))
    assert low <= now.low
    assert now.high <= high


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [("lr", 1e-6, 1.0), ("weight_decay", 1e-7, 10.0), ("dropout", 0.0, 0.9)],
)
def test_ranges_of_nuisance_settings_stop_at_their_limits(key, low, high):
    first = NUISANCE_PARAMETERS[key]
    ends = {}
    for side in ("low", "high"):
        now = first
        for _ in range(10):
            now = grown(now, side, key=key, first=first)
        ends[side] = getattr(now, side)
    # Four times the width reaches these from the ranges that are declared.
    assert ends["low"] == pytest.approx(low, rel=1e-9)
    assert ends["high"] == pytest.approx(high, rel=1e-9)
    assert key != "dropout" or ends["high"] < 0.9


def test_a_space_may_exceed_the_limits():
    first = FloatParam(1e-9, 1e-3, default=1e-5, log=True, valid=NUISANCE_PARAMETERS["lr"].valid)
    assert grown(first, "low", key="lr", first=first) == first


def test_whole_numbers_stay_whole_and_within_the_declared_range():
    first = between(parameters_of("taylor_cross_entropy")["taylor_cross_entropy.t"], 2, 4)
    assert isinstance(first, IntParam)
    wider = grown(first, "high", key="taylor_cross_entropy.t", first=first)
    assert (wider.low, type(wider.high)) == (2, int)
    assert 4 < wider.high <= 10
    lowest = grown(first, "low", key="taylor_cross_entropy.t", first=first)
    assert lowest.low == 1
    declared = parameters_of("l_softmax")["l_softmax.m"]
    assert grown(declared, "high", key="l_softmax.m", first=declared) == declared


def test_an_end_that_is_left_out_is_not_reached():
    first = parameters_of("generalized_cross_entropy")["generalized_cross_entropy.q"]
    low, high = allowed_ends("generalized_cross_entropy.q", first)
    assert low == 0.0
    assert high == pytest.approx(1.0 - 0.01 * 0.9)
    assert get("generalized_cross_entropy").parameters["q"].mistake("q", high) is None


def test_a_hull_holds_all_ranges():
    wider = [between(ANY, 0.0, 3.0), ANY, between(ANY, 1.0, 5.0)]
    assert (hull(wider).low, hull(wider).high) == (0.0, 5.0)
    choice = ChoiceParam((1, 2), default=1)
    assert hull([choice, choice]) == choice
