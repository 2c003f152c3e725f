"""The way to a study's dashboard: a command that starts it, and a link."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from autoloss.core.secrets import redacted
from autoloss.tracking.identity import read_identity
from autoloss.tracking.local_server import HOST, reached_at
from autoloss.tracking.uri import is_server
from autoloss.tracking.view import view_query

PORT = 5000
"""MLflow's default port."""


@dataclass(frozen=True)
class Dashboard:
    """The command and the link that show the runs of a study.

    Args:
        command: A command that starts the dashboard; empty for a server.
        url: The page of the runs; for a local store it needs `command` to run.
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
    host: str = HOST,
) -> Dashboard:
    """Return the dashboard of the runs in `uri`, without passwords.

    Args:
        uri: The tracking URI.
        experiment_id: ID of the experiment; None links to the list of experiments.
        view: Key of the saved view to open; empty for the plain list of runs.
        study: Name or folder of the study that the command opens; empty for all studies.
        port: Port of the dashboard of a local store.
        host: The address of this machine that listens there.

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
    return Dashboard(command=command, url=f"http://{reached_at(host)}:{port}{page}")


def dashboard_of(folder: Path, *, study: str = "") -> Dashboard | None:
    """Return the dashboard of a study from its folder; None if it was never tracked.

    Args:
        folder: The study's folder.
        study: The study's name in the command; empty for its folder.
    """
    known = read_identity(folder)
    if known.uri is None:
        return None
    return dashboard_link(
        known.uri, known.experiment_id, view=known.view, study=study or str(folder)
    )
