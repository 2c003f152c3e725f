"""One verdict of a study on which several processes work: one concludes, the others read it."""

from __future__ import annotations

import time
from collections.abc import Callable

from autoloss.core.errors import InputError
from autoloss.experiment.conclusion import MODEL, show_result
from autoloss.experiment.progress import Progress
from autoloss.experiment.session import POLL_SECONDS
from autoloss.inference.loading import read_model
from autoloss.models import OwnModel
from autoloss.report import summary_from_json
from autoloss.search import SearchResult, Study
from autoloss.search.conclusion_claim import Concluded, process_text
from autoloss.search.naming import SUMMARY
from autoloss.tracking import Tracking


def one_verdict(
    study: Study,
    reach: Callable[[], SearchResult],
    read: Callable[[], SearchResult],
    *,
    progress: Progress,
    waits: bool,
) -> SearchResult | Concluded:
    """Return the verdict of a study, which the first process that asks reaches.

    If that process dies, the next one takes over.

    Args:
        study: The study, whose trials have ended.
        reach: Reaches the verdict and writes it into the study's folder.
        read: Reads it from there.
        progress: Receives a line if another process concludes.
        waits: Whether to wait for the verdict of another process.

    Returns:
        The result; if another process reaches it and nobody waits, that process.

    Raises:
        InputError: The database has no copy of the verdict of another machine.
    """
    claim, is_told = study.conclusion, False
    while not claim.is_reached:
        if (other := claim.holder or claim.take()) is None:
            break
        if not waits:
            return Concluded(other.host, other.pid)
        if not is_told:
            who = process_text(other.host, other.pid)
            progress.noted(f"{who} reaches the verdict: waiting for it.")
            is_told = True
        time.sleep(POLL_SECONDS)
    if (reached := claim.reached) is not None and claim.is_reached:
        if not waits:
            return reached
        if not claim.fetch():
            raise InputError(
                f"The database must have the verdict of {study.name}, but got none: "
                f"{reached.text} has it in {reached.folder}."
            )
        return read()
    result = reach()
    if refused := claim.publish():
        progress.noted(
            f"The database took no copy of the report and the model ({refused}): other machines "
            f"find them in {study.folder} alone."
        )
    return result


def read_verdict(
    study: Study,
    tracker: Tracking,
    model: OwnModel | None,
    *,
    progress: Progress,
    register: str | None,
) -> SearchResult:
    """Return the result in a study's folder, and write the runs that MLflow lacks.

    Args:
        study: The study.
        tracker: Shows the trials; it has started.
        model: The custom network; None for the built-in one.
        progress: Receives the progress.
        register: Name in the model registry, None for none.
    """
    folder = study.folder
    summary = summary_from_json((folder / SUMMARY).read_text(encoding="utf-8"))
    # A database keeps no model that is very large.
    shipped = read_model(folder / MODEL, model) if (folder / MODEL).is_dir() else None
    tracker.sync(study.trials)
    is_own = shipped is not None and bool(shipped.own_code)
    unwritten = show_result(summary, folder, tracker, progress, register, is_own=is_own)
    return SearchResult(summary, shipped, unwritten)
