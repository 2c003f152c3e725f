from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from autoloss.records import Summary
from autoloss.report import render_html
from autoloss.report.page import COMPUTED, page_file
from tests.report.summaries import (
    HOSTILE,
    make_honest_summary,
    make_hostile_summary,
    make_summary,
)

VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """The page as a list of tags with attributes, its texts by the tag around, its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif data.strip() and self.open[-1] != "style":
            self.words.append(data.strip())

    @property
    def names(self) -> list[str]:
        return [tag for tag, _ in self.tags]


def plain(value: Any) -> Any:
    """Return the summary with harmless names in the place of hostile ones."""
    if isinstance(value, str):
        return "harmless" if value == HOSTILE else value.replace(HOSTILE, "harmless")
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        names = value.__dataclass_fields__
        return replace(value, **{name: plain(getattr(value, name)) for name in names})
    return value


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render_html(make_summary()))


def test_page_is_well_formed(page: Page) -> None:
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_page_loads_nothing(page: Page) -> None:
    for tag, attrs in page.tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert "src" not in attrs
        assert attrs.get("href", "#").startswith("#"), attrs
    policy = next(a["content"] for t, a in page.tags if "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "script-src 'sha256-" in policy
    assert "unsafe-eval" not in policy


def test_policy_names_each_script_of_the_page(page: Page) -> None:
    policy = next(a["content"] for t, a in page.tags if "http-equiv" in a)
    assert len(page.scripts) == 1
    for script in page.scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in str(policy)


def test_links_lead_to_sections_of_the_page(page: Page) -> None:
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    links = [str(attrs["href"])[1:] for tag, attrs in page.tags if tag == "a"]
    assert links
    assert set(links) <= ids


@pytest.mark.parametrize("decision", ["better", "no_evidence", "worse", "undecided"])
def test_verdict_comes_first_then_what_ships(decision: Any) -> None:
    summary = make_summary(decision=decision, n_trials=24)
    words = Page(render_html(summary)).words
    places = [
        next(i for i, text in enumerate(words) if start in text)
        for start in (
            summary.verdict.text,
            "Shipped model:",
            "Against tuned",
            "Each mark is a trial",
        )
    ]
    assert places == sorted(places)
    ships = words[places[1]]
    assert f"trial {summary.recommended}" in ships
    assert ("tuned cross-entropy" in ships) == (decision != "better")


def test_names_in_the_data_change_no_tag() -> None:
    hostile = make_hostile_summary()
    found, expected = Page(render_html(hostile)), Page(render_html(plain(hostile)))
    # A family's symbol and the lines of a label follow from its name.
    drawn = {"g", "path", "circle", "rect", "text", "tspan", "title", "clippath"}
    assert set(found.names) == set(expected.names)
    pairs = [
        [(tag, sorted(a)) for tag, a in one.tags if tag not in drawn] for one in (found, expected)
    ]
    assert pairs[0] == pairs[1]
    assert not any(name.startswith("on") for _, a in found.tags for name in a)
    assert any("<script>alert('x')</script>" in text for text in found.words)
    assert len(found.scripts) == 1


def test_everything_interactive_has_a_name(page: Page) -> None:
    for tag, attrs in page.tags:
        if tag in {"button", "a"}:
            assert attrs.get("tabindex") != "-1"
        if attrs.get("role") in {"img", "region", "group"}:
            assert attrs.get("aria-label")
        if tag == "figure":
            assert ("h3", {"id": attrs["aria-labelledby"]}) in page.tags
        if tag == "svg":
            assert attrs.get("aria-hidden") == "true" or attrs.get("aria-label")


def test_table_of_trials_has_every_trial_with_numbers_to_sort_by(page: Page) -> None:
    assert sum("data-family" in attrs for tag, attrs in page.tags if tag == "tr") == 64
    values = [str(attrs["data-v"]) for _, attrs in page.tags if "data-v" in attrs]
    assert values.count("") > 0
    assert all(value == "" or float(value) is not None for value in values)


EDGES: dict[str, Summary] = {
    "honest": make_honest_summary(n_trials=24),
    "nested": make_honest_summary(n_trials=24, nested=True, far_ahead=True),
    "nothing known": make_honest_summary(n_trials=12, unknown=True),
    "one finalist": make_honest_summary(n_trials=12, n_finalists=1),
    "eight finalists": make_honest_summary(n_trials=24, n_finalists=8, metric="auroc"),
    "one trial": make_summary(
        n_trials=1, families=("cross_entropy",), diverged=0, reliability=False, importance=False
    ),
    "all but one diverged": make_summary(n_trials=8, diverged=7),
    "400 trials": make_summary(n_trials=400),
    "26 classes": make_summary(n_trials=12, classes=[chr(65 + code) for code in range(26)]),
    "higher is better": make_summary(n_trials=12, metric="average_precision"),
    "the user's metric": make_summary(n_trials=12, metric="gain"),
    "no metric": replace(
        make_summary(n_trials=2, diverged=0),
        trials=tuple(replace(t, metrics={}, curve=()) for t in make_summary(n_trials=2).trials),
        pareto=(),
        test_metrics={},
        seconds={},
    ),
    "numbers that point nowhere": replace(
        make_summary(n_trials=3, diverged=0),
        recommended=99,
        pareto=(98,),
        verdict=replace(make_summary(n_trials=3).verdict, challenger=97, baseline=96),
    ),
}


@pytest.mark.parametrize("summary", EDGES.values(), ids=EDGES)
def test_page_is_whole_at_the_edges(summary: Summary) -> None:
    page = Page(render_html(summary))
    assert page.open == []
    assert sum(tag == "tr" and "data-family" in a for tag, a in page.tags) == len(summary.trials)
    assert not any(re.search(r"\bnan\b|\bNone\b|Infinity", text) for text in page.words)


def test_page_is_the_same_every_time() -> None:
    assert render_html(make_summary(n_trials=5)) == render_html(make_summary(n_trials=5))


def test_a_template_calls_each_function_that_templates_can_call() -> None:
    text = page_file("report.html.j2") + page_file("report.md.j2")
    for one in COMPUTED:
        assert f"{one.__name__}(" in text
