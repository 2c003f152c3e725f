"""Opens a tracking URI with MLflow: makes a new database, and soon gives up on a silent server."""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from autoloss.tracking.failures import Away
from autoloss.tracking.making import alone, make_whole
from autoloss.tracking.quiet import client_of, import_quietly
from autoloss.tracking.unfinished import trouble_line
from autoloss.tracking.uri import is_server, redacted, sqlite_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PATIENCE = 5.0
_USER = re.compile(r"(?<=://)[^/@]*@")


def connect(uri: str) -> MlflowClient:
    """Return a client of `uri`, with MLflow's tables made where the database is new.

    Raises:
        Away: If `uri` is a server that does not answer, or a database that MLflow cannot open.
    """
    if is_server(uri):
        _knock(uri)
    import_quietly(uri)
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


def _let_go(uri: str) -> None:
    """Close MLflow's connections to a database, so that a file of that name is opened anew."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # MLflow keeps them for as long as the program runs, and has no other way to drop them.
    engine = getattr(SqlAlchemyStore, "_engine_map", {}).pop(uri, None)
    if engine is not None:
        engine.dispose()


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
