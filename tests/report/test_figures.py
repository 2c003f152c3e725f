from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloss.records import Reliability, Summary
from autoloss.report.document import finite
from autoloss.report.figures import (
    GROUPS,
    all_figures,
    curves_info,
    focus,
    importance_info,
    reliability_info,
    strips_info,
    tradeoff_info,
)
from autoloss.report.palette import DARK, DARK_PAGE, LIGHT, LIGHT_PAGE, SYMBOL_PATHS, looks
from tests.report.summaries import FAMILIES, make_summary
from tests.report.test_html import EDGES

NUMBERS = st.floats(-1e6, 1e6)


@pytest.mark.parametrize("metric", ["error", "average_precision"])
def test_no_point_is_better_in_both_than_one_on_the_front(metric: str) -> None:
    summary = make_summary(metric=metric)
    info = tradeoff_info(summary)
    sign = 1 if summary.lower_is_better else -1
    assert {point.number for point in info.front} == set(summary.pareto)
    for point, other in itertools.product(info.front, info.points):
        assert not (sign * other.x < sign * point.x and other.y < point.y)
    assert [p.y for p in info.front] == sorted((p.y for p in info.front), reverse=True)


def test_trials_without_a_score_are_counted_and_not_drawn() -> None:
    info = tradeoff_info(make_summary(n_trials=20, diverged=5))
    assert (len(info.points), info.missing) == (15, 5)


def test_marked_trials_are_within_the_range() -> None:
    summary = make_summary(n_trials=200)
    info = tradeoff_info(summary)
    marked = [point for point in info.points if point.mark]
    assert {point.number for point in marked} == {
        summary.verdict.challenger,
        summary.verdict.baseline,
    }
    for point in marked:
        assert info.x.low <= point.x <= info.x.high
        assert info.y.low <= point.y <= info.y.high


@pytest.mark.parametrize("metric", ["error", "gain"])
def test_strips_hold_every_scored_trial_and_begin_with_the_best(metric: str) -> None:
    summary = make_summary(metric=metric)
    info = strips_info(summary, metric)
    scored = [trial for trial in summary.trials if metric in trial.metrics]
    best = (min if summary.lower_is_better else max)(trial.metrics[metric] for trial in scored)
    assert sorted(n for strip in info.strips for n in strip.numbers) == [t.number for t in scored]
    assert info.strips[0].values[0] == best
    baseline = summary.trial(summary.verdict.baseline)
    assert info.baseline == baseline.metrics[metric]


def test_empty_bins_are_left_out_and_those_beyond_the_band_counted() -> None:
    info = reliability_info(
        Reliability(
            name="x",
            confidence=(0.9, math.nan, 0.6),
            accuracy=(0.5, math.nan, 0.6),
            count=(10, 0, 20),
            low=(0.8, math.nan, 0.5),
            high=(1.0, math.nan, 0.7),
        )
    )
    assert [one.confidence for one in info.bins] == [0.6, 0.9]
    assert info.outside == 1


def test_curves_keep_what_is_finite() -> None:
    summary = make_summary(n_trials=12, diverged=2)
    for line in curves_info(summary, "refined_log_loss").lines:
        points = [p for p in summary.trial(line.number).curve if math.isfinite(p.error)]
        assert line.epochs == tuple(point.epoch for point in points)
        assert line.values == tuple(point.refined_log_loss for point in points)


def test_small_shares_of_importance_become_one() -> None:
    pairs = tuple((f"p{place}", share) for place, share in enumerate([0.3] + [0.035] * 20))
    info = importance_info(replace(make_summary(n_trials=2), importance=pairs))
    assert len(info.names) == 13
    assert info.names[-1] == "9 others"
    assert sum(info.shares) == pytest.approx(1.0)


@given(st.lists(NUMBERS, min_size=1), st.booleans())
def test_focus_shows_the_good_side_whole(values: list[float], lower_is_better: bool) -> None:
    part = focus(values, lower_is_better=lower_is_better)
    assert part.low < part.high
    if lower_is_better:
        assert part.low <= min(values)
    else:
        assert part.high >= max(values)
    inside = sum(part.low <= value <= part.high for value in values)
    assert inside + part.outside == len(values)
    assert 2 * inside >= len(values)


@given(st.lists(NUMBERS, min_size=1), st.data())
def test_focus_shows_what_must_be_seen(values: list[float], data: st.DataObject) -> None:
    kept = data.draw(st.sampled_from(values))
    part = focus([*values, math.nan], keep=[kept])
    assert part.low <= kept <= part.high


@pytest.mark.parametrize("summary", EDGES.values(), ids=EDGES)
def test_figures_are_json_with_names_and_words(summary: Summary) -> None:
    figures = all_figures(summary)
    assert len({figure.id for figure in figures}) == len(figures)
    for figure in figures:
        assert figure.group in GROUPS
        assert figure.title
        assert figure.caption
        assert figure.alt
        assert "nan" not in figure.alt
        json.dumps(finite(figure.spec), allow_nan=False)


def test_a_figure_without_data_is_left_out() -> None:
    assert all_figures(EDGES["no metric"]) != ()
    groups = {figure.group for figure in all_figures(EDGES["one trial"])}
    assert groups == {"tradeoff", "families", "curves"}


def test_a_family_looks_the_same_in_every_study() -> None:
    alone = {name: looks([name])[name] for name in FAMILIES}
    assert looks(FAMILIES) == alone
    assert looks(["elr", "focal"])["elr"] == looks(["elr"])["elr"]


def test_families_look_different_from_each_other() -> None:
    names = [*FAMILIES, *(f"new_{place}" for place in range(30))]
    found = looks(iter(names))
    assert list(found) == names
    assert len(set(found.values())) == len(names)
    assert [name for name, look in found.items() if look.colour == 0] == ["cross_entropy"]


@pytest.mark.parametrize(("palette", "page"), [(LIGHT, LIGHT_PAGE), (DARK, DARK_PAGE)])
def test_colours_stand_out_from_the_page_and_from_each_other(
    palette: tuple[str, ...], page: str
) -> None:
    for colour in palette:
        high, low = sorted((luminance(colour), luminance(page)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 3.0
    for one, other in itertools.combinations(palette, 2):
        for vision in VISIONS[:3]:
            assert np.linalg.norm(_lab(one, vision) - _lab(other, vision)) > 0.10
        assert np.linalg.norm(_lab(one, VISIONS[3]) - _lab(other, VISIONS[3])) > 0.06


def test_every_symbol_can_be_drawn_in_the_legend() -> None:
    found = looks(f"x{place}" for place in range(30)).values()
    assert {look.symbol for look in found} <= set(SYMBOL_PATHS)
    assert all(look.path for look in found)


# Full protanopia, deuteranopia and tritanopia: Machado, Oliveira and Fernandes 2009, table 1.
VISIONS = [
    np.eye(3),
    np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
]


def _linear(colour: str) -> np.ndarray:
    share = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(_linear(colour) @ [0.2126, 0.7152, 0.0722])


def _lab(colour: str, vision: np.ndarray) -> np.ndarray:
    """Return the colour in OKLab (Ottosson 2020) as that vision sees it."""
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    seen = np.clip(vision @ _linear(colour), 0, 1)
    return np.array(to_lab) @ np.cbrt(np.array(to_cones) @ seen)
