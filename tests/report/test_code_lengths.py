"""Code lengths in the report: bits, perplexity and compression as tables."""

from __future__ import annotations

import re
from dataclasses import replace

from autoloss.records import CodeBlock, CodeLengths, Summary, TrainingCode
from autoloss.report.code_lengths import code_facts
from autoloss.report.document import summary_from_json, summary_json
from autoloss.report.html import render_html
from autoloss.report.markdown import render_markdown
from tests.report.summaries import make_summary

BLOCKS = (CodeBlock(0, 500, 1.0, 1.0, 1.0), CodeBlock(500, 500, 0.9, 0.5, 0.7))
TRAINING = TrainingCode("random", 1000, 1000, 0.95, (8.0, 9.5), 1_500, (0.75, 0.85), BLOCKS)
FOUND = CodeLengths(2000, 1.0, 0.25, 0.5, TRAINING)


def with_codes(found: CodeLengths | None = FOUND, *, is_opposed: bool = True) -> Summary:
    summary = make_summary(decision="better", n_trials=12)
    verdict = summary.verdict
    if not is_opposed:
        verdict = replace(verdict, challenger=verdict.baseline)
    return replace(summary, verdict=verdict, code_lengths=found)


def test_older_studies_have_no_section() -> None:
    summary = with_codes(None)
    assert code_facts(summary) is None
    assert 'id="codes"' not in render_html(summary)
    assert "## Code length" not in render_markdown(summary)


def test_perplexity_and_compression_follow_from_the_bits() -> None:
    facts = code_facts(with_codes())
    assert facts is not None
    held, codes, blocks = facts.tables
    assert held.rows == (
        ("Class shares", "1.0000", "2.00", "0.0%"),
        ("Tuned cross-entropy", "0.5000", "1.41", "50.0%"),
        ("Challenger", "0.2500", "1.19", "75.0%"),
    )
    assert [row[0] for row in codes.rows][1:3] == [
        "Tuned cross-entropy, prequential",
        "Challenger, prequential",
    ]
    assert codes.rows[3] == ("Tuned cross-entropy, two-part", "9.5000", "none: 10.0 times as long")
    assert blocks.rows[1] == ("500", "500", "0.9000", "0.7000", "0.5000")
    assert "a random order" in codes.text
    assert facts.reason == ""


def test_one_model_has_one_row() -> None:
    facts = code_facts(with_codes(is_opposed=False))
    assert facts is not None
    assert not any(
        "Challenger" in cell for one in facts.tables for row in one.rows for cell in row
    )


def test_both_pages_have_the_tables_or_the_reason() -> None:
    for text in (render_html(with_codes()), render_markdown(with_codes())):
        assert "1,000 labels of 1,000 rows" in text
        assert "10.0 times as long" in text
    without = replace(FOUND, training=None, reason="the time limit had no room for it")
    for text in (render_html(with_codes(without)), render_markdown(with_codes(without))):
        assert "have no code: the time limit had no room for it." in text


def test_code_lengths_survive_the_document() -> None:
    summary = with_codes()
    assert summary_from_json(summary_json(summary)).code_lengths == FOUND


def test_the_list_of_sections_holds_links_alone() -> None:
    page = render_html(with_codes())
    listed = page.partition('<nav aria-label="Sections">')[2].partition("</nav>")[0]
    assert not re.findall(r"<(?!/?(?:ul|li|a)\b)", listed)
    names = re.findall(r'href="#(\w+)"', listed)
    assert names == [name for name in re.findall(r'<section id="(\w+)"', page) if name in names]
