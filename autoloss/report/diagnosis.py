"""The diagnosis as a single page that needs neither scripts nor network."""

from __future__ import annotations

from functools import cache

from jinja2 import Template
from markupsafe import Markup

from autoloss.records.diagnosis import Diagnosis
from autoloss.report import diagnosis_words as words
from autoloss.report import ood, surface
from autoloss.report.diagnosis_figures import (
    reliability_chart,
    reliability_start,
    signal_chart,
    temperature_chart,
    tenths_chart,
)
from autoloss.report.document import json_text
from autoloss.report.page import make_template, page_file
from autoloss.report.palette import DARK_PAGE, LIGHT_PAGE
from autoloss.report.words import capital


def render_diagnosis(found: Diagnosis) -> str:
    """Return the diagnosis as a self-contained page; its figures are SVG.

    The page's own policy forbids scripts and connections, so that no name of a class can become
    code.

    Args:
        found: The diagnosis.

    Returns:
        HTML 5, about 60 kB.
    """
    start = reliability_start(found.reliability)
    diagrams = [(capital(one.name), reliability_chart(one, start)) for one in found.reliability]
    return _template().render(
        found=found,
        headline=words.headline(found),
        findings=words.findings(found),
        kind=words.KINDS[found.kind],
        losses=[capital(words.loss_words(one)) for one in found.signal.losses],
        diagrams=diagrams,
        signal=signal_chart(found),
        tenths=tenths_chart(found),
        words=words,
        ood=ood,
        surface=surface,
        slices=_slices(found),
        temperatures=temperature_chart(found.strangers)
        if found.strangers is not None and found.strangers.curves
        else None,
        most=words.MOST_ROWS,
        pages=(LIGHT_PAGE, DARK_PAGE),
        style=Markup(page_file("report.css") + page_file("diagnosis.css")),
    )


def _slices(found: Diagnosis) -> list[tuple[str, Markup]]:
    """Return name and figure of each slice of the surface."""
    if (own := found.surface) is None:
        return []
    pairs = zip(surface.slice_names(own), own.slices, strict=True)
    return [(capital(name), surface.slice_chart(own, one, name)) for name, one in pairs]


def diagnosis_json(found: Diagnosis) -> str:
    """Return the diagnosis as one JSON document; NaN and infinities become ``null``."""
    return json_text(found.to_dict())


@cache
def _template() -> Template:
    return make_template("diagnosis.html.j2")
