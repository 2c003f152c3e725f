"""The importance of each setting for the objective."""

from __future__ import annotations

from dataclasses import dataclass

from autoloss.records import Summary
from autoloss.report.figures._base import PageFigure
from autoloss.report.figures._draw import axis, hover, layout, plain, rows_axis
from autoloss.report.importance import importance_pairs
from autoloss.report.words import share_text, short, whole_share_text

_MOST = 12


@dataclass(frozen=True)
class ImportanceInfo:
    """Parameters and their share of the objective's variation, largest first; the rest in one."""

    names: tuple[str, ...]
    shares: tuple[float, ...]


def importance_info(summary: Summary) -> ImportanceInfo:
    """Return the twelve largest shares, and the sum of the others."""
    pairs = list(importance_pairs(summary))
    rest = pairs[_MOST:]
    if rest:
        pairs = [*pairs[:_MOST], (f"{len(rest)} others", sum(share for _, share in rest))]
    return ImportanceInfo(tuple(name for name, _ in pairs), tuple(share for _, share in pairs))


def importance_figure(summary: Summary) -> PageFigure | None:
    """Return the bars, or None if the importance was not measured."""
    info = importance_info(summary)
    if not info.names:
        return None
    texts = [whole_share_text(share) for share in info.shares]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": list(info.shares),
        "y": list(range(len(info.names))),
        "text": texts,
        "cliponaxis": False,
        "marker": {"color": "var(--bar)"},
        "hovertext": [
            hover(name, f"{share_text(share)} of the variation")
            for name, share in zip(info.names, info.shares, strict=True)
        ],
    }
    rows = rows_axis([plain(short(name)) for name in info.names], showgrid=False)
    top = 1.15 * max((*info.shares, 0.01))
    share = axis("Share of the variation", tickformat=".0%", range=[0, top])
    return PageFigure(
        id="importance",
        group="importance",
        title="Importance for the log loss after calibration",
        caption=(
            "Share of its variation over the trials that each setting explains (PED-ANOVA, "
            "Watanabe and others 2023). A setting that "
            "matters here need not matter near the best trial."
        ),
        alt=f"Largest: {info.names[0]}, {texts[0]}.",
        height=70 + 30 * len(info.names),
        spec={"data": [bars], "layout": layout(x=share, y=rows)},
    )
