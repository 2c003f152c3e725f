"""The surface around a network as a sentence, rows and a figure."""

from __future__ import annotations

from markupsafe import Markup

from autoloss.records.surface import Surface, SurfaceSlice
from autoloss.report.chart import Frame
from autoloss.report.words import family_words, share_text

HEADS = (
    "direction",
    "cross-entropy",
    "Fisher",
    "concave",
    "squared error",
    "Gauss-Newton",
    "concave",
)
# A loss this many times that of the class shares lies above the figure.
_TOP = 2.0


def slice_names(found: Surface) -> list[str]:
    """Return the names of the slices: ``"leading 1"``, ``"leading 2"``, ``"random 1"``, ..."""
    counts = {"leading": 0, "random": 0}
    names = []
    for one in found.slices:
        counts[one.direction] += 1
        names.append(f"{one.direction} {counts[one.direction]}")
    return names


def slice_rows(found: Surface) -> list[tuple[str, ...]]:
    """Return a row for each slice: curvatures along it, and the shares of concave steps."""
    return [
        (
            name,
            *(
                cell
                for loss in (0, 1)
                for cell in (
                    _number(one.curvature[loss]),
                    _number(one.gauss_newton[loss]),
                    share_text(one.concave[loss]),
                )
            ),
        )
        for name, one in zip(slice_names(found), found.slices, strict=True)
    ]


def surface_text(found: Surface) -> str:
    """Return the extreme curvatures of both losses in sentences."""
    first, second = found.concavity
    return (
        f"Around a network of {family_words(found.loss_label)} with {found.weights:,} weights, on "
        f"{found.labels:,} labels, cross-entropy's curvature is between "
        f"{_number(found.smallest[0])} and {_number(found.largest[0])}, and the squared error's "
        f"between {_number(found.smallest[1])} and {_number(found.largest[1])}: the most negative "
        f"is {share_text(first)} and {share_text(second)} of the largest."
    )


def slice_chart(found: Surface, one: SurfaceSlice, name: str) -> Markup:
    """Return both losses along a slice, relative to the losses of the class shares."""
    frame = Frame((-1.0, 1.0), (0.0, _TOP))
    frame.path([(-1.0, 1.0), (1.0, 1.0)], "diagonal")
    losses = ((one.cross_entropy, found.shares[0]), (one.squared, found.shares[1]))
    for place, (values, shares) in enumerate(losses):
        points = [(x, y / shares) for x, y in zip(found.steps, values, strict=True)]
        for run in _inside(points):
            frame.path(run, f"line s{place}")
    ticks = [(step, f"{step:g}") for step in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    y_ticks = [(level, f"{level:g}") for level in (0.0, 0.5, 1.0, 1.5, 2.0)]
    alt = f"Cross-entropy and squared error along the direction {name}."
    return frame.drawn(alt, f"Step along {name}", "Loss, class shares = 1", ticks, y_ticks)


def _inside(points: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Return the runs of points that lie in the figure, each with its neighbours outside."""
    runs: list[list[tuple[float, float]]] = []
    for place, point in enumerate(points):
        near = points[max(0, place - 1) : place + 2]
        if min(y for _, y in near) > _TOP:
            continue
        if not runs or runs[-1][-1] != points[place - 1]:
            runs.append([])
        runs[-1].append(point)
    return [run for run in runs if len(run) > 1]


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
