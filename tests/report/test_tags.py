"""Tags in the report: a row for each tag, segments in words, sequences as bars."""

from __future__ import annotations

from dataclasses import replace

from autoloss.records import SegmentLengths, Summary, TagFigures, TaggedSequence, TagInsights
from autoloss.report.document import summary_from_json, summary_json
from autoloss.report.figures import all_figures
from autoloss.report.html import render_html
from autoloss.report.markdown import render_markdown
from autoloss.report.tags import tag_facts
from tests.report.summaries import HOSTILE, make_summary

TAGS = ("B-city", "I-city", "O")


def with_tags(*, is_opposed: bool = True, names: tuple[str, ...] = TAGS) -> Summary:
    figures = tuple(
        TagFigures(name, 10 * (place + 1), 8, 0.25, 0.5) for place, name in enumerate(names)
    )
    lengths = tuple(
        SegmentLengths(name, (3, 2, 0, 1), 6, 2.0)
        for name in ("truth", "challenger", "tuned cross-entropy")
    )
    one = TaggedSequence(4, (0, 1, 2, 0, -1), (0, 0, 2, 2, 2), (0, 1, 1, 2, 2))
    summary = make_summary(decision="better", n_trials=12)
    verdict = summary.verdict
    if not is_opposed:
        verdict = replace(verdict, challenger=verdict.baseline)
    found = TagInsights(figures, True, lengths, (one,))
    return replace(summary, verdict=verdict, tags=found)


def test_labels_of_rows_have_no_section() -> None:
    summary = make_summary(n_trials=12)
    assert tag_facts(summary) is None
    assert 'id="tags"' not in render_html(summary)
    assert "## Tags" not in render_markdown(summary)


def test_the_most_frequent_tag_comes_first_and_segments_are_in_words() -> None:
    facts = tag_facts(with_tags())
    assert facts is not None
    assert [row.tag for row in facts.rows] == ["O", "I-city", "B-city"]
    assert facts.rows[0].cells == ("30", "8", "25.0%", "50.0%")
    assert "The truth has 6 entities of 2.0 tokens" in facts.text
    assert "the challenger predicts 6 entities" in facts.text
    alone = tag_facts(with_tags(is_opposed=False))
    assert alone is not None
    assert alone.rows[0].cells == ("30", "50.0%")
    assert "challenger" not in alone.text


def test_a_bar_is_a_run_of_a_type_and_begins_anew_with_b() -> None:
    (lengths, bars) = [one for one in all_figures(with_tags()) if one.group == "tags"]
    assert len(lengths.spec["data"]) == 3
    (trace,) = bars.spec["data"]
    pairs = list(
        zip(trace["y"], trace["base"], (round(n + 0.12) for n in trace["x"]), strict=True)
    )
    rows = sorted({row for row, _, _ in pairs})
    by_row = [[(start, size) for at, start, size in pairs if at == row] for row in rows]
    # Truth, tuned cross-entropy, challenger.
    assert by_row == [[(0, 2), (3, 1)], [(0, 3)], [(0, 1), (1, 1)]]
    without = [one for one in all_figures(with_tags(is_opposed=False)) if one.group == "tags"]
    assert "challenger" not in str(without[1].spec["layout"])


def test_the_record_survives_its_file_and_the_page_escapes_names() -> None:
    summary = with_tags(names=(HOSTILE, "I-x", "O"))
    assert summary_from_json(summary_json(summary)) == summary
    assert HOSTILE not in render_html(summary)
    assert "## Tags" in render_markdown(summary)
