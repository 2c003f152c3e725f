from __future__ import annotations

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from autoloss.records import Summary
from autoloss.report import render_markdown
from tests.report.summaries import HOSTILE, make_hostile_summary, make_summary
from tests.report.test_html import EDGES

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def parsed(text: str) -> list[Token]:
    """Return all tokens, inline ones too."""
    tokens = PARSER.parse(text)
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


def widths(text: str) -> list[set[int]]:
    """Return for each table the numbers of bare bars that its lines have."""
    lines = [re.sub(r"\\.", "", line) for line in text.splitlines()]
    tables: list[set[int]] = []
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|"):
            if not before.startswith("|"):
                tables.append(set())
            tables[-1].add(line.count("|"))
    return tables


def test_verdict_comes_first_then_what_ships_then_the_intervals() -> None:
    summary = make_summary()
    text = render_markdown(summary)
    assert text.startswith("# No evidence that another loss beats tuned cross-entropy here\n")
    marks = ("**No evidence.**", "Shipped model:", "95% interval |", "## Families", "## Data")
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert summary.command in text


@pytest.mark.parametrize("summary", EDGES.values(), ids=EDGES)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(summary: Summary) -> None:
    text = render_markdown(summary)
    assert all(len(found) == 1 for found in widths(text))
    assert not re.search(r"\bnan\b|\bNone\b", text)


def test_names_in_the_data_make_no_markup() -> None:
    text = render_markdown(make_hostile_summary())
    assert all(len(found) == 1 for found in widths(text))
    kinds = {token.type for token in parsed(text)}
    assert not kinds & {"html_inline", "html_block", "link_open", "image", "em_open", "s_open"}
    shown = [token.content for token in parsed(text) if token.type == "text"]
    assert any("<script>alert('x')</script> |" in content for content in shown)


def test_a_hostile_command_stays_in_its_block() -> None:
    command = f"autoloss search '```\n{HOSTILE}'"
    text = render_markdown(replace(make_summary(n_trials=3), command=command))
    fences = [token.content.strip() for token in parsed(text) if token.type == "fence"]
    assert command.strip() in fences


def test_a_long_table_is_cut_and_says_so() -> None:
    text = render_markdown(make_summary(n_trials=400))
    assert "The first 30 of 400, by log loss after calibration" in text
    assert len(text.splitlines()) < 320


def test_markdown_says_what_the_page_says() -> None:
    text = render_markdown(make_summary())
    for section in ("Families", "Trials on the front", "Ranked trials", "Use this loss",
                    "Settings", "Reproduce", "Reliability on the test rows"):  # fmt: skip
        assert f"## {section}\n" in text
