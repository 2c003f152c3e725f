"""Reports of a finished study: a frozen `Summary` goes in, text comes out.

Nothing here trains, asks a clock or opens a connection; only `write_report` touches the disk.
Names are loaded when they are first used: words need no templates.

Floor 5. Imports from floors 1 to 4.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoloss.report.comparison import verdict_rows
    from autoloss.report.diagnosis import diagnosis_json, render_diagnosis
    from autoloss.report.document import finite, summary_from_json, summary_json
    from autoloss.report.html import render_html
    from autoloss.report.markdown import render_markdown
    from autoloss.report.verdict import verdict_lines
    from autoloss.report.write import trials_csv, write_report

_HOMES = {
    "diagnosis_json": "diagnosis",
    "finite": "document",
    "render_diagnosis": "diagnosis",
    "render_html": "html",
    "render_markdown": "markdown",
    "summary_from_json": "document",
    "summary_json": "document",
    "trials_csv": "write",
    "verdict_lines": "verdict",
    "verdict_rows": "comparison",
    "write_report": "write",
}

__all__ = [
    "diagnosis_json",
    "finite",
    "render_diagnosis",
    "render_html",
    "render_markdown",
    "summary_from_json",
    "summary_json",
    "trials_csv",
    "verdict_lines",
    "verdict_rows",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
