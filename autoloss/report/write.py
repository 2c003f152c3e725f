"""The report's files, each written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from autoloss.core.files import writable, write_whole
from autoloss.records import Summary
from autoloss.report.document import summary_json
from autoloss.report.html import render_html
from autoloss.report.markdown import render_markdown
from autoloss.report.trials_csv import trials_csv


def report_texts(summary: Summary) -> dict[str, str]:
    """Return the text of each file of a report, in the order in which they are written."""
    return {
        "report.html": render_html(summary),
        "report.md": render_markdown(summary),
        "trials.csv": trials_csv(summary),
        # Last, because a study with this file is finished: the others are not written again.
        "summary.json": summary_json(summary),
    }


def write_report(summary: Summary, folder: Path | str) -> tuple[Path, ...]:
    r"""Write ``report.html``, ``report.md``, ``summary.json`` and ``trials.csv``.

    Every file is UTF-8 with ``\n`` at the end of its lines on every system, and replaces an
    older file in a single step, so that a reader never meets half a file.

    Args:
        summary: The finished study.
        folder: The folder, which is made if it does not exist.

    Returns:
        The paths, the page first.

    Raises:
        UnwritableError: If the folder cannot be written.
    """
    # Rendered before the first file is touched, so that a failure keeps the old report.
    texts = report_texts(summary)
    folder = Path(folder)
    with writable(folder, "The report's folder"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_whole(folder / name, text)
    return tuple(folder / name for name in texts)
