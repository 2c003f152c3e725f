"""The figures of a diagnosis as SVG that the page's style colours: no script is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from autoloss.records import Reliability
from autoloss.records.diagnosis import Diagnosis
from autoloss.records.ood import Strangers
from autoloss.report.chart import Frame
from autoloss.report.diagnosis_words import loss_words, number
from autoloss.report.ood import NAMES, curve_names


def reliability_chart(diagram: Reliability, start: float) -> Markup:
    """Return a reliability diagram with its consistency band.

    Args:
        diagram: The points.
        start: Where both axes begin.
    """
    frame = Frame((start, 1.0), (start, 1.0))
    points = sorted(
        zip(
            diagram.confidence,
            diagram.accuracy,
            diagram.low,
            diagram.high,
            diagram.count,
            strict=True,
        )
    )
    band = [(x, high) for x, _, _, high, _ in points]
    band += [(x, low) for x, _, low, _, _ in reversed(points)]
    frame.path(band, "band", closed=True)
    frame.path([(start, start), (1.0, 1.0)], "diagonal")
    frame.path([(x, y) for x, y, *_ in points], "line")
    outside = 0
    for x, y, low, high, count in points:
        is_outside = not low <= y <= high
        outside += is_outside
        title = f"{count:,} rows: said {100 * x:.1f}%, was right {100 * y:.1f}%"
        frame.dot(x, y, "outside" if is_outside else "point", title, crossed=is_outside)
    ticks = _share_ticks(start)
    alt = f"{diagram.name}: {outside} of {len(points)} groups of rows lie outside the band."
    return frame.drawn(alt, "Stated confidence", "Share correct", ticks, ticks)


def reliability_start(diagrams: Sequence[Reliability]) -> float:
    """Return the start of the axes of all diagrams: a tenth at or below every value."""
    values = [
        value
        for one in diagrams
        for column in (one.confidence, one.accuracy, one.low)
        for value in column
    ]
    return max(0.0, min(0.9, math.floor(10 * min(values, default=0.0) - 1e-9) / 10))


def signal_chart(found: Diagnosis) -> Markup:
    """Return the gradient of each loss over p, above the histogram of p."""
    signal = found.signal
    curves = [list(one.curve) for one in signal.losses]
    highest = max((v for one in curves for v in one if math.isfinite(v)), default=1.0)
    top = max(1.2, 1.1 * min(highest, 20.0))
    frame = Frame((0.0, 1.0), (0.0, top))
    n = len(signal.histogram)
    tallest = max(signal.histogram) or 1.0
    for place, share in enumerate(signal.histogram):
        frame.bar(
            (place / n + 0.004, (place + 1) / n - 0.004),
            (0.0, 0.45 * top * share / tallest),
            "hist",
            f"p {place / n:.2f} to {(place + 1) / n:.2f}: {100 * share:.1f}% of the rows",
        )
    for number_, curve in enumerate(curves):
        points = [((i + 0.5) / n, v) for i, v in enumerate(curve) if math.isfinite(v)]
        if points:
            frame.path(points, f"line s{number_}")
        for x, y in points:
            name = loss_words(signal.losses[number_])
            frame.dot(x, y, f"point s{number_}", f"{name}: {number(y)} at p {x:.3f}")
    ticks = [(tick, f"{tick:g}") for tick in (0.0, 0.25, 0.5, 0.75, 1.0)]
    step = next(one for one in (0.25, 0.5, 1.0, 2.0, 5.0) if top / one <= 6 or one == 5.0)
    y_ticks = [(step * i, f"{step * i:g}") for i in range(int(top / step) + 1)]
    names = ", ".join(map(loss_words, signal.losses))
    alt = f"Gradient of {names} in units of cross-entropy's over p, and how many rows have it."
    return frame.drawn(alt, "p of the true class", "Gradient, cross-entropy = 1", ticks, y_ticks)


def tenths_chart(found: Diagnosis) -> Markup:
    """Return the share of the gradient by tenth of p, beside the share of the rows."""
    tenths = found.signal.tenths
    n_bars = 1 + len(found.signal.losses)
    largest = max(max(one.share, *(g for g in one.gradient)) for one in tenths)
    top = min(1.0, 1.08 * largest)
    frame = Frame((0.0, 1.0), (0.0, top))
    width = 0.084 / n_bars
    for place, one in enumerate(tenths):
        begin = place / 10 + 0.008
        values = [("of the rows", "rows", one.share)]
        values += [
            (f"of the gradient of {loss_words(loss)}", f"s{i}", one.gradient[i])
            for i, loss in enumerate(found.signal.losses)
        ]
        for i, (what, kind, value) in enumerate(values):
            title = f"p {one.name}: {100 * value:.1f}% {what}"
            x = begin + i * width
            frame.bar((x, x + 0.9 * width), (0.0, value), kind, title)
    ticks = [(tick / 10, f"{tick / 10:g}") for tick in range(0, 11, 2)]
    step = next(one for one in (0.02, 0.05, 0.1, 0.2, 0.25) if top / one <= 6 or one == 0.25)
    y_ticks = [(step * i, f"{100 * step * i:.0f}%") for i in range(int(top / step) + 1)]
    alt = "Share of the rows and of the gradient by the probability of the true class."
    return frame.drawn(alt, "p of the true class", "Share", ticks, y_ticks)


def temperature_chart(found: Strangers) -> Markup:
    """Return the area under the ROC curve of each score over the temperature, on a log scale."""
    values = [value for curve in found.curves for value in curve.auroc]
    low = min(0.5, math.floor(10 * min(values)) / 10)
    logs = [math.log10(one) for one in found.temperatures]
    frame = Frame((logs[0], logs[-1]), (low, 1.0))
    frame.path([(logs[0], 0.5), (logs[-1], 0.5)], "diagonal")
    for place, curve in enumerate(found.curves):
        frame.path(list(zip(logs, curve.auroc, strict=True)), f"line s{place}")
        for temperature, x, y in zip(found.temperatures, logs, curve.auroc, strict=True):
            title = f"{NAMES[curve.name]}: AUROC {y:.3f} at T = {temperature:g}"
            frame.dot(x, y, f"point s{place}", title)
    ticks = [(math.log10(one), f"{one:g}") for one in (0.25, 1.0, 5.0, 30.0, 1000.0)]
    n = round((1.0 - low) * 10)
    y_ticks = [(low + i / 10, f"{low + i / 10:.1f}") for i in range(n + 1)]
    alt = f"AUROC of {curve_names(found)} over the temperature."
    return frame.drawn(alt, "Temperature", "AUROC", ticks, y_ticks)


def _share_ticks(start: float) -> list[tuple[float, str]]:
    step = 0.1 if start >= 0.5 else 0.2
    count = round((1.0 - start) / step + 1e-9)
    return [(1.0 - step * i, f"{100 * (1.0 - step * i):.0f}%") for i in range(int(count), -1, -1)]
