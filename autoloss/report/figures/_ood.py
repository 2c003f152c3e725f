"""The area under the ROC curve of OOD scores over the temperature."""

from __future__ import annotations

import math

from autoloss.records import Summary
from autoloss.report.figures._base import PageFigure, model_lines
from autoloss.report.figures._draw import MUTED, axis, layout, line, pen
from autoloss.report.ood import NAMES, side_finalists

_TICKS = (0.25, 1.0, 5.0, 30.0, 1000.0)


def strangers_figures(summary: Summary) -> tuple[PageFigure, ...]:
    """Return a figure for each score with a temperature, a line for each side of the verdict."""
    found = summary.strangers
    if found is None:
        return ()
    sides = side_finalists(summary, found)
    names = dict.fromkeys(curve.name for _, one in sides for curve in one.curves)
    logs = [math.log10(one) for one in found.temperatures]
    figures = []
    for name in names:
        curves = {role: curve for role, one in sides for curve in one.curves if curve.name == name}
        at_one = found.temperatures.index(1.0)
        texts = {role: f"{one.auroc[at_one]:.3f} at T = 1" for role, one in curves.items()}
        points = {role: (logs, one.auroc) for role, one in curves.items()}
        lines = model_lines(summary, points, texts)
        chance = line([logs[0], logs[-1]], [0.5, 0.5], pen(MUTED, 1, "dot"))
        values = [value for one in curves.values() for value in one.auroc]
        low = min(0.5, *values) - 0.02
        figures.append(
            PageFigure(
                id=f"strangers-{name.replace('_', '-')}",
                group="strangers",
                title=f"AUROC of the {NAMES[name]} over the temperature",
                caption=(
                    "A temperature divides the logits. Higher is better; the dotted "
                    "line is chance."
                ),
                alt=f"AUROC over the temperature: {', '.join(texts.values())}.",
                height=300,
                key=lines.key,
                spec={
                    "data": [chance, *lines.traces],
                    "layout": layout(
                        x=axis(
                            "Temperature",
                            tickvals=[math.log10(one) for one in _TICKS],
                            ticktext=[f"{one:g}" for one in _TICKS],
                        ),
                        y=axis("AUROC", range=[low, max(1.0, *values)]),
                    ),
                },
            )
        )
    return tuple(figures)
