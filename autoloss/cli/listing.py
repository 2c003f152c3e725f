"""Studies as rows of a table."""

from __future__ import annotations

from datetime import datetime

from autoloss.records import StudyListing
from autoloss.report.verdict import BADGES
from autoloss.report.words import MISSING

HEADER = ("Study", "Begun", "Trials", "Verdict", "Ships")


def study_row(study: StudyListing) -> tuple[str, ...]:
    """Return the cells of a study: name, start, progress, verdict and shipped loss."""
    begun = datetime.fromtimestamp(study.created).astimezone()
    return (
        study.name,
        begun.strftime("%Y-%m-%d %H:%M"),
        f"{study.done}/{study.trials}",
        BADGES[study.decision] if study.decision else "not finished",
        study.recommended or MISSING,
    )
