"""MLflow's database is made, and opened first, by one program at a time: whole or not at all."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from autoloss.core.user import user_name
from autoloss.tracking.failures import Away
from autoloss.tracking.uri import is_database, redacted, sqlite_file

_LOCK_SECONDS = 120.0


@contextmanager
def alone(uri: str) -> Iterator[None]:
    """Keep other programs from making or upgrading a database while the context lasts.

    MLflow's migrations are run by every program that finds a table missing, and two that run them
    at once leave neither with a database.

    Args:
        uri: The tracking URI; a server makes its own database.

    Raises:
        Away: If another program holds the lock for minutes.
    """
    if not is_database(uri):
        yield
        return
    from filelock import FileLock, Timeout

    lock = FileLock(_lock_file(uri), timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise Away(
            f"MLflow's database at {redacted(uri)} is being made by another program, which holds "
            f"{lock.lock_file}."
        ) from error
    except (OSError, NotImplementedError):
        # A place without locks has one writer in all likelihood.
        yield
        return
    try:
        yield
    finally:
        # Who waits for a file that is gone looks again.
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def make_whole(uri: str, open_with_mlflow: Callable[[str], object]) -> bool:
    """Make the SQLite file of a tracking URI, unless it has tables; a kill leaves it without any.

    Args:
        uri: The tracking URI; other stores are left alone.
        open_with_mlflow: Opens a URI with MLflow, which makes the tables.

    Returns:
        Whether it was made now.
    """
    path = sqlite_file(uri)
    if path is None or (path.exists() and path.stat().st_size > 0):
        return False
    # On Windows MLflow keeps the draft open.
    with tempfile.TemporaryDirectory(prefix="autoloss-", ignore_cleanup_errors=True) as place:
        draft = Path(place) / "mlflow.db"
        open_with_mlflow(f"sqlite:///{draft.as_posix()}")
        with closing(sqlite3.connect(draft)) as source, closing(sqlite3.connect(path)) as target:
            # One transaction, which SQLite takes back if it is cut short.
            source.backup(target)
    return True


def _lock_file(uri: str) -> Path:
    """Return the lock of a database: beside an SQLite file, else among this machine's files."""
    path = sqlite_file(uri)
    if path is not None:
        return path.with_name(path.name + ".lock")
    name = hashlib.sha256(f"{user_name()} {uri}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"autoloss-mlflow-{name}.lock"
