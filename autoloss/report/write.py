"""The report's files, each written whole or not at all."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from autoloss.core.errors import InputError
from autoloss.core.files import write_whole
from autoloss.records import Summary, TrialRecord
from autoloss.report.document import summary_json
from autoloss.report.html import render_html
from autoloss.report.markdown import render_markdown


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


def trials_csv(summary: Summary) -> str:
    r"""Return the trials as CSV, with the columns of ``SearchResult.trials``.

    Args:
        summary: The finished study.

    Returns:
        A header and one line a trial in order of number; lines end with ``\n``, numbers have
        full precision, and a cell is empty if a trial lacks the value or it is not finite.
    """
    groups = [_groups(trial) for trial in summary.trials]
    # A dict keeps the order in which the columns first appear.
    columns = [
        key
        for place in range(len(groups[0]) if groups else 0)
        for key in dict.fromkeys(key for row in groups for key in row[place])
    ]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in groups:
        values = {key: value for group in row for key, value in group.items()}
        writer.writerow([_cell(values.get(key)) for key in columns])
    return out.getvalue()


def _groups(trial: TrialRecord) -> tuple[dict[str, Any], ...]:
    """Return the columns of a trial in groups: head, loss, nuisance, metrics, the rest."""
    return (
        {"number": trial.number, "state": trial.state},
        {f"loss.{key}": value for key, value in trial.loss.items()},
        {f"nuisance.{key}": value for key, value in trial.nuisance.items()},
        dict(trial.metrics),
        {"readout": trial.readout, "seconds": trial.seconds, "origin": trial.origin},
    )


def _cell(value: Any) -> Any:
    """Return a cell: empty for a value that is missing or not finite."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return value
