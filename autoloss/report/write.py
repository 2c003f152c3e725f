"""The report's files, each written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from autoloss.core.errors import InputError
from autoloss.core.files import write_whole
from autoloss.records import Summary
from autoloss.report.document import summary_json
from autoloss.report.html import render_html
from autoloss.report.markdown import render_markdown
from autoloss.report.table import trials_csv


def write_report(summary: Summary, folder: Path | str) -> tuple[Path, ...]:
    r"""Write ``report.html``, ``report.md``, ``summary.json`` and ``trials.csv``.

    Every file is UTF-8 with ``\n`` at the end of its lines on every system, and takes the place
    of an older one in one step, so that a reader never meets half a file.

    Args:
        summary: The finished study.
        folder: Where to; made if it is not there.

    Returns:
        The paths, the page first.

    Raises:
        InputError: If the folder cannot be written.
    """
    # Rendered before the first file is touched: a failure leaves the old report as it was.
    texts = {
        "report.html": render_html(summary),
        "report.md": render_markdown(summary),
        "trials.csv": trials_csv(summary),
        # Last: a study that has it is finished, and none of the others is written again.
        "summary.json": summary_json(summary),
    }
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_whole(folder / name, text)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"The report's folder must be writable, but got folder={str(folder)!r}: {reason}."
        ) from error
    return tuple(folder / name for name in texts)
