"""Resolves the tracking URI, and checks whether MLflow can write there."""

from __future__ import annotations

import importlib.metadata
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from autoloss.core.errors import InputError
from autoloss.core.secrets import redacted
from autoloss.tracking.database import BrokenStore, check_finished
from autoloss.tracking.uri import DATABASES, DEFAULT, PLAIN, plain_file


def resolve(uri: str | None, *, remembered: str | None = None) -> str:
    """Return the tracking URI, checked, with an absolute local path.

    The order is: the user's URI, the URI of the study's earlier session, the environment variable
    ``MLFLOW_TRACKING_URI``, `DEFAULT` in the current directory.

    Args:
        uri: The user's URI; None for none.
        remembered: The URI of the study's earlier session, without its password; None for none.

    Raises:
        InputError: If MLflow could never write there.
        BrokenStore: If the tables of the SQLite file were never finished.
    """
    if uri:
        return check(uri)
    usual = check(os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT)
    if remembered is None or redacted(usual) == remembered:
        return usual
    if "***" in remembered:
        raise InputError(
            "Tracking URI must be given again in MLFLOW_TRACKING_URI, because its password is not "
            f"kept, but got uri={redacted(usual)!r} for a study in {remembered!r}."
        )
    try:
        return check(remembered)
    except BrokenStore:
        raise
    except InputError:
        return usual  # the study was moved away from its database


def check(uri: str) -> str:
    """Check a URI, and return it with an absolute local path.

    Raises:
        InputError: If MLflow could never write there.
    """
    scheme = uri.partition(":")[0].lower() if ":" in uri else ""
    base = scheme.partition("+")[0]
    if base == "sqlite":
        return _check_sqlite(uri)
    if base in DATABASES:
        return _check_database(uri)
    if scheme in ("http", "https"):
        return _check_server(uri)
    if scheme == "databricks" or uri == "databricks" or _is_plugin(scheme):
        return uri
    if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1"):
        return uri if scheme == "file" else Path(uri).absolute().as_uri()
    raise _mistake(
        "begin with sqlite:///, postgresql://, mysql://, http:// or https:// "
        f"(a file is written {DEFAULT})",
        uri,
    )


def _mistake(rule: str, uri: str) -> InputError:
    """Return the error for a URI that breaks a rule."""
    return InputError(f"Tracking URI must {rule}, but got uri={redacted(uri)!r}.")


def _check_server(uri: str) -> str:
    """Check that the address of a server has a host and a possible port."""
    try:
        parts = urlsplit(uri)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise _mistake("name a host and a port, such as http://127.0.0.1:5000", uri)
    return uri


def _check_sqlite(uri: str) -> str:
    """Check that MLflow can write to an SQLite file; return its absolute URI."""
    plain = plain_file(uri)
    if plain is not None:
        return f"{PLAIN}{_checked_file(Path(plain), uri).as_posix()}"
    import sqlalchemy

    try:
        url = sqlalchemy.make_url(uri)
    except (sqlalchemy.exc.SQLAlchemyError, ValueError):
        raise _mistake(f"name a file, such as {DEFAULT}", uri) from None
    if not url.database or url.host or url.database == ":memory:":
        raise _mistake(f"name a file, such as {DEFAULT}", uri)
    path = _checked_file(Path(url.database), uri)
    return url.set(database=path.as_posix()).render_as_string(hide_password=False)


def _checked_file(path: Path, uri: str) -> Path:
    """Return the absolute path of an SQLite file that MLflow can write to.

    Raises:
        InputError: It cannot.
        BrokenStore: The tables were never finished.
    """
    # A later change of the current directory must not move the database.
    path = path.absolute()
    if not path.parent.is_dir():
        raise _mistake(f"name a file in a folder that exists (there is no {path.parent})", uri)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _mistake("name a file that can be written", uri)
    if not _is_mlflow_or_new(path):
        raise _mistake("name a database of MLflow or a new file", uri)
    if path.exists():
        check_finished(path)
    return path


def _is_mlflow_or_new(path: Path) -> bool:
    """Return whether the file is missing, empty or an SQLite database with MLflow's tables."""
    if not path.exists() or path.stat().st_size == 0:
        return True
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("select name from sqlite_master where type = 'table'")
            tables = {str(row[0]) for row in rows}
    except sqlite3.OperationalError:
        return True  # locked by another program: the writer will see
    except sqlite3.DatabaseError:
        return False
    own = {name for name in tables if not name.startswith("alembic_")}
    return not own or "experiments" in own


def _check_database(uri: str) -> str:
    """Check that the URI of a database server is valid and its driver is installed."""
    import sqlalchemy

    try:
        sqlalchemy.make_url(uri).get_dialect().import_dbapi()
    except ModuleNotFoundError as error:
        rule = f"name a database whose driver is installed (pip install {error.name})"
        raise _mistake(rule, uri) from None
    except (sqlalchemy.exc.SQLAlchemyError, ValueError):
        raise _mistake("have the form postgresql://USER:PASSWORD@HOST/DATABASE", uri) from None
    return uri


def _is_plugin(scheme: str) -> bool:
    """Return whether a plugin of MLflow has this scheme."""
    plugins = importlib.metadata.entry_points(group="mlflow.tracking_store")
    return bool(scheme) and scheme in plugins.names
