"""Tags of sequences: the lengths of segments, and sequences as coloured bars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autoloss.records import Summary
from autoloss.records.tags import TaggedSequence, TagInsights
from autoloss.report.figures._base import PageFigure
from autoloss.report.figures._draw import (
    ACCENT,
    INK,
    MUTED,
    axis,
    layout,
    line,
    pen,
    plain,
    rows_axis,
)
from autoloss.report.palette import LIGHT
from autoloss.report.words import count_text, short

OUTSIDE = "O"
_ROW, _GAP = 1.0, 0.7
_NAMES = ("truth", "tuned cross-entropy", "challenger")


def tags_figures(summary: Summary) -> tuple[PageFigure, ...]:
    """Return the figures of the tags; none if the labels are not tags."""
    found = summary.tags
    if found is None:
        return ()
    both = summary.verdict.challenger != summary.verdict.baseline
    figures = [_lengths(found, has_challenger=both)]
    if found.sequences:
        figures.append(_bars(found, has_challenger=both))
    return tuple(figures)


def _lengths(found: TagInsights, *, has_challenger: bool) -> PageFigure:
    """Return the number of segments by length, of the truth and of both models."""
    noun = "Entities" if found.are_entities else "Segments"
    longest = max(
        (place + 1 for one in found.lengths for place, n in enumerate(one.counts) if n), default=1
    )
    places = list(range(1, longest + 1))
    pens = {
        "truth": pen(MUTED, 3.0),
        "challenger": pen(ACCENT, 2.4, "dash"),
        "tuned cross-entropy": pen(INK, 1.8, "dot"),
    }
    shown = [one for one in found.lengths if has_challenger or one.name != "challenger"]
    key = tuple((f"{one.name}, {one.segments:,}", pens[one.name]) for one in shown)
    last = len(found.lengths[0].counts)
    more = " The last place has longer segments too." if longest == last else ""
    return PageFigure(
        id="segment-lengths",
        group="tags",
        title=f"{noun} by their length in tokens",
        caption=f"Predictions with shorter {noun.lower()} than the truth are rougher.{more}",
        alt=", ".join(f"{one.name}: {one.segments:,}, mean {one.mean:.1f}" for one in shown),
        height=280,
        spec={
            "data": [line(places, list(one.counts[:longest]), pens[one.name]) for one in shown],
            "layout": layout(
                x=axis("Tokens", nticks=8), y=axis(noun, rangemode="tozero", nticks=5)
            ),
        },
        key=key,
    )


def _bars(found: TagInsights, *, has_challenger: bool) -> PageFigure:
    """Return sequences as bars: the truth above the predictions."""
    names = _NAMES if has_challenger else _NAMES[:2]
    tags = [one.name for one in found.tags]
    colours = _colours(tags)
    rows: list[tuple[float, str, tuple[int, ...]]] = []
    at = 0.0
    for one in found.sequences:
        for name in names:
            rows.append((at, name, _of(one, name)))
            at += _ROW
        at += _GAP
    width = max(len(own) for _, _, own in rows)
    used = {code for _, _, own in rows for code in own}
    key = tuple(
        (short(kind, 18), pen(colour, 9.0)) for kind, colour in _legend(tags, colours, used)
    )
    y = rows_axis([plain(name) for _, name, _ in rows])
    y |= {"tickvals": [place for place, _, _ in rows], "range": [at - _GAP - 0.4, -0.6]}
    count = count_text(len(found.sequences), "sequence")
    return PageFigure(
        id="tagged-sequences",
        group="tags",
        title="Sequences on which the models differ most",
        caption="A bar is a sequence of tokens, coloured by tag; blank tokens have no entity or"
        " no tag.",
        alt=f"{count}, each with its true tags and the predicted tags.",
        height=round(70 + 24 * at),
        spec={
            "data": list(_traces(rows, tags, colours)),
            "layout": layout(x=axis("Tokens", range=[0, width], nticks=6), y=y),
        },
        key=key,
    )


def _of(one: TaggedSequence, name: str) -> tuple[int, ...]:
    if name == "truth":
        return one.truth
    return one.challenger if name == "challenger" else one.baseline


def _kind(tag: str) -> str:
    """Return the type of an entity's tag; other tags are their own type."""
    prefix, hyphen, kind = tag.partition("-")
    return kind if hyphen and prefix in ("B", "I", "E", "S") else tag


def _colours(tags: list[str]) -> dict[str, str]:
    """Return the colour of each type of tag; ``O`` has none."""
    kinds = sorted({_kind(tag) for tag in tags} - {OUTSIDE})
    hues = [f"var(--f{place})" for place in (*range(1, len(LIGHT)), 0)]
    return {kind: hues[place % len(hues)] for place, kind in enumerate(kinds)}


def _legend(tags: list[str], colours: dict[str, str], used: set[int]) -> Iterator[tuple[str, str]]:
    """Yield the types that are drawn, with their colours."""
    kinds = {_kind(tags[code]) for code in used if code >= 0}
    yield from ((kind, colour) for kind, colour in colours.items() if kind in kinds)


def _traces(
    rows: list[tuple[float, str, tuple[int, ...]]], tags: list[str], colours: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the bars of each type of tag."""
    for kind, colour in colours.items():
        starts, lengths, places, hovers = [], [], [], []
        for at, name, own in rows:
            for start, end, code in _runs(own, tags):
                if _kind(tags[code]) == kind:
                    starts.append(float(start))
                    # A hair of space tells neighbours of one type apart.
                    lengths.append(end - start - 0.12)
                    places.append(at)
                    hovers.append(f"{kind}: tokens {start + 1} to {end}<br>{name}")
        if starts:
            yield {
                "type": "bar",
                "orientation": "h",
                "x": lengths,
                "y": places,
                "base": starts,
                "width": 0.8,
                "marker": {"color": colour},
                "hovertext": hovers,
            }


def _runs(own: tuple[int, ...], tags: list[str]) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and first tag of each run of a type; B begins a new run."""
    start = 0
    for place in range(1, len(own) + 1):
        goes_on = (
            place < len(own)
            and own[place] >= 0
            and own[start] >= 0
            and _kind(tags[own[place]]) == _kind(tags[own[start]])
            and not tags[own[place]].startswith(("B-", "S-"))
        )
        if not goes_on:
            if own[start] >= 0:
                yield start, place, own[start]
            start = place
