"""The run of MLflow that is active where a search is started: it becomes the study's parent."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class ActiveRun:
    """A run that somebody began before the search.

    Args:
        run_id: Its id.
        uri: Where it is; None for the tracking URI of the environment.
    """

    run_id: str
    uri: str | None = None


def find_active_run() -> ActiveRun | None:
    """Return the active run of this thread, else the one that ``MLFLOW_RUN_ID`` names.

    Whoever has begun a run has imported mlflow: it is not imported for this.
    """
    mlflow = sys.modules.get("mlflow")
    # mlflow may be half imported, in another thread.
    if mlflow is not None and hasattr(mlflow, "active_run"):
        run = mlflow.active_run()
        if run is not None:
            return ActiveRun(str(run.info.run_id), str(mlflow.get_tracking_uri()))
    named = os.environ.get("MLFLOW_RUN_ID")
    return ActiveRun(named) if named else None
