"""A search on fewer training rows: how many, and the sentence that says so."""

from __future__ import annotations

from dataclasses import replace

from autoloss.data import StudyData
from autoloss.experiment.time_plan import Workload

LARGE = 50_000
"""Training rows from which a time limit may let candidates be compared on fewer."""
LEAST = 10_000
"""Training rows that candidates are compared on, at least, where a time limit decides it."""


def fitting_rows(work: Workload, seconds: float, n_rows: int) -> int:
    """Return the training rows on which every trial fits into a time; 0 if these are all rows.

    All rows are halved until every trial fits, with its whole schedule, or few are left.

    Args:
        work: The requested work on all rows.
        seconds: The time.
        n_rows: Training rows of a division.
    """
    if n_rows < LARGE:
        return 0
    rows = n_rows
    while rows // 2 >= LEAST and not _fits(_on_fewer(work, rows / n_rows), seconds):
        rows //= 2
    return rows if rows < n_rows else 0


def rows_text(data: StudyData, rows: int) -> str:
    """Return a sentence on the rows that candidates are compared on; empty if these are all."""
    n_rows = len(data.train)
    if not 0 < rows < n_rows:
        return ""
    return (
        f"Candidates are compared on {rows:,} of {n_rows:,} training rows, the same for all; "
        "the finalists train on all rows."
    )


def _on_fewer(work: Workload, share: float) -> Workload:
    """Return the work of a search on a share of the training rows."""
    return replace(
        work,
        once=share * work.once,
        each=share * work.each,
        final_size=work.final_size / share,
        outer_size=work.outer_size / share,
        refit_size=work.refit_size / share,
    )


def _fits(work: Workload, seconds: float) -> bool:
    plan = work.within(seconds)
    return plan.trials == work.trials and plan.epochs == work.epochs
