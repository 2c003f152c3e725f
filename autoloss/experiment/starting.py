"""Checks before a study begins: its name is new, and its runs have a place."""

from __future__ import annotations

from pathlib import Path

from autoloss.search.config import CONFIG
from autoloss.search.journal import JOURNAL, exists_error
from autoloss.search.naming import check_name
from autoloss.tracking import check_register
from autoloss.tracking.uri_check import resolve


def check_start(
    name: str | None,
    *,
    out: Path,
    track: str,
    tracking_uri: str | None,
    register: str | None,
    model: object = "auto",
) -> None:
    """Check that a study can begin, without writing anything.

    Args:
        name: Its name; None for a free name.
        out: The folder of all studies.
        track: The trials that MLflow gets: ``"all"``, ``"pareto"`` or ``"off"``.
        tracking_uri: MLflow's tracking URI; None for that of the environment.
        register: Name in MLflow's model registry; None for none.
        model: ``"auto"``, or the user's own network.

    Raises:
        StudyExistsError: If a study has that name.
        InputError: If a name is not allowed, or MLflow could never write there.
    """
    if name is not None:
        folder = out / check_name(name)
        if any((folder / file).exists() for file in (CONFIG, JOURNAL)):
            raise exists_error(name, where=str(folder))
    check_register(register, track=track, is_own=model != "auto")
    if track != "off":
        resolve(tracking_uri)
