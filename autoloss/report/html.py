"""The report as a single page that needs neither server nor network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from autoloss.records import Summary
from autoloss.report.figures import GROUPS, PageFigure, all_figures, signals_info
from autoloss.report.page import make_template, page_file
from autoloss.report.palette import DARK, DARK_PAGE, LIGHT, LIGHT_PAGE, looks
from autoloss.report.svg import WIDTHS, figure_svg
from autoloss.report.svg.marks import stroke
from autoloss.report.words import date_text


def render_html(summary: Summary) -> str:
    """Return the report as a self-contained page.

    Figures are SVG in three widths; the page shows the width that fits, and needs no
    script for it. The page's own policy forbids it to load anything or to run a script of another
    source, so that no name in the data can become code.

    Args:
        summary: The finished study.

    Returns:
        HTML 5, some hundred kB.
    """
    figures = all_figures(summary)
    scripts = (page_file("page.js"),)
    return html_template().render(
        summary=summary,
        finished=date_text(summary.created),
        figures=_by_group(figures),
        signal_lines=[curve.line for curve in signals_info(summary).curves],
        looks=looks(dict.fromkeys(trial.family for trial in summary.trials)),
        palette={"light": LIGHT, "dark": DARK, "page": (LIGHT_PAGE, DARK_PAGE)},
        style=Markup(page_file("report.css")),
        # Scripts are our own files; the hashes below let these run and no others.
        scripts=[Markup(text) for text in scripts],
        hashes=[_hash(text) for text in scripts],
    )


def drawings(figure: PageFigure) -> Markup:
    """Return a figure in every width; its texts are escaped by the drawing."""
    texts = [
        figure_svg(figure.spec, width=width, height=figure.height, name=f"{figure.id}-{width}")
        for width in WIDTHS
    ]
    return Markup("".join(texts))


def css_text(text: str) -> str:
    r"""Return text for a string of a style sheet that it cannot leave.

    Examples:
        >>> css_text('a"b')
        'a\\22 b'
    """
    return "".join(
        one if one.isascii() and (one.isalnum() or one in " -_.") else f"\\{ord(one):x} "
        for one in text
        if one.isprintable()
    )


def _stroke(line: dict[str, Any]) -> Markup:
    """Return the attributes of a line of a figure's key; they are our own."""
    return Markup(stroke(line))


def _by_group(figures: tuple[PageFigure, ...]) -> dict[str, list[PageFigure]]:
    """Return the figures by the section that shows them."""
    return {group: [figure for figure in figures if figure.group == group] for group in GROUPS}


@cache
def html_template() -> Template:
    """Return the template of the page, compiled once in a process."""
    return make_template("report.html.j2", drawings=drawings, stroke=_stroke, css_text=css_text)


def _hash(script: str) -> str:
    """Return the hash by which a content security policy names a script."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
