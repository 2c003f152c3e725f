"""How two models of two classes rank the rows: the ROC and the precision-recall curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autoloss.records import Summary
from autoloss.records.insights import RankingCurves
from autoloss.report.figures._base import PageFigure, model_lines
from autoloss.report.figures._draw import MUTED, axis, layout, line, pen
from autoloss.report.roles import BASELINE, CHALLENGER, positive_quoted
from autoloss.report.words import share_text, value_text


def ranking_figures(summary: Summary) -> tuple[PageFigure, ...]:
    """Return both curves; none if there are not two classes, or an older study has none."""
    found = summary.ranking
    if found is None:
        return ()
    name = positive_quoted(summary)
    models = {CHALLENGER: found.challenger, BASELINE: found.baseline}
    prevalence = found.positives / max(found.positives + found.negatives, 1)
    return (
        _figure(
            summary,
            models,
            "roc",
            "ROC curve",
            (f"Share of other rows taken for {name}", f"Share of {name} found"),
            points=lambda one: (one.false_positive_rate, one.true_positive_rate),
            area=("auroc", "AUROC"),
            chance=(0.0, 1.0),
            caption="Further to the upper left is better; the dotted line is chance.",
        ),
        _figure(
            summary,
            models,
            "precision-recall",
            "Precision-recall curve",
            (f"Recall: share of {name} found", "Precision"),
            points=lambda one: (one.recall, one.precision),
            area=("average_precision", "average precision"),
            chance=(prevalence, prevalence),
            caption=(
                "Further to the upper right is better; the dotted line is chance, the share of "
                f"{name}: {share_text(prevalence)}."
            ),
        ),
    )


def _figure(
    summary: Summary,
    models: Mapping[str, RankingCurves],
    name: str,
    title: str,
    axes: tuple[str, str],
    *,
    points: Callable[[RankingCurves], tuple[tuple[float, ...], tuple[float, ...]]],
    area: tuple[str, str],
    chance: tuple[float, float],
    caption: str,
) -> PageFigure:
    """Return one curve of each model, with its area in the key."""
    metric, words = area
    lines = model_lines(
        summary,
        {role: points(one) for role, one in models.items()},
        {
            role: f"{words} {value_text(metric, getattr(one, metric))}"
            for role, one in models.items()
        },
    )
    level: dict[str, Any] = {"range": [-0.01, 1.01], "tickformat": ".0%", "nticks": 6}
    dotted = line([0.0, 1.0], chance, pen(MUTED, 1, "dot"))
    return PageFigure(
        id=name,
        group="ranking",
        title=title,
        caption=caption,
        alt=f"{title}: {'; '.join(text for text, _ in lines.key)}.",
        height=380,
        key=lines.key,
        spec={
            "data": [dotted, *lines.traces],
            "layout": layout(x=axis(axes[0], **level), y=axis(axes[1], **level)),
        },
    )
