"""Shows a study in MLflow without ever slowing or breaking the search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from autoloss.records import Summary, TrialRecord
from autoloss.tracking.conclusion import write_conclusion
from autoloss.tracking.dashboard import Dashboard, dashboard_link
from autoloss.tracking.failures import Refused, classified
from autoloss.tracking.identity import Identity, read_identity, write_identity
from autoloss.tracking.protocol import Pending
from autoloss.tracking.runs import StudyRuns
from autoloss.tracking.session import Session
from autoloss.tracking.uri import redacted, resolve
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

    Raises:
        InputError: If MLflow could never write to the URI.
    """

    def __init__(
        self, uri: str | None = None, *, experiment: str, study_name: str, folder: Path | str
    ) -> None:
        self._folder = Path(folder).absolute()
        identity = read_identity(self._folder)
        self.uri = resolve(uri, remembered=identity.uri)
        self._identity = Identity(identity.study_id, redacted(self.uri))
        self._session = Session(self.uri, experiment=experiment)
        self._runs = StudyRuns(self._session, study_name=study_name, study_id=identity.study_id)
        self._writer = Writer()
        self._is_open = False

    @property
    def trouble(self) -> str:
        """Return why something is not written, in one line; empty when all is well."""
        return self._writer.trouble

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
        self._put(_PARENT, lambda runs: runs.describe(kept))

    def log_trial(self, record: TrialRecord) -> None:
        """Write a trial that ended; one that has its run already is left alone."""
        if record.state != "running":
            self._put(f"trial {record.number}", lambda runs: runs.write_trial(record))

    def sync(self, records: Iterable[TrialRecord]) -> None:
        """Write those of the trials that have no run yet, and complete those half written."""
        for record in records:
            self.log_trial(record)

    def finish(self, summary: Summary, report_files: Sequence[Path]) -> None:
        """Write the verdict, the winner's and the test metrics, the front and the report.

        Args:
            summary: The finished study; those of its trials that have no run yet get one.
            report_files: Files and folders that are kept with the parent run.
        """
        self._is_open = False
        files = tuple(Path(file).absolute() for file in report_files)
        self._put(_PARENT, lambda runs: write_conclusion(runs, summary, files))

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
        return dashboard_link(self.uri, self._session.experiment_id)

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
