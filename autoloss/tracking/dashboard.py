"""Where a study is looked at: a command that opens the dashboard, and a link into it."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from autoloss.tracking.identity import read_identity
from autoloss.tracking.uri import is_server, redacted
from autoloss.tracking.view import view_query

PORT = 5000
"""Where MLflow listens unless told otherwise."""


@dataclass(frozen=True)
class Dashboard:
    """How the runs of a study are looked at.

    Args:
        command: A command that starts the dashboard; empty where a server runs already.
        url: The page of the runs; for a local store it answers once `command` runs.
    """

    command: str
    url: str


def dashboard_link(
    uri: str,
    experiment_id: str | None = None,
    *,
    view: str = "",
    study: str = "",
    port: int = PORT,
) -> Dashboard:
    """Return where the runs in `uri` are looked at; passwords are left out.

    Args:
        uri: The tracking URI.
        experiment_id: MLflow's number of the experiment; None links to the list of experiments.
        view: Key of the saved view that is opened; empty for the plain list of runs.
        study: The study that the command opens: its name or its folder; empty for all of them.
        port: Where the dashboard of a local store answers.

    Examples:
        >>> dashboard_link("http://mlflow.example:5000", "3").url
        'http://mlflow.example:5000/#/experiments/3/runs?workflowType=machine_learning'
    """
    page = "/#/experiments"
    if experiment_id:
        page += f"/{experiment_id}/runs{view_query(view)}"
    if is_server(uri):
        return Dashboard(command="", url=redacted(uri).rstrip("/") + page)
    words = ["autoloss", "ui", *([study] if study else ["--tracking-uri", redacted(uri)])]
    command = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    return Dashboard(command=command, url=f"http://127.0.0.1:{port}{page}")


def dashboard_of(folder: Path, *, study: str = "") -> Dashboard | None:
    """Return where a study is looked at, as its folder remembers; None if it does not.

    Args:
        folder: The study's folder.
        study: How the command names it; empty for its folder.
    """
    known = read_identity(folder)
    if known.uri is None:
        return None
    return dashboard_link(
        known.uri, known.experiment_id, view=known.view, study=study or str(folder)
    )
