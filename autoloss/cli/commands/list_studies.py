"""``autoloss list``: lists the studies of a folder."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from autoloss.cli import options

if TYPE_CHECKING:
    from autoloss.records import StudyListing

EXAMPLES = ("autoloss list", "autoloss list --out studies")


def list_studies(*, out: options.Out = options.OUT) -> None:
    """List the studies of a folder, with progress and verdict."""
    from autoloss.cli.tables import show_table
    from autoloss.cli.terminal import output
    from autoloss.search import folders

    studies = folders.list_studies(out)
    if studies:
        header = ("Study", "Begun", "Trials", "Verdict", "Ships")
        show_table(output(), header, [_row(study) for study in studies], whole=(0,))
    else:
        output().print(f"No studies in {out}: autoloss search DATA --target COLUMN starts one.")


def _row(study: StudyListing) -> tuple[str, ...]:
    """Return the cells of a study: name, start, progress, verdict and shipped loss."""
    from autoloss.report.verdict import BADGES
    from autoloss.report.words import MISSING

    begun = datetime.fromtimestamp(study.created).astimezone()
    return (
        study.name,
        begun.strftime("%Y-%m-%d %H:%M"),
        f"{study.done}/{study.trials}",
        BADGES[study.decision] if study.decision else "not finished",
        study.recommended or MISSING,
    )
