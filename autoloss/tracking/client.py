"""Imports mlflow late, without telemetry and without logs, and makes clients of a store."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from autoloss.tracking.uri import is_server

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Defaults for variables that the user has not set.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # MLflow prints a link for every run that ends.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_SERVER_ENVIRONMENT = {
    # The writer repeats failed requests; MLflow's own seven attempts would take minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_LOGGERS = ("mlflow", "alembic", "sqlalchemy.engine", "urllib3.connectionpool")


def client_of(uri: str) -> MlflowClient:
    """Return a client of `uri` that does not change global state of MLflow."""
    import_quietly(uri)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def import_quietly(uri: str) -> None:
    """Import mlflow without logs of this thread."""
    wanted = _ENVIRONMENT | (_SERVER_ENVIRONMENT if is_server(uri) else {})
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    # If the program turns warnings into errors, a warning in mlflow would stop all writing.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"mlflow(\.|$)")
    warnings.filterwarnings("ignore", category=UserWarning, module=r"alembic(\.|$)")
    import mlflow  # noqa: F401

    _silence_this_thread()


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Drop the logs of this thread for a while."""
    own = {threading.get_ident()} - _SILENCE.threads
    _silence_this_thread()
    try:
        yield
    finally:
        _SILENCE.threads -= own


class _NotFrom(logging.Filter):
    """Drops the logs of some threads; the user's own mlflow in other threads keeps its logs."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: frozenset[int] = frozenset()

    def add_this_thread(self) -> None:
        """Drop the logs of this thread too; a later thread may get the number of an ended thread.

        The main thread, which may be the user's, is heard again when another thread writes.
        """
        living = {one.ident for one in threading.enumerate() if one is not threading.main_thread()}
        self.threads = frozenset(self.threads & living) | {threading.get_ident()}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether another thread logged the record."""
        return record.thread not in self.threads


_SILENCE = _NotFrom()


def _silence_this_thread() -> None:
    """Drop the logs of mlflow and its libraries in this thread."""
    _SILENCE.add_this_thread()
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        for place in (logger, *logger.handlers):
            # Nothing happens if it is there already.
            place.addFilter(_SILENCE)
