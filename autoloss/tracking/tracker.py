"""Writes a study to MLflow without slowing or breaking the search."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autoloss.core.secrets import redacted
from autoloss.records import Summary, TrialRecord
from autoloss.tracking.conclusion import (
    Conclusion,
    view_of,
    write_conclusion,
    write_studies,
    write_view,
)
from autoloss.tracking.dashboard import Dashboard, dashboard_link
from autoloss.tracking.experiment import MlflowExperiment
from autoloss.tracking.failures import Refused, classified
from autoloss.tracking.identity import Identity, of_processes, read_identity, write_identity
from autoloss.tracking.protocol import Pending, SavedModels
from autoloss.tracking.runs import StudyRuns
from autoloss.tracking.uri_check import check, resolve
from autoloss.tracking.writer import WriteJob, Writer

_PARENT = "study"


@dataclass(frozen=True)
class ActiveRun:
    """A run of MLflow that the user began before the search.

    Args:
        run_id: ID of the run.
        uri: Its tracking URI; None for the URI of the environment.
    """

    run_id: str
    uri: str | None = None


def find_active_run() -> ActiveRun | None:
    """Return the active run of this thread, else the run that ``MLFLOW_RUN_ID`` names.

    Does not import mlflow: a program with an active run has imported it.
    """
    mlflow = sys.modules.get("mlflow")
    # Another thread may not have finished the import.
    if mlflow is not None and hasattr(mlflow, "active_run"):
        run = mlflow.active_run()
        if run is not None:
            return ActiveRun(str(run.info.run_id), str(mlflow.get_tracking_uri()))
    run_id = os.environ.get("MLFLOW_RUN_ID")
    return ActiveRun(run_id) if run_id else None


class Tracker:
    """Writes a study to MLflow in a background thread: a parent run, and a child run per trial.

    Only `close` waits for MLflow. Failed writes are repeated; `start` and `sync` of a later
    session write the rest. A repeated call changes nothing. MLflow's telemetry is off unless
    ``MLFLOW_DISABLE_TELEMETRY`` says otherwise.

    Args:
        uri: The tracking URI; None for the URI of the study's earlier session, else of
            ``MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db`` in the current directory.
        experiment: Name of MLflow's experiment; a missing experiment is created.
        study_name: Name of the parent run.
        folder: The study's folder, where ``tracking.json`` stores the parent run and the URI.
        only_front: Whether to write only the trials of front, verdict and winner, at the end.
        shared: The identity that the processes of the study agree on; None for none.

    A run of MLflow that is active in this thread, or that ``MLFLOW_RUN_ID`` names, becomes the
    parent, unless `uri` names another store or the study has a parent already; it stays active.

    Raises:
        InputError: If MLflow could never write to the URI.
    """

    def __init__(
        self,
        uri: str | None = None,
        *,
        experiment: str,
        study_name: str,
        folder: Path | str,
        only_front: bool = False,
        shared: Identity | None = None,
    ) -> None:
        identity = of_processes(read_identity(Path(folder)), shared)
        active = find_active_run() if identity.uri is None else None
        if active is not None and uri is not None and check(uri) != check(active.uri or uri):
            active = None
        self.uri = resolve(uri or (active.uri if active else None), remembered=identity.uri)
        if redacted(self.uri) != identity.uri:
            identity = Identity(
                identity.study_id, redacted(self.uri), adopted=active.run_id if active else ""
            )
        self._open(identity, experiment, study_name, folder, only_front=only_front)

    def _open(
        self,
        identity: Identity,
        experiment: str,
        study_name: str,
        folder: Path | str,
        *,
        only_front: bool,
        is_guest: bool = False,
    ) -> None:
        self._folder = Path(folder).absolute()
        self._only_front = only_front
        self._identity = identity
        self._experiment = MlflowExperiment(self.uri, name=experiment, of_run=identity.adopted)
        self._runs = StudyRuns(
            self._experiment,
            study_name=study_name,
            study_id=identity.study_id,
            active=identity.adopted,
            is_guest=is_guest,
        )
        self._writer = Writer()
        self._is_open = False

    @property
    def identity(self) -> Identity:
        """Return the facts by which other processes find the runs of the study."""
        return self._identity

    @property
    def trouble(self) -> str:
        """Return the reason of a failed write, in one line; empty for none."""
        return self._writer.trouble

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the permanent gaps in MLflow, a sentence each."""
        return (*self._experiment.notes, *self._runs.notes)

    @property
    def written(self) -> int:
        """Return the number of trials' runs written or completed so far."""
        return self._runs.written

    @property
    def shown_uri(self) -> str:
        """Return the tracking URI without its password."""
        return redacted(self.uri)

    def start(self, description: Mapping[str, str]) -> None:
        """Open the study: create the parent run, or find that of an earlier session.

        Args:
            description: The request, as parameters of the parent run: data, seed, ...
        """
        write_identity(self._folder, self._identity)
        self._is_open = True
        params = dict(description)

        def describe(runs: StudyRuns) -> None:
            runs.describe(params)
            if params:  # a study that is only reopened has its views
                view = write_view(runs, view_of(runs, params))
                self._remember(view=view, studies=write_studies(runs))
            else:
                self._remember()

        self._put(_PARENT, describe)

    def log_trial(self, record: TrialRecord) -> None:
        """Write a trial that ended, unless its run exists."""
        if record.state != "running" and not self._only_front:
            self._put(f"trial {record.number}", lambda runs: runs.write_trial(record))

    def sync(self, records: Iterable[TrialRecord]) -> None:
        """Write the trials that have no run yet, and complete incomplete runs.

        A trial without an end was lost with its process: another trial retries its settings, or
        `finish` writes it.
        """
        # Other processes of the study may have written some meanwhile.
        self._put(_PARENT, StudyRuns.refresh)
        for record in records:
            if record.ended > 0:
                self.log_trial(record)

    def finish(
        self, summary: Summary, report_files: Sequence[Path], saved: SavedModels | None = None
    ) -> None:
        """Write the verdict, the winner's and the test metrics, the front, report and models.

        Args:
            summary: The finished study; its trials without a run get one.
            report_files: Files and folders to attach to the parent run.
            saved: The models with saved weights; None for none.
        """
        self._is_open = False
        files = tuple(Path(file).absolute() for file in report_files)
        models = SavedModels() if saved is None else saved
        # A registered study registers each new winner.
        models = replace(models, register=models.register or self._identity.registered)
        conclusion = Conclusion(summary, files, models, only_front=self._only_front)

        def write(runs: StudyRuns) -> None:
            found = write_conclusion(runs, conclusion)
            self._remember(view=found.view, registered=found.registered, studies=found.studies)

        self._put(_PARENT, write)

    def close(self, timeout: float = 60.0) -> Pending:
        """Wait for all writes, and return the missing runs.

        An unreachable server gets three seconds. The parent run of an unfinished study is killed
        until a resume.

        Args:
            timeout: Longest wait, in seconds.
        """
        if self._is_open:
            self._is_open = False
            self._put(_PARENT, StudyRuns.stop)
        return self._writer.close(timeout)

    def dashboard(self) -> Dashboard:
        """Return the dashboard of the study."""
        return dashboard_link(self.uri, self._experiment.experiment_id, view=self._identity.view)

    def _remember(self, *, view: str = "", registered: str = "", studies: str = "") -> None:
        """Store experiment, views and registered name in the study's folder."""
        identity = replace(
            self._identity,
            experiment_id=self._experiment.experiment_id,
            view=view or self._identity.view,
            registered=registered or self._identity.registered,
            studies=studies or self._identity.studies,
        )
        if identity != self._identity:
            self._identity = identity
            write_identity(self._folder, identity)

    def _put(self, run: str, action: Callable[[StudyRuns], object]) -> None:
        """Queue an action on the runs of the study for the background thread."""
        self._writer.put(WriteJob(run, lambda: self._attempt(action)))

    def _attempt(self, action: Callable[[StudyRuns], object]) -> None:
        """Run an action; an error of MLflow becomes `Away` or `Refused`."""
        try:
            action(self._runs)
        except Exception as error:
            # Without a parent run no run can be written, so no write is given up.
            failure = classified(error, self.uri, is_general=not self._runs.is_open)
            if isinstance(failure, Refused):
                self._runs.forget()
            else:
                self._experiment.disconnect()
            raise failure from error
