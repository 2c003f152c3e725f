"""How mlflow is imported: late, without telemetry, silent, and quick to give up on a server."""

from __future__ import annotations

import http.client
import logging
import os
import re
import ssl
import threading
import urllib.error
import urllib.request
import warnings
from typing import TYPE_CHECKING

from autoloss.tracking.failures import Away
from autoloss.tracking.making import alone, make_whole
from autoloss.tracking.unfinished import trouble_line
from autoloss.tracking.uri import is_server, redacted, sqlite_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Set only where the user has not decided otherwise.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # MLflow prints a link for every run that ends.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_SERVER_ENVIRONMENT = {
    # The writer tries again by itself; MLflow's own seven attempts would hold it for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_PATIENCE = 5.0
_USER = re.compile(r"(?<=://)[^/@]*@")
_LOGGERS = ("mlflow", "alembic", "sqlalchemy.engine", "urllib3.connectionpool")


def connect(uri: str) -> MlflowClient:
    """Return a client of `uri`, with MLflow's tables made where the database is new.

    Raises:
        Away: If `uri` is a server that does not answer, or a database that MLflow cannot open.
    """
    if is_server(uri):
        _knock(uri)
    _import_quietly(uri)
    with alone(uri):
        if make_whole(uri, client_of):
            _let_go(uri)
        try:
            return client_of(uri)
        except Exception as error:
            _let_go(uri)
            path = sqlite_file(uri)
            line = trouble_line(path, str(error)) if path else None
            if line is not None:
                raise Away(line) from error
            raise


def client_of(uri: str) -> MlflowClient:
    """Return a client of `uri` that touches no global state of MLflow."""
    _import_quietly(uri)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _let_go(uri: str) -> None:
    """Close MLflow's connections to a database, so that a file of that name is opened anew."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # MLflow keeps them for as long as the program runs, and has no other way to drop them.
    engine = getattr(SqlAlchemyStore, "_engine_map", {}).pop(uri, None)
    if engine is not None:
        engine.dispose()


def _import_quietly(uri: str) -> None:
    """Import mlflow, silent in this thread."""
    wanted = _ENVIRONMENT | (_SERVER_ENVIRONMENT if is_server(uri) else {})
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    # Where the program makes errors of warnings, one in mlflow's own code would stop all writing.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"mlflow(\.|$)")
    warnings.filterwarnings("ignore", category=UserWarning, module=r"alembic(\.|$)")
    import mlflow  # noqa: F401

    _silence_this_thread()


def _knock(uri: str) -> None:
    """Ask a server for any sign of life, which is quicker than a request through mlflow."""
    address = _USER.sub("", uri.rstrip("/")) + "/health"
    try:
        urllib.request.urlopen(address, timeout=_PATIENCE).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except urllib.error.URLError as error:
        # A certificate that only mlflow is told to trust is an answer too.
        if not isinstance(error.reason, ssl.SSLError):
            raise Away(f"MLflow at {redacted(uri)} does not answer.") from error
    except (OSError, http.client.HTTPException) as error:
        raise Away(f"MLflow at {redacted(uri)} does not answer.") from error


class _NotFrom(logging.Filter):
    """Drops what one thread logs; the user's own use of mlflow in other threads stays as it is."""

    def __init__(self, thread: int) -> None:
        super().__init__()
        self.thread = thread

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is another thread's."""
        return record.thread != self.thread


def _silence_this_thread() -> None:
    """Keep what mlflow and its libraries log in this thread off the terminal."""
    silence = _NotFrom(threading.get_ident())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        for place in (logger, *logger.handlers):
            place.filters[:] = [f for f in place.filters if not isinstance(f, _NotFrom)]
            place.addFilter(silence)
