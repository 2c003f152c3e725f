"""The report as markdown: the same facts as the page, tables in place of figures."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Template

from autoloss.records import Reliability, Summary
from autoloss.report.page import make_template

# Trials in the table; trials.csv has all.
_MOST = 30
_SPECIAL = re.compile(r"([\\`*\[\]<>|~$#!])")
# Underscores within a word mean nothing in markdown and read better bare.
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


class Raw(str):
    """Text that is markdown already."""

    __slots__ = ()


def render_markdown(summary: Summary) -> str:
    """Return the report as GitHub-flavoured markdown.

    Args:
        summary: The finished study.

    Returns:
        Text that ends with a newline. Names from the data are escaped: none of them can open a
        tag, a link or a column of a table.
    """
    text = markdown_template().render(summary=summary, most=_MOST)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@cache
def markdown_template() -> Template:
    """Return the template of the page, compiled once in a process."""
    # Everything that the template prints is escaped, unless it is `Raw`.
    return make_template(
        "report.md.j2", finalize=_escaped, code=_code, fenced=_fenced, bins=_bins, raw=Raw
    )


def _escaped(value: Any) -> str:
    """Return plain text as markdown that shows it, on one line."""
    if isinstance(value, Raw):
        return value
    text = _SPECIAL.sub(r"\\\1", _one_line(str(value)))
    return _UNDERSCORE.sub(r"\\_", text.replace("&", "&amp;"))


def _one_line(text: str) -> str:
    """Return the text without line breaks or other control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _code(value: Any) -> Raw:
    """Return a span of code that is safe in a table."""
    text = _one_line(str(value))
    # A bar would end the cell even within code, and outside tables its escape would be seen.
    if "|" in text or not text:
        return Raw(_escaped(text))
    ticks = "`" * (1 + max(map(len, re.findall(r"`+", text)), default=0))
    air = " " if "`" in text else ""
    return Raw(f"{ticks}{air}{text}{air}{ticks}")


def _bins(diagram: Reliability) -> list[tuple[float, float, int, float, float]]:
    """Return the bins of a diagram as rows."""
    d = diagram
    return list(zip(d.confidence, d.accuracy, d.count, d.low, d.high, strict=False))


def _fenced(value: Any, language: str = "") -> Raw:
    """Return a block of code, fenced by more backticks than it holds."""
    text = str(value).rstrip("\n")
    ticks = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return Raw(f"{ticks}{language}\n{text}\n{ticks}")
