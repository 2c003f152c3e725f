"""What a study needs before it begins: a name that is new, and a place for its runs."""

from __future__ import annotations

from pathlib import Path

from autoloss.search.config import CONFIG
from autoloss.search.journal import JOURNAL, exists_error
from autoloss.search.naming import check_name
from autoloss.tracking import check_register
from autoloss.tracking.uri import resolve


def check_start(
    name: str | None,
    *,
    out: Path,
    track: str,
    tracking_uri: str | None,
    register: str | None,
    model: object = "auto",
) -> None:
    """Check that a study can begin; nothing is made or written.

    Args:
        name: Its name; None for one that is free.
        out: The folder of all studies.
        track: What is written to MLflow.
        tracking_uri: MLflow's tracking URI; None for that of the environment.
        register: Name in MLflow's model registry; None for none.
        model: ``"auto"``, or a network of the user's own.

    Raises:
        StudyExistsError: If there is a study of that name.
        InputError: If a name is not allowed, or MLflow could never write there.
    """
    if name is not None:
        folder = out / check_name(name)
        if any((folder / file).exists() for file in (CONFIG, JOURNAL)):
            raise exists_error(name, where=str(folder))
    check_register(register, track=track, is_own=model != "auto")
    if track != "off":
        resolve(tracking_uri)
