"""The tables that the machines of a study share in its database, beside Optuna's tables.

They need no function of a certain database: the clock of the server decides which leases have
ended, whatever the clocks of the machines say; a row changes hands only if it is as it was read;
and large files are written in parts.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

PART = 1 << 20
"""Bytes of a part of a file: MySQL refuses long packets."""
MOST = 1 << 30
"""The most bytes that a stored file may have."""
_HELD_SECONDS = 60
"""After so long without a statement, PostgreSQL ends the transaction that holds the lock."""

_known = sql.MetaData()
_claims = sql.Table(
    "autoloss_claims",
    _known,
    sql.Column("study_id", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("name", sql.String(64), primary_key=True),
    sql.Column("worker", sql.String(64), nullable=False),
)
_files = sql.Table(
    "autoloss_files",
    _known,
    sql.Column("study_id", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("name", sql.String(190), primary_key=True),
    sql.Column("part", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("content", sql.LargeBinary((1 << 32) - 1), nullable=False),
)
_LOCK, _FREE = "ask", ""
_OF_STUDIES = "study_directions"
"""A table of Optuna."""


def why_no_study(url: str, options: Mapping[str, Any]) -> str:
    """Return the reason why a database has no study, in half a sentence; empty if it may have one.

    It changes nothing there; Optuna would create the file of SQLite, and its tables.

    Args:
        url: The database.
        options: Options of the engine.
    """
    place = sql.make_url(url)
    name = place.database
    # SQLite's own URIs say whether to create a file.
    is_file = name and not name.startswith((":memory:", "file:"))
    if place.get_backend_name() == "sqlite" and is_file and not Path(str(name)).exists():
        return f"there is no file {str(Path(str(name)).absolute())!r}"
    engine = sql.create_engine(url, **options)
    try:
        return "" if sql.inspect(engine).has_table(_OF_STUDIES) else "it has no studies"
    finally:
        engine.dispose()


class SharedTables:
    """The shared parts of the machines of a study: a clock, a lock, claims and files.

    Args:
        engine: The database.
        study_id: Optuna's number of the study.
    """

    def __init__(self, engine: sql.Engine, study_id: int) -> None:
        self._engine = engine
        self._study = study_id

    def create(self) -> None:
        """Make the tables, unless they exist."""
        try:
            _known.create_all(self._engine)
        except (IntegrityError, OperationalError, ProgrammingError):
            # Another process made them at the same time.
            _known.create_all(self._engine)
        self.take(_LOCK, _FREE, before=None)

    def clear(self) -> None:
        """Remove the rows of an earlier study of this number, which was deleted."""
        with self._engine.begin() as connection:
            for table in (_claims, _files):
                connection.execute(table.delete().where(table.c.study_id == self._study))

    def now(self) -> float:
        """Return the time of the database's clock, seconds since the epoch."""
        name = self._engine.dialect.name
        # MySQL's CURRENT_TIMESTAMP is in the time zone of the session and says nothing of it.
        is_mysql = name in ("mysql", "mariadb")
        clock = sql.func.utc_timestamp if is_mysql else sql.func.current_timestamp
        with self._engine.connect() as connection:
            found = connection.execute(sql.select(clock(type_=sql.DateTime()))).scalar_one()
        assert isinstance(found, datetime)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of the study, which ends with the connection of a killed process.

        SQLite has no lock of a row. The trials are right without it too: it saves asking again.
        """
        if self._engine.dialect.name == "sqlite":
            yield
            return
        with self._engine.connect() as connection:
            if self._engine.dialect.name == "postgresql":
                limit = f"SET LOCAL idle_in_transaction_session_timeout = '{_HELD_SECONDS}s'"
                connection.execute(sql.text(limit))
            row = self._row(_LOCK)
            connection.execute(sql.select(_claims.c.worker).where(row).with_for_update())
            try:
                yield
            finally:
                # A connection that was lost has released it.
                with suppress(SQLAlchemyError):
                    connection.rollback()

    def holder(self, name: str) -> str | None:
        """Return the worker that took a claim; None if none did."""
        with self._engine.connect() as connection:
            found = connection.execute(sql.select(_claims.c.worker).where(self._row(name)))
            return found.scalar_one_or_none()

    def take(self, name: str, worker: str, *, before: str | None) -> bool:
        """Take a claim, unless its holder has changed since it was read.

        Args:
            name: The claim.
            worker: The worker that takes it.
            before: The holder, as `holder` returned it.
        """
        try:
            with self._engine.begin() as connection:
                if before is None:
                    row = {"study_id": self._study, "name": name, "worker": worker}
                    connection.execute(_claims.insert().values(row))
                    return True
                held = sql.and_(self._row(name), _claims.c.worker == before)
                change = _claims.update().where(held).values(worker=worker)
                return connection.execute(change).rowcount == 1
        except IntegrityError:
            return False

    def _row(self, name: str) -> sql.ColumnElement[bool]:
        return sql.and_(_claims.c.study_id == self._study, _claims.c.name == name)

    def write(self, name: str, content: bytes) -> None:
        """Store a file, compressed, in place of an earlier file of that name."""
        packed = zlib.compress(content, 1)
        key = {"study_id": self._study, "name": name}
        rows = [
            {**key, "part": part, "content": packed[start : start + PART]}
            for part, start in enumerate(range(0, len(packed), PART))
        ]
        old = sql.and_(_files.c.study_id == self._study, _files.c.name == name)
        with self._engine.begin() as connection:
            connection.execute(_files.delete().where(old))
            connection.execute(_files.insert(), rows)

    def read(self, name: str) -> bytes | None:
        """Return a stored file; None if there is none of that name."""
        own = sql.and_(_files.c.study_id == self._study, _files.c.name == name)
        query = sql.select(_files.c.content).where(own).order_by(_files.c.part)
        with self._engine.connect() as connection:
            parts = [bytes(part) for part in connection.execute(query).scalars()]
        if not parts:
            return None
        reader = zlib.decompressobj()
        content = reader.decompress(b"".join(parts), MOST)
        if not reader.eof:
            raise ValueError(f"{name} has more than {MOST} bytes.")
        return content

    def names(self, prefix: str) -> Sequence[str]:
        """Return the names of the stored files that begin with a text."""
        query = sql.select(_files.c.name).where(
            _files.c.study_id == self._study,
            _files.c.part == 0,
            _files.c.name.startswith(prefix, autoescape=True),
        )
        with self._engine.connect() as connection:
            return list(connection.execute(query.order_by(_files.c.name)).scalars())
