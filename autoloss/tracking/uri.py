"""The tracking URI and its kind of store."""

from __future__ import annotations

import re
from pathlib import Path

DEFAULT = "sqlite:///mlflow.db"
PLAIN = "sqlite:///"
"""The beginning of an SQLite URI; the file follows."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_./-]+")
DATABASES = ("postgresql", "mysql", "mssql")


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
    name = plain_file(uri)
    if name is None:
        import sqlalchemy

        name = sqlalchemy.make_url(uri).database
    return Path(name).absolute() if name else None


def plain_file(uri: str) -> str | None:
    """Return the file of an SQLite URI without options and special characters; otherwise None.

    It does not load `sqlalchemy`, which takes a third of a second.

    Examples:
        >>> plain_file("sqlite:///mlflow.db")
        'mlflow.db'
    """
    name = uri.removeprefix(PLAIN)
    is_plain = name != uri and _PLAIN_NAME.fullmatch(name)
    return name if is_plain and Path(name).name else None
