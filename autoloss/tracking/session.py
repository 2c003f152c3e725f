"""One MLflow experiment: make a run, write into it, look for runs, within MLflow's limits."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from autoloss.tracking.client import connect
from autoloss.tracking.content import Point, RunContent, clipped_tags
from autoloss.tracking.failures import Away

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_PARAMS_A_BATCH = 100
_METRICS_A_BATCH = 800
_RUNS_A_PAGE = 1000


class Session:
    """An experiment in an MLflow store, opened when it is first needed. Used by one thread.

    Args:
        uri: The tracking URI.
        experiment: The experiment's name; made where it is missing.
    """

    def __init__(self, uri: str, *, experiment: str) -> None:
        self.uri = uri
        self.experiment = experiment
        self.experiment_id: str | None = None
        self._client: MlflowClient | None = None

    @property
    def client(self) -> MlflowClient:
        """Return the client, connected."""
        self._client = self._client or connect(self.uri)
        return self._client

    def disconnect(self) -> None:
        """Make sure that the server is there before the next request."""
        self._client = None

    def open(self) -> str:
        """Return MLflow's number of the experiment.

        Raises:
            Away: If the experiment was deleted.
        """
        if self.experiment_id is not None:
            return self.experiment_id
        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            self.experiment_id = str(self.client.create_experiment(self.experiment))
            return self.experiment_id
        if found.lifecycle_stage == "deleted":
            raise Away(
                f"MLflow experiment {self.experiment!r} was deleted; bring it back with "
                f"`mlflow experiments restore --experiment-id {found.experiment_id}`."
            )
        self.experiment_id = str(found.experiment_id)
        return self.experiment_id

    def create(self, content: RunContent) -> str:
        """Make a run with its name, start and tags, and return its id."""
        source = {"mlflow.source.name": "autoloss", "mlflow.user": _user()}
        run = self.client.create_run(
            self.open(),
            run_name=content.name,
            start_time=content.started,
            tags=source | dict(content.tags),
        )
        return str(run.info.run_id)

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, str] | None = None,
        points: Sequence[Point] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write parameters, metrics and at most 100 tags, in as few requests as MLflow allows."""
        from mlflow.entities import Metric, Param, RunTag

        names = [Param(key, value) for key, value in (params or {}).items()]
        metrics = [Metric(p.key, p.value, p.timestamp, p.step) for p in points]
        run_tags = [RunTag(key, value) for key, value in clipped_tags(tags or {}).items()]
        while names or metrics or run_tags:
            self.client.log_batch(
                run_id,
                metrics=metrics[:_METRICS_A_BATCH],
                params=names[:_PARAMS_A_BATCH],
                tags=run_tags,
            )
            metrics, names, run_tags = metrics[_METRICS_A_BATCH:], names[_PARAMS_A_BATCH:], []

    def search(self, condition: str) -> Iterator[Run]:
        """Yield the runs of the experiment, deleted ones left out, for which a condition holds."""
        token = None
        while True:
            page = self.client.search_runs(
                [self.open()], filter_string=condition, max_results=_RUNS_A_PAGE, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return


def _user() -> str:
    """Return the name of the user, as far as the system knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
