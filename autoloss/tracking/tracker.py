"""Shows a study in MLflow without ever slowing or breaking the search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from autoloss.records import Summary, TrialRecord
from autoloss.tracking.active import find_active_run
from autoloss.tracking.conclusion import (
    Ending,
    view_of,
    write_conclusion,
    write_studies,
    write_view,
)
from autoloss.tracking.dashboard import Dashboard, dashboard_link
from autoloss.tracking.failures import Refused, classified
from autoloss.tracking.identity import Identity, read_identity, write_identity
from autoloss.tracking.protocol import Pending
from autoloss.tracking.runs import StudyRuns
from autoloss.tracking.session import Session
from autoloss.tracking.shelf import Shelf
from autoloss.tracking.uri import redacted
from autoloss.tracking.uri_check import check, resolve
from autoloss.tracking.writer import Job, Writer

_PARENT = "study"


class Tracker:
    """Writes a study to MLflow: one parent run, one child a trial, in a background thread.

    No call waits for MLflow, except `close`. While the server is away everything is kept and tried
    again; what is not written when the program ends is written by `start` and `sync` in a later
    session. Everything may be told twice: it is written once. MLflow's telemetry is switched off
    unless ``MLFLOW_DISABLE_TELEMETRY`` says otherwise.

    Args:
        uri: The tracking URI; None for the one of the study's earlier session, else the one in
            ``MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db`` in the current directory.
        experiment: The name of MLflow's experiment; made where it is missing.
        study_name: The name of the parent run.
        folder: The study's folder, where ``tracking.json`` remembers the parent run and the URI.
        only_front: Whether the only trials that are written are those on the front, those that
            were compared in the verdict and the one that ships, at the end.

    A run of MLflow that is active in this thread, or that ``MLFLOW_RUN_ID`` names, becomes the
    parent, unless `uri` names another place or the study has a parent already; it is left running.

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
    ) -> None:
        self._folder = Path(folder).absolute()
        self._only_front = only_front
        identity = read_identity(self._folder)
        active = find_active_run() if identity.uri is None else None
        if active is not None and uri is not None and check(uri) != check(active.uri or uri):
            active = None
        self.uri = resolve(uri or (active.uri if active else None), remembered=identity.uri)
        if redacted(self.uri) != identity.uri:
            identity = Identity(
                identity.study_id, redacted(self.uri), adopted=active.run_id if active else ""
            )
        self._identity = identity
        self._session = Session(self.uri, experiment=experiment, beside=identity.adopted)
        self._runs = StudyRuns(
            self._session,
            study_name=study_name,
            study_id=identity.study_id,
            active=identity.adopted,
        )
        self._writer = Writer()
        self._is_open = False

    @property
    def trouble(self) -> str:
        """Return why something is not written, in one line; empty when all is well."""
        return self._writer.trouble

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what MLflow cannot show for good, and why, a sentence each."""
        return (*self._session.notes, *self._runs.notes)

    @property
    def written(self) -> int:
        """Return how many runs of trials were written or completed so far."""
        return self._runs.written

    @property
    def shown_uri(self) -> str:
        """Return the tracking URI without its password."""
        return redacted(self.uri)

    def start(self, description: Mapping[str, str]) -> None:
        """Open the study: make the parent run, or find the one of an earlier session.

        Args:
            description: What is searched, shown as parameters of the parent run: data, seed, ...
        """
        write_identity(self._folder, self._identity)
        self._is_open = True
        kept = dict(description)

        def describe(runs: StudyRuns) -> None:
            runs.describe(kept)
            if kept:  # a study that is only opened again has its views already
                view = write_view(runs, view_of(runs, kept))
                self._remember(view=view, studies=write_studies(runs))
            else:
                self._remember()

        self._put(_PARENT, describe)

    def log_trial(self, record: TrialRecord) -> None:
        """Write a trial that ended; one that has its run already is left alone."""
        if record.state != "running" and not self._only_front:
            self._put(f"trial {record.number}", lambda runs: runs.write_trial(record))

    def sync(self, records: Iterable[TrialRecord]) -> None:
        """Write those of the trials that have no run yet, and complete those half written.

        A trial without an end was lost with its process: it is asked again under another number,
        or else `finish` writes it.
        """
        for record in records:
            if record.ended > 0:
                self.log_trial(record)

    def finish(
        self, summary: Summary, report_files: Sequence[Path], shelf: Shelf | None = None
    ) -> None:
        """Write the verdict, the winner's and the test metrics, the front, report and models.

        Args:
            summary: The finished study; those of its trials that have no run yet get one.
            report_files: Files and folders that are kept with the parent run.
            shelf: The models whose weights are kept; None for none.
        """
        self._is_open = False
        files = tuple(Path(file).absolute() for file in report_files)
        given = Shelf() if shelf is None else shelf
        # Registered once, a study is registered again whenever another trial ships.
        given = replace(given, register=given.register or self._identity.registered)
        wanted = Ending(summary, files, given, only_front=self._only_front)

        def write(runs: StudyRuns) -> None:
            shown = write_conclusion(runs, wanted)
            self._remember(view=shown.view, registered=shown.registered, studies=shown.studies)

        self._put(_PARENT, write)

    def close(self, timeout: float = 60.0) -> Pending:
        """Wait until all is written, and say what is not.

        A server that is away is waited for three seconds only. A study that was not finished is
        shown as killed until it is resumed.

        Args:
            timeout: Seconds to wait at most.
        """
        if self._is_open:
            self._is_open = False
            self._put(_PARENT, StudyRuns.stop)
        return self._writer.close(timeout)

    def dashboard(self) -> Dashboard:
        """Return where the study is looked at."""
        return dashboard_link(self.uri, self._session.experiment_id, view=self._identity.view)

    def _remember(self, *, view: str = "", registered: str = "", studies: str = "") -> None:
        """Keep in the study's folder where it is shown."""
        known = replace(
            self._identity,
            experiment_id=self._session.experiment_id,
            view=view or self._identity.view,
            registered=registered or self._identity.registered,
            studies=studies or self._identity.studies,
        )
        if known != self._identity:
            self._identity = known
            write_identity(self._folder, known)

    def _put(self, run: str, action: Callable[[StudyRuns], None]) -> None:
        """Have the background thread do something with the runs of the study."""
        self._writer.put(Job(run, lambda: self._attempt(action)))

    def _attempt(self, action: Callable[[StudyRuns], None]) -> None:
        """Do something with the runs; what MLflow raises comes out as `Away` or `Refused`."""
        try:
            action(self._runs)
        except Exception as error:
            # Where not even the parent run can be written, no run can: nothing is set aside.
            failure = classified(error, self.uri, is_general=not self._runs.is_open)
            if isinstance(failure, Refused):
                self._runs.forget()
            else:
                self._session.disconnect()
            raise failure from error
