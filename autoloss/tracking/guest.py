"""Writes the trials of a process that joined a study, below the run of another process."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from autoloss.core.admitted import is_named
from autoloss.core.errors import InputError
from autoloss.core.secrets import redacted
from autoloss.records import Summary, TrialRecord
from autoloss.tracking.identity import Identity, read_identity, write_identity
from autoloss.tracking.protocol import SavedModels
from autoloss.tracking.runs import StudyRuns
from autoloss.tracking.tracker import Tracker
from autoloss.tracking.uri import sqlite_file
from autoloss.tracking.uri_check import check


class GuestTracker(Tracker):
    """Writes the trials of this process, and the conclusion if this process reaches it.

    Other processes write the runs of their own trials. Before the verdict this process neither
    creates nor ends the parent run.

    Args:
        uri: The tracking URI, as `guest_uri` returns it.
        identity: The identity that the processes of the study agree on.
        experiment: Name of MLflow's experiment.
        study_name: Name of the parent run.
        folder: The study's folder.
        only_front: As for `Tracker`.
    """

    def __init__(
        self,
        uri: str,
        identity: Identity,
        *,
        experiment: str,
        study_name: str,
        folder: Path | str,
        only_front: bool = False,
    ) -> None:
        self.uri = uri
        self._description: dict[str, str] = {}
        own = read_identity(Path(folder))
        if (own.study_id, own.uri) == (identity.study_id, identity.uri):
            # The processes share the folder, which knows more.
            identity = own
        self._open(identity, experiment, study_name, folder, only_front=only_front, is_guest=True)

    def start(self, description: Mapping[str, str]) -> None:
        """Wait in the background for the parent run, which another process creates."""
        self._description = dict(description)
        self._put("study", StudyRuns.parent)

    def sync(self, records: Iterable[TrialRecord]) -> None:
        """Do nothing, because another process may be writing the trials."""

    def finish(
        self, summary: Summary, report_files: Sequence[Path], saved: SavedModels | None = None
    ) -> None:
        """Write the conclusion that this process reached, and the parent run if it is missing."""
        write_identity(self._folder, self._identity)
        self._runs.is_guest = False
        self._put("study", lambda runs: runs.describe(self._description))
        super().finish(summary, report_files, saved)


def guest_uri(uri: str) -> str | None:
    """Return the store of a study, if a process that joins may and can write there, else None.

    It may if its user has tracked there on this machine, or names it in ``MLFLOW_TRACKING_URI``.

    Args:
        uri: The store's URI without its password.
    """
    try:
        usual = os.environ.get("MLFLOW_TRACKING_URI")
        if usual and redacted(found := check(usual)) == uri:
            return found
        if "***" in uri or not is_named("tracking", uri):
            return None
        file = sqlite_file(uri)
        # The same path on another machine.
        return None if file is not None and not file.is_file() else check(uri)
    except InputError:
        return None
