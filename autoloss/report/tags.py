"""Words and tables for the tags of sequences: each tag, and the segments."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoloss.records import Summary
from autoloss.report.words import MISSING, share_text

# Of more tags the table shows the most frequent; summary.json has all.
_TAGS = 60
_OWNERS = {"challenger": "the challenger", "tuned cross-entropy": "tuned cross-entropy"}


@dataclass(frozen=True)
class TagRow:
    """A tag as a reader sees it: tokens, decided tokens, share missed by both models."""

    tag: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class TagFacts:
    """The tags as a reader sees them.

    Args:
        text: The number and mean length of segments, in truth and in predictions.
        rows: A row for each tag.
        shown: A note on tags that are left out; empty for none.
        has_challenger: Whether the challenger is another model than tuned cross-entropy.
    """

    text: str
    rows: tuple[TagRow, ...]
    shown: str
    has_challenger: bool


def tag_facts(summary: Summary) -> TagFacts | None:
    """Return the words and the rows; None if the labels are not tags."""
    found = summary.tags
    if found is None:
        return None
    has_challenger = summary.verdict.challenger != summary.verdict.baseline
    tags = sorted(found.tags, key=lambda one: (-one.tokens, one.name))
    rows = []
    for one in tags[:_TAGS]:
        errors = (one.error, one.baseline_error) if has_challenger else (one.baseline_error,)
        missed = [MISSING if math.isnan(error) else share_text(error) for error in errors]
        decided = [f"{one.decided:,}"] if has_challenger else []
        rows.append(TagRow(one.name, (f"{one.tokens:,}", *decided, *missed)))
    shown = ""
    if len(tags) > _TAGS:
        shown = f"The {_TAGS} most frequent of {len(tags):,} tags; summary.json has all."
    return TagFacts(_segments(summary, has_challenger), tuple(rows), shown, has_challenger)


def _segments(summary: Summary, has_challenger: bool) -> str:
    """Return the number and mean length of the segments of the truth and of both models."""
    assert summary.tags is not None
    noun = "entities" if summary.tags.are_entities else "segments"
    parts = []
    for one in summary.tags.lengths:
        if one.name == "challenger" and not has_challenger:
            continue
        mean = MISSING if math.isnan(one.mean) else f"{one.mean:.1f}"
        owner = "The truth has" if one.name == "truth" else f"{_OWNERS[one.name]} predicts"
        parts.append(f"{owner} {one.segments:,} {noun} of {mean} tokens on average")
    return "; ".join(parts) + "."
