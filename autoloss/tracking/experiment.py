"""An MLflow experiment: creates runs, writes to them and finds them, within MLflow's limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from autoloss.core.user import user_name
from autoloss.tracking.capabilities import Capabilities, find_capabilities
from autoloss.tracking.client import client_of, import_quietly
from autoloss.tracking.content import MetricPoint, RunContent, clipped_tags
from autoloss.tracking.database import create_tables, database_lock, database_remedy
from autoloss.tracking.failures import Away
from autoloss.tracking.server import check_answers
from autoloss.tracking.uri import is_server, sqlite_file

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_PARAMS_A_BATCH = 100
_METRICS_A_BATCH = 800
_RUNS_A_PAGE = 1000


class MlflowExperiment:
    """An experiment in an MLflow store, opened by the first use. For one thread.

    Args:
        uri: The tracking URI.
        name: Its name; a missing experiment is created.
        of_run: ID of a run whose experiment is used instead; empty for none.
    """

    def __init__(self, uri: str, *, name: str, of_run: str = "") -> None:
        self.uri = uri
        self.name = name
        self.of_run = of_run
        self.experiment_id: str | None = None
        self._client: MlflowClient | None = None
        self._capabilities: Capabilities | None = None

    @property
    def client(self) -> MlflowClient:
        """Return a connected client."""
        self._client = self._client or connect(self.uri)
        return self._client

    def disconnect(self) -> None:
        """Check before the next request that the server answers."""
        self._client = None

    def open(self) -> str:
        """Return the ID of the experiment, which is created if missing.

        Raises:
            Away: If the experiment was deleted.
        """
        if self.experiment_id is not None:
            return self.experiment_id
        if self.of_run:
            self.experiment_id = str(self.client.get_run(self.of_run).info.experiment_id)
            return self.experiment_id
        found = self.client.get_experiment_by_name(self.name)
        if found is None:
            try:
                self.experiment_id = str(self.client.create_experiment(self.name))
                return self.experiment_id
            except Exception as error:
                # Another search may have just created it.
                found = self.client.get_experiment_by_name(self.name)
                if found is None:
                    raise error from None
        if found.lifecycle_stage == "deleted":
            raise Away(
                f"MLflow experiment {self.name!r} was deleted; bring it back with "
                f"`mlflow experiments restore --experiment-id {found.experiment_id}`."
            )
        self.experiment_id = str(found.experiment_id)
        return self.experiment_id

    @property
    def capabilities(self) -> Capabilities:
        """Return the features of the store, which are requested once."""
        if self._capabilities is None:
            self._capabilities = find_capabilities(self.client, self.uri, self.open())
        return self._capabilities

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the known gaps of the store, a sentence each."""
        return self._capabilities.notes if self._capabilities else ()

    def create(self, content: RunContent) -> str:
        """Create a run with its name, start and tags, and return its ID."""
        source = {"mlflow.source.name": "autoloss", "mlflow.user": user_name()}
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
        points: Sequence[MetricPoint] = (),
        tags: Mapping[str, str] | None = None,
        model_id: str | None = None,
    ) -> None:
        """Write parameters, metrics and at most 100 tags, in as few requests as MLflow allows.

        Args:
            run_id: The run.
            params: Its parameters.
            points: Its metrics.
            tags: Its tags.
            model_id: ID of a logged model that gets the metrics too; None for none.
        """
        from mlflow.entities import Metric, Param, RunTag

        names = [Param(key, value) for key, value in (params or {}).items()]
        metrics = [Metric(p.key, p.value, p.timestamp, p.step, model_id=model_id) for p in points]
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
        """Yield the runs of the experiment that meet a condition, without deleted runs."""
        token = None
        while True:
            page = self.client.search_runs(
                [self.open()], filter_string=condition, max_results=_RUNS_A_PAGE, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return


def connect(uri: str) -> MlflowClient:
    """Return a client of `uri`; creates MLflow's tables in a new database.

    Raises:
        Away: If `uri` is a server that does not answer, or a database that MLflow cannot open.
    """
    if is_server(uri):
        check_answers(uri)
    import_quietly(uri)
    with database_lock(uri):
        if create_tables(uri):
            _dispose(uri)
        try:
            return client_of(uri)
        except Exception as error:
            _dispose(uri)
            path = sqlite_file(uri)
            line = database_remedy(path, str(error)) if path else None
            if line is not None:
                raise Away(line) from error
            raise


def _dispose(uri: str) -> None:
    """Close MLflow's connections to a database, so that it opens the file again."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # MLflow keeps them as long as the program runs, and has no other way to close them.
    engine = getattr(SqlAlchemyStore, "_engine_map", {}).pop(uri, None)
    if engine is not None:
        engine.dispose()
