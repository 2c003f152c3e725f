"""The tracking URI: its kind of store, and its text without the password."""

from __future__ import annotations

import re
from pathlib import Path

DEFAULT = "sqlite:///mlflow.db"
DATABASES = ("postgresql", "mysql", "mssql")
_PASSWORD = re.compile(r"(?<=://)([^/@:\s]*):[^/\s]*@")


def redacted(uri: str) -> str:
    """Return a URI, or a text that contains it, with ``***`` instead of the password.

    Examples:
        >>> redacted("postgresql://me:secret@db/mlflow")
        'postgresql://me:***@db/mlflow'
    """
    return _PASSWORD.sub(r"\1:***@", uri)


def is_server(uri: str) -> bool:
    """Return whether the URI names an MLflow server."""
    return uri.startswith(("http://", "https://"))


def is_database(uri: str) -> bool:
    """Return whether the URI names a database, which this program opens without a server."""
    scheme = uri.partition(":")[0].lower().partition("+")[0]
    return scheme == "sqlite" or scheme in DATABASES


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an SQLite URI; None for every other store."""
    if not is_database(uri) or not uri.lower().startswith("sqlite"):
        return None
    import sqlalchemy

    name = sqlalchemy.make_url(uri).database
    return Path(name).absolute() if name else None
