"""One MLflow experiment: make a run, write into it, look for runs, within MLflow's limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from autoloss.core.user import user_name
from autoloss.tracking.abilities import Abilities, find_abilities
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
        beside: A run whose experiment is taken in the place of the one of that name.
    """

    def __init__(self, uri: str, *, experiment: str, beside: str = "") -> None:
        self.uri = uri
        self.experiment = experiment
        self.beside = beside
        self.experiment_id: str | None = None
        self._client: MlflowClient | None = None
        self._abilities: Abilities | None = None

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
        if self.beside:
            self.experiment_id = str(self.client.get_run(self.beside).info.experiment_id)
            return self.experiment_id
        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            try:
                self.experiment_id = str(self.client.create_experiment(self.experiment))
                return self.experiment_id
            except Exception as error:
                # Another search may have made it a moment ago.
                found = self.client.get_experiment_by_name(self.experiment)
                if found is None:
                    raise error from None
        if found.lifecycle_stage == "deleted":
            raise Away(
                f"MLflow experiment {self.experiment!r} was deleted; bring it back with "
                f"`mlflow experiments restore --experiment-id {found.experiment_id}`."
            )
        self.experiment_id = str(found.experiment_id)
        return self.experiment_id

    @property
    def abilities(self) -> Abilities:
        """Return what the store can show besides runs; it is asked once."""
        if self._abilities is None:
            self._abilities = find_abilities(self.client, self.uri, self.open())
        return self._abilities

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the store is known to lack, a sentence each."""
        return self._abilities.notes if self._abilities else ()

    def create(self, content: RunContent) -> str:
        """Make a run with its name, start and tags, and return its id."""
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
        points: Sequence[Point] = (),
        tags: Mapping[str, str] | None = None,
        model_id: str | None = None,
    ) -> None:
        """Write parameters, metrics and at most 100 tags, in as few requests as MLflow allows.

        Args:
            run_id: The run.
            params: Its parameters.
            points: Its metrics.
            tags: Its tags.
            model_id: The logged model that has these metrics too; None for none.
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
