"""The trials as CSV, for a spreadsheet."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from autoloss.records import Summary, TrialRecord


def trials_csv(summary: Summary) -> str:
    r"""Return the trials as CSV, with the columns of ``SearchResult.trials``.

    Args:
        summary: The finished study.

    Returns:
        A header and a line for each trial in order of number; lines end with ``\n``, numbers have
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
