"""An SQLite database whose MLflow tables were never finished: recognised, named in one line."""

from __future__ import annotations

import re
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from autoloss.core.errors import InputError
from autoloss.tracking.quiet import client_of

# A program that still makes the tables writes more often than this.
_QUIET_SECONDS = 3.0
_LEFTOVER = "_alembic_tmp_"
_TOLD = 160
# What SQLite says of a migration that finds its own work begun, or misses that of an earlier one.
_UNFINISHED = re.compile(
    r"(?:table|index) \S+ already exists|duplicate column name: \S+|no such (?:table|column): \S+"
)


class BrokenStore(InputError):
    """MLflow's tables in a database were never finished: MLflow cannot open it."""


def check_finished(path: Path) -> None:
    """Check that MLflow can open an SQLite file; it is tried only where the file looks unfinished.

    Raises:
        BrokenStore: If it cannot.
    """
    sign = _settled_sign(path)
    if sign and (reason := _refusal(path)):
        raise BrokenStore(trouble_line(path, reason) or _broken_line(path, f"{sign}: {reason}"))


def trouble_line(path: Path, message: str) -> str | None:
    """Return one line on an SQLite file that MLflow cannot open, with the remedy; else None.

    Args:
        path: The file.
        message: An error of MLflow's, or all that its server wrote.
    """
    if "out-of-date database schema" in message:
        return (
            f"MLflow's database {path} was written by another version of MLflow: keep a copy of "
            f"it, and run `mlflow db upgrade sqlite:///{path.as_posix()}`."
        )
    if "Can't locate revision" in message:
        return (
            f"MLflow's database {path} was written by a newer MLflow than the one that is "
            "installed: install that version (`pip install --upgrade mlflow`)."
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
    """Return the number of runs in a database; 0 where it cannot be read."""
    try:
        with closing(_reading(path)) as database:
            return int(database.execute("select count(*) from runs").fetchone()[0])
    except sqlite3.Error:
        return 0


def _settled_sign(path: Path) -> str:
    """Return the sign of unfinished tables once no other program is at work on them."""
    while sign := _sign(path):
        if time.time() - path.stat().st_mtime > _QUIET_SECONDS:
            break
        time.sleep(0.2)
    return sign


def _sign(path: Path) -> str:
    """Return what speaks for migrations that did not end; empty if nothing does."""
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
        return ""  # locked by another writer, who sees for itself


def _refusal(path: Path) -> str:
    """Return why MLflow cannot open a copy of the file; empty if it can."""
    # On Windows MLflow keeps the copy open.
    with tempfile.TemporaryDirectory(prefix="autoloss-", ignore_cleanup_errors=True) as place:
        copy = Path(place) / "mlflow.db"
        with closing(_reading(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        try:
            client_of(f"sqlite:///{copy.as_posix()}")
        except Exception as error:
            return str(error).strip().partition("\n")[0][:_TOLD]
    return ""


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
