"""MLflow's own tables in a database: created by one program at a time, whole or not at all.

A database whose tables were never finished is recognised, with a remedy in one line.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from autoloss.core.errors import InputError
from autoloss.core.scratch import scratch_folder
from autoloss.core.secrets import redacted
from autoloss.core.user import user_name
from autoloss.tracking.client import client_of
from autoloss.tracking.failures import Away
from autoloss.tracking.uri import is_database, sqlite_file

_LOCK_SECONDS = 120.0
# A program that creates the tables writes more often than this.
_QUIET_SECONDS = 3.0
_LEFTOVER = "_alembic_tmp_"
_MOST_LETTERS = 160
# SQLite's messages on a migration that was begun before, or whose predecessor is missing.
_UNFINISHED = re.compile(
    r"(?:table|index) \S+ already exists|duplicate column name: \S+|no such (?:table|column): \S+"
)


@contextmanager
def database_lock(uri: str) -> Iterator[None]:
    """Keep other programs from creating or upgrading a database while the context lasts.

    Every program that finds a table missing runs MLflow's migrations, and two such programs at
    once break the database.

    Args:
        uri: The tracking URI; a server creates its own database.

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
            f"MLflow's database at {redacted(uri)} is being created by another program, which "
            f"holds {lock.lock_file}."
        ) from error
    except (OSError, NotImplementedError):
        # A file system without locks probably has one writer.
        yield
        return
    try:
        yield
    finally:
        # A program that waits for a missing lock file tries again.
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def create_tables(uri: str) -> bool:
    """Create MLflow's tables in a new SQLite file, all or none.

    Args:
        uri: The tracking URI; other stores stay as they are.

    Returns:
        Whether the tables were created.
    """
    path = sqlite_file(uri)
    if path is None or (path.exists() and path.stat().st_size > 0):
        return False
    # On Windows MLflow keeps the draft open.
    with scratch_folder() as place:
        draft = place / "mlflow.db"
        client_of(f"sqlite:///{draft.as_posix()}")
        with closing(sqlite3.connect(draft)) as source, closing(sqlite3.connect(path)) as target:
            # One transaction, which SQLite rolls back if the process is killed.
            source.backup(target)
    return True


def _lock_file(uri: str) -> Path:
    """Return the lock file of a database: beside an SQLite file, else a temporary file."""
    path = sqlite_file(uri)
    if path is not None:
        return path.with_name(path.name + ".lock")
    name = hashlib.sha256(f"{user_name()} {uri}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"autoloss-mlflow-{name}.lock"


class BrokenStore(InputError):
    """MLflow cannot open a database, because its tables were never finished."""


def check_finished(path: Path) -> None:
    """Check that MLflow can open an SQLite file, if its tables look unfinished.

    Raises:
        BrokenStore: If MLflow cannot open it.
    """
    sign = _lasting_sign(path)
    if sign and (reason := _refusal(path)):
        raise BrokenStore(database_remedy(path, reason) or _broken_line(path, f"{sign}: {reason}"))


def database_remedy(path: Path, message: str) -> str | None:
    """Return the remedy for an SQLite file that MLflow cannot open, in one line; else None.

    Args:
        path: The file.
        message: An error of MLflow, or the log of its server.
    """
    if "out-of-date database schema" in message:
        return (
            f"MLflow's database {path} was written by another version of MLflow: keep a copy of "
            f"it, and run `mlflow db upgrade sqlite:///{path.as_posix()}`."
        )
    if "Can't locate revision" in message:
        return (
            f"MLflow's database {path} was written by a newer MLflow than the "
            "installed version: install that version (`pip install --upgrade mlflow`)."
        )
    found = _UNFINISHED.search(message)
    return _broken_line(path, found.group()) if found else None


def _broken_line(path: Path, reason: str) -> str:
    n_runs = count_runs(path)
    kept = f"its {n_runs} runs stay in the renamed file" if n_runs else "it holds no runs"
    return (
        f"MLflow's database {path} is broken: its tables were never finished ({reason}). Rename "
        f"it, for example to {path.name}.broken ({kept}), and repeat the command; `autoloss "
        "resume NAME` writes the runs of an earlier study into the new one."
    )


def count_runs(path: Path) -> int:
    """Return the number of runs in a database; 0 if it cannot be read."""
    try:
        with closing(_reading(path)) as database:
            return int(database.execute("select count(*) from runs").fetchone()[0])
    except sqlite3.Error:
        return 0


def _lasting_sign(path: Path) -> str:
    """Return the sign of unfinished tables once no other program creates them."""
    while sign := _sign(path):
        # A file of the future was written before the clock was set back.
        if abs(time.time() - path.stat().st_mtime) > _QUIET_SECONDS:
            break
        time.sleep(0.2)
    return sign


def _sign(path: Path) -> str:
    """Return the sign of unfinished migrations; empty for none."""
    try:
        with closing(_reading(path)) as database:
            rows = database.execute("select name from sqlite_master where type = 'table'")
            tables = sorted(str(row[0]) for row in rows)
            left = [name for name in tables if name.startswith(_LEFTOVER)]
            if left:
                return f"it has the table {left[0]}"
            is_versioned = "alembic_version" in tables and bool(
                database.execute("select version_num from alembic_version").fetchone()
            )
            return "it has no version" if tables and not is_versioned else ""
    except sqlite3.Error:
        return ""  # locked by another writer


def _refusal(path: Path) -> str:
    """Return MLflow's error on a copy of the file; empty if it opens."""
    # On Windows MLflow keeps the copy open.
    with scratch_folder() as place:
        copy = place / "mlflow.db"
        with closing(_reading(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        try:
            client_of(f"sqlite:///{copy.as_posix()}")
        except Exception as error:
            return str(error).strip().partition("\n")[0][:_MOST_LETTERS]
    return ""


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
