"""Where a study is looked at: a command that opens the dashboard, and a link into it."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass

from autoloss.tracking.uri import is_server, redacted


@dataclass(frozen=True)
class Dashboard:
    """How the runs of a study are looked at.

    Args:
        command: A command that starts the dashboard; empty where a server runs already.
        url: The page of the runs; for a local store it answers once `command` runs.
    """

    command: str
    url: str


def dashboard_link(uri: str, experiment_id: str | None = None) -> Dashboard:
    """Return where the runs in `uri` are looked at; passwords are left out.

    Args:
        uri: The tracking URI.
        experiment_id: MLflow's number of the experiment; None links to the list of experiments.

    Examples:
        >>> dashboard_link("http://mlflow.example:5000", "3").url
        'http://mlflow.example:5000/#/experiments/3/runs?workflowType=machine_learning'
    """
    # Without the workflow type MLflow 3 opens an empty page for traces of language models.
    query = "?workflowType=machine_learning"
    page = f"/#/experiments/{experiment_id}/runs{query}" if experiment_id else "/#/experiments"
    if is_server(uri):
        return Dashboard(command="", url=redacted(uri).rstrip("/") + page)
    words = ["mlflow", "ui", "--backend-store-uri", redacted(uri)]
    command = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    return Dashboard(command=command, url="http://127.0.0.1:5000" + page)
