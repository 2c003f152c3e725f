"""Figures as SVG: well formed, to scale, within their frame, and readable in both themes."""

from __future__ import annotations

import itertools
import math
import re
from importlib import resources
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloss.records import Summary
from autoloss.report import render_html
from autoloss.report.figures import all_figures, tradeoff_info
from autoloss.report.palette import DARK_PAGE, LIGHT_PAGE
from autoloss.report.svg import WIDTHS, figure_svg
from autoloss.report.svg.axes import Axis, nice_ticks
from autoloss.report.svg.draw import axes_of
from autoloss.report.svg.labels import Box, mark_boxes
from autoloss.report.svg.text import text_width
from tests.report.summaries import make_honest_summary, make_hostile_summary, make_summary
from tests.report.test_figures import luminance
from tests.report.test_html import EDGES

NUMBERS = st.floats(-1e6, 1e6)


def parsed(spec: dict[str, Any], width: int, height: int = 400) -> ElementTree.Element:
    return ElementTree.fromstring(figure_svg(spec, width=width, height=height, name="x"))


def pixels(root: ElementTree.Element) -> list[float]:
    found = []
    for element in root.iter():
        for name in ("x", "y", "cx", "cy", "r", "width", "height"):
            if name in element.attrib:
                found.append(float(element.attrib[name]))
        found += map(float, re.findall(r"-?\d+\.?\d*", element.get("d", "")))
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "summary", [make_honest_summary(), make_hostile_summary(), *EDGES.values()]
)
def test_every_figure_is_well_formed_and_finite(summary: Summary, width: int) -> None:
    for figure in all_figures(summary):
        root = parsed(figure.spec, width, figure.height)
        assert all(map(math.isfinite, pixels(root))), figure.id
        for text in root.iter("text"):
            words = "".join(text.itertext())
            if text.get("transform") or not words:
                continue
            spans = [text, *text.iter("tspan")]
            x = next(float(one.attrib["x"]) for one in spans if "x" in one.attrib)
            wide = max(
                text_width(line) for line in [text.text or "", *(s.text or "" for s in spans)]
            )
            left = (
                x
                - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.get("text-anchor", "start")]
                * wide
            )
            assert left > -14, (figure.id, words)


def test_marks_stand_where_their_values_are() -> None:
    summary = make_summary(n_trials=40, diverged=0)
    figure = next(one for one in all_figures(summary) if one.id == "tradeoff")
    root = parsed(figure.spec, 720, figure.height)
    circles = [
        (float(mark.attrib["cx"]), float(mark.attrib["cy"]))
        for group in root.iter("g")
        if group.get("data-family") == "cross_entropy"
        for mark in group.iter("circle")
    ]
    points = [p for p in tradeoff_info(summary).points if p.family == "cross_entropy"]
    assert len(circles) == len(points) > 2
    # Three points fix a map of each axis that all others must obey: it is linear.
    for axis, values in ((0, [p.x for p in points]), (1, [p.y for p in points])):
        low, high = min(values), max(values)
        ends = {v: c[axis] for v, c in zip(values, circles, strict=True)}
        slope = (ends[high] - ends[low]) / (high - low)
        for value, place in ends.items():
            assert place == pytest.approx(ends[low] + slope * (value - low), abs=0.2)
        assert (slope > 0) == (axis == 0)


def test_gaps_part_a_line_and_text_cannot_leave_its_element() -> None:
    spec = {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "x": [0, 1, None, 2, 3],
                "y": [0, 1, None, 1, math.nan],
                "line": {"color": "var(--ink)", "width": 1},
                "name": "a &lt;b&gt;\x00\"'",
            }
        ],
        "layout": {"xaxis": {"title": {"text": "x"}}, "yaxis": {"title": {"text": "</text>"}}},
    }
    spec["layout"]["yaxis"]["title"]["text"] = "&lt;/text&gt;"
    root = parsed(spec, 330)
    path = next(one for one in root.iter("path") if one.find("title") is not None)
    assert path.attrib["d"].count("M") == 2
    assert next(path.iter("title")).text == "a <b> \"'"


@given(NUMBERS, NUMBERS, st.integers(2, 9))
def test_ticks_are_round_inside_and_about_as_many(one: float, other: float, count: int) -> None:
    low, high = sorted((one, other))
    values, step = nice_ticks(low, high, count)
    if high - low < 1e-9:
        return
    assert len(values) <= count + 1
    digits = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert any(abs(digits - round_one) < 1e-6 for round_one in (1, 2, 2.5, 5))
    slack = 1e-6 * max(step, abs(low), abs(high))
    assert all(low - slack <= value <= high + slack for value in values)


@given(
    st.floats(-1e9, 1e9), st.floats(1e-9, 1e9), st.integers(2, 9), st.sampled_from(["", ".2~%"])
)
def test_ticks_are_what_they_say(low: float, size: float, count: int, form: str) -> None:
    """A step of 2.5 gives 52.5, not 52: a label is the value, and no two are the same."""
    if size < 1e-6 * abs(low):
        return
    axis = Axis(low, low + size, 0.0, 5000.0, False, {"nticks": count, "tickformat": form})
    ticks = axis.ticks(is_level=True)
    step = nice_ticks(low, low + size, count)[1]
    for value, (text,) in ticks:
        said = float(text.replace("−", "-").replace(",", "").rstrip("%"))
        said /= 100 if text.endswith("%") else 1
        assert said == pytest.approx(value, abs=1e-4 * step)
    assert len({text for _, (text,) in ticks}) == len(ticks)


def test_a_step_of_two_and_a_half_has_its_decimal() -> None:
    axis = Axis(0.52, 0.585, 0.0, 300.0, False, {"nticks": 3, "tickformat": ".2~%"})
    texts = [text for _, (text,) in axis.ticks(is_level=True)]
    assert texts == ["52.5%", "55.0%", "57.5%"]


@given(st.floats(-1.0, 1.0), st.floats(1e-3, 1.0), st.integers(90, 700))
def test_a_level_axis_has_a_scale(low: float, size: float, span: int) -> None:
    axis = Axis(low, low + size, 0.0, float(span), False, {"nticks": 5})
    assert len(axis.ticks(is_level=True)) >= 2


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.integers(60, 700))
def test_labels_of_a_level_axis_do_not_meet(low: float, size: float, span: int) -> None:
    axis = Axis(low, low + size, 0.0, float(span), False, {"nticks": 8})
    ticks = sorted(axis.ticks(is_level=True))
    if len(ticks) <= 2:
        return
    for (a, first), (b, second) in itertools.pairwise(ticks):
        half = 0.5 * (text_width(first[0]) + text_width(second[0]))
        assert axis.at(b) - axis.at(a) > half


def test_the_page_is_light() -> None:
    classes = [f"class {place}" for place in range(10)]
    text = render_html(make_honest_summary(n_trials=128, classes=classes))
    assert len(text.encode()) < 1_000_000


def themes() -> dict[str, dict[str, str]]:
    """Return the colours of the style sheet, by theme."""
    style = (resources.files("autoloss.report") / "templates" / "report.css").read_text("utf-8")
    light, _, rest = style.partition("@media screen and (prefers-color-scheme: dark)")
    chosen = rest.partition(':root[data-theme="dark"]')
    found = {
        name: dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", text.partition("}")[0]))
        for name, text in (("light", light), ("dark", chosen[0]), ("chosen", chosen[2]))
    }
    assert found["dark"] == found["chosen"]
    return {
        "light": found["light"] | {"page": LIGHT_PAGE},
        "dark": found["dark"] | {"page": DARK_PAGE},
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("colour", ["ink", "muted", "accent", "link", "good", "bad", "open"])
def test_text_has_the_contrast_of_wcag_aa(theme: str, colour: str) -> None:
    colours = themes()[theme]
    for ground in ("page", "soft"):
        assert contrast(colours[colour], colours[ground]) >= 4.5, ground


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_in_matrices_keep_their_contrast(theme: str) -> None:
    colours = themes()[theme]
    style = (resources.files("autoloss.report") / "templates" / "report.css").read_text("utf-8")
    shades = re.findall(
        r"color-mix\(in srgb, var\(--(\w+)\) calc\(var\(--share\) \* (\.\d+)\)", style
    )
    assert len(shades) == 2
    for name, most in shades:
        pairs = zip(rgb(colours[name]), rgb(colours["page"]), strict=True)
        mixed = [round(float(most) * a + (1 - float(most)) * b) for a, b in pairs]
        ground = "#" + "".join(f"{one:02x}" for one in mixed)
        assert contrast(colours["ink"], ground) >= 4.5


def contrast(one: str, other: str) -> float:
    """Return the contrast of WCAG 2.2, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def rgb(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def test_paper_is_light() -> None:
    text = render_html(make_summary(n_trials=3))
    for place in re.finditer(r"prefers-color-scheme: dark|data-theme=\"dark\"\]", text):
        before = text[: place.start()]
        if "<script>" in before:
            break
        # The nearest rule that opens a block around it speaks of screens alone.
        assert "screen" in before[before.rindex("@media") :]


@pytest.mark.parametrize("words", range(1, 14))
def test_a_font_that_is_a_little_wider_keeps_titles_and_labels_inside(words: int) -> None:
    text = " ".join(["recommended"] + words * ["share"])
    data = [{"type": "scatter", "mode": "markers", "x": [0, 1], "y": [0, 1], "marker": {}}]
    marks = [
        {"x": 1, "y": 1, "text": label, "free": True, "font": {"color": "var(--ink)"}}
        for label in ("ships · tuned cross-entropy", "recommended"[:words])
    ]
    layout = {"xaxis": {"title": {"text": text}}, "yaxis": {}, "annotations": marks}
    root = parsed({"data": data, "layout": layout}, 330)
    seen = [one for one in root.iter("text") if "".join(one.itertext())[:5] in ("ships", "recom")]
    assert len(seen) >= 2
    for one in seen:
        wide = 1.03 * text_width("".join(one.itertext()))
        anchor = {"start": 0.0, "middle": 0.5, "end": 1.0}[one.attrib["text-anchor"]]
        left = float(one.attrib["x"]) - anchor * wide
        assert left > -0.5
        assert left + wide < 330.5


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("decision", ["better", "no_evidence"])
def test_labels_cover_no_mark_and_no_other_label(width: int, seed: int, decision: Any) -> None:
    summary = make_honest_summary(n_trials=60, seed=seed, decision=decision)
    for figure in all_figures(summary):
        spec = figure.spec
        x, uprights = axes_of(spec["layout"], spec["data"], width, figure.height)
        found = label_boxes(parsed(spec, width, figure.height))
        marks = list(mark_boxes(spec["data"], x, uprights["y"]))
        for place, (text, box) in enumerate(found):
            assert sum(map(box.common, marks)) < 8.0, (figure.id, text)
            others = [other for _, other in found[:place]]
            assert sum(map(box.common, others)) < 1.0, (figure.id, text)


def label_boxes(root: ElementTree.Element) -> list[tuple[str, Box]]:
    """Return the labels of a drawing with their boxes, an ascender above to below a line."""
    boxes = []
    for text in root.iter("text"):
        if text.get("class") != "note":
            continue
        words = "".join(text.itertext())
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        wide = text_width(words)
        left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.attrib["text-anchor"]] * wide
        boxes.append((words, Box(left, y - 11.0, left + wide, y + 3.0)))
    return boxes


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("seed", range(6))
def test_no_thread_runs_through_a_label(width: int, seed: int) -> None:
    summary = make_honest_summary(n_trials=60, seed=seed)
    for figure in all_figures(summary):
        root = parsed(figure.spec, width, figure.height)
        boxes = [box for _, box in label_boxes(root)]
        # Threads are the lines that stand on their own, straight and solid.
        lines = [
            list(map(float, re.findall(r"-?\d+\.?\d*", path.attrib["d"])))
            for path in root.findall("{*}path")
            if re.fullmatch(r"M[-\d. ]+L[-\d. ]+", path.get("d", ""))
            and path.get("stroke-width") == "1.2"
            and not path.get("stroke-dasharray")
        ]
        for x, y, to_x, to_y in lines:
            inner = [(x + s * (to_x - x), y + s * (to_y - y)) for s in (k / 50 for k in range(46))]
            for box in boxes:
                assert sum(map(box.holds, inner)) == 0, (figure.id, x, y)
