"""Reports of a finished study: a frozen `Summary` goes in, text comes out.

Nothing here trains, asks a clock or opens a connection; only `write_report` touches the disk.
Names are loaded when they are first used: words need no templates.

Floor 5. Imports from floors 1 to 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.core.lazy import make_lazy

if TYPE_CHECKING:
    from autoloss.report.comparison import verdict_rows
    from autoloss.report.diagnosis import diagnosis_json, render_diagnosis
    from autoloss.report.document import finite, summary_from_json, summary_json
    from autoloss.report.html import render_html
    from autoloss.report.markdown import render_markdown
    from autoloss.report.trials_csv import trials_csv
    from autoloss.report.verdict import verdict_lines
    from autoloss.report.write import write_report

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

make_lazy(__name__)
