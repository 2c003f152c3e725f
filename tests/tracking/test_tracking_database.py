"""MLflow's database is created whole and once; a broken database is named with its remedy."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from autoloss.core.errors import InputError
from autoloss.tracking import BrokenStore, Pending
from autoloss.tracking.database import check_finished, create_tables, database_remedy
from autoloss.tracking.experiment import connect
from autoloss.tracking.failures import Away
from autoloss.tracking.local_server import free_port, local_server
from autoloss.tracking.uri import sqlite_file
from autoloss.tracking.uri_check import check, resolve
from tests.tracking.conftest import break_database, grow_old

ROOT = Path(__file__).resolve().parents[2]
FIRST_SEARCH = """
import sys
from autoloss.tracking import Pending, Tracker
from tests.tracking.conftest import make_record

tracker = Tracker(experiment="losses", study_name=sys.argv[1], folder=sys.argv[1])
tracker.start({"data": "churn.csv"})
tracker.sync([make_record(0)])
print(tracker.close(120.0) == Pending())
"""
CUT_SHORT = """
import os, signal, sys
from autoloss.tracking import database

client_of = database.client_of

def killed(uri):
    if sys.argv[2] == "drafted":
        client_of(uri)
    os.kill(os.getpid(), signal.SIGKILL)

database.client_of = killed
with database.database_lock(sys.argv[1]):
    database.create_tables(sys.argv[1])
"""


def uri_of(path: Path) -> str:
    return f"sqlite:///{path.as_posix()}"


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("select name from sqlite_master where type = 'table'")
        return {row[0] for row in rows}


@pytest.fixture
def broken(here, empty_store) -> Path:
    """A database that MLflow's own migrations broke, run by three programs at once."""
    path = here / "mlflow.db"
    shutil.copy(empty_store, path)
    break_database(path)
    return path


def begin(code: str, *words: str, folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_three_first_searches_at_once_leave_one_database_that_works(here, empty_store, written):
    searches = [begin(FIRST_SEARCH, f"study{i}", folder=here) for i in range(3)]
    answers = [search.communicate(timeout=240) for search in searches]
    assert answers == [("True\n", "")] * 3
    assert tables(here / "mlflow.db") == tables(empty_store)
    assert sorted(path.name for path in here.glob("mlflow.db*")) == ["mlflow.db"]
    found = written(uri_of(here / "mlflow.db"))
    assert sorted(run.info.run_name for run in found.parents) == ["study0", "study1", "study2"]
    assert len(found.runs) == 6


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is Unix")
@pytest.mark.parametrize("moment", ["begun", "drafted"])
def test_a_program_killed_while_it_creates_the_database_leaves_none(here, moment, written):
    path = here / "mlflow.db"
    died = begin(CUT_SHORT, uri_of(path), moment, folder=here)
    died.communicate(timeout=120)
    assert died.returncode == -9
    assert not path.exists() or tables(path) == set()
    assert written(uri_of(path)).runs == []


def test_an_interrupted_copy_leaves_no_table(here, empty_store, monkeypatch):
    path = here / "mlflow.db"

    class Dying(sqlite3.Connection):
        def backup(self, target, **more):
            def stop(status, remaining, total):
                raise KeyboardInterrupt

            super().backup(target, pages=1, progress=stop)

    monkeypatch.setattr(
        "autoloss.tracking.database.sqlite3.connect",
        lambda place, connect=sqlite3.connect: connect(place, factory=Dying),
    )
    monkeypatch.setattr(
        "autoloss.tracking.database.client_of",
        lambda uri: shutil.copy(empty_store, sqlite_file(uri)),
    )
    with pytest.raises(KeyboardInterrupt):
        create_tables(uri_of(path))
    monkeypatch.undo()
    assert tables(path) == set()


def test_a_database_with_tables_is_left_as_it_is(store, monkeypatch):
    monkeypatch.setattr(
        "autoloss.tracking.database.client_of", lambda uri: pytest.fail("it has its tables")
    )
    before = sqlite_file(store).read_bytes()
    assert not create_tables(store)
    assert sqlite_file(store).read_bytes() == before


def test_a_broken_database_is_named_with_the_remedy_in_one_line(broken):
    with pytest.raises(BrokenStore) as caught:
        check(uri_of(broken))
    line = str(caught.value)
    assert "\n" not in line
    assert str(broken) in line
    assert "never finished" in line
    assert "Rename it, for example to mlflow.db.broken (it holds no runs)" in line
    assert "autoloss resume NAME" in line


def test_runs_in_a_broken_database_are_counted(broken):
    execute(
        broken,
        "insert into runs (run_uuid, name, status, lifecycle_stage)"
        " values ('r', 'r', 'FINISHED', 'active')",
    )
    grow_old(broken)
    with pytest.raises(BrokenStore, match="its 1 runs stay in the renamed file"):
        check(uri_of(broken))


def test_a_broken_database_is_not_taken_for_a_moved_database(broken, monkeypatch):
    elsewhere = broken.with_name("elsewhere.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri_of(elsewhere))
    with pytest.raises(BrokenStore):
        resolve(None, remembered=uri_of(broken))


def test_a_database_that_mlflow_can_open_is_not_broken(store):
    path = sqlite_file(store)
    execute(path, "create table _alembic_tmp_runs (run_uuid text)")
    grow_old(path)
    assert check(store) == store
    connect(store).search_experiments()


def test_tables_that_another_program_creates_are_awaited(store):
    path = sqlite_file(store)
    asked = "select version_num from alembic_version"
    (version,) = sqlite3.connect(path).execute(asked).fetchone()
    execute(path, "delete from alembic_version")
    end = f"insert into alembic_version values ('{version}')"
    maker = threading.Timer(0.6, execute, [path, end])
    maker.start()
    check_finished(path)
    maker.join()
    assert sqlite3.connect(path).execute(asked).fetchone() == (version,)


def test_a_broken_database_without_a_sign_is_named_when_opened(broken, track, record):
    execute(broken, "drop table _alembic_tmp_experiments")
    grow_old(broken)
    check(uri_of(broken))
    with pytest.raises(Away, match=r"is broken.*Rename it"):
        connect(uri_of(broken))
    tracker = track(uri_of(broken))
    tracker.start({"data": "churn.csv"})
    tracker.log_trial(record(0))
    pending = tracker.close(30.0)
    assert pending.count == 2
    assert "Rename it" in pending.reason
    # The remedy works: all runs are written into a new database.
    broken.rename(broken.with_name("mlflow.db.broken"))
    again = track(uri_of(broken))
    again.start({"data": "churn.csv"})
    again.sync([record(0)])
    assert again.close() == Pending()
    assert again.written == 1


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        (
            "Detected out-of-date database schema (found version a, but expected b).",
            "mlflow db upgrade sqlite:////place/mlflow.db",
        ),
        ("Can't locate revision identified by 'abc'", "pip install --upgrade mlflow"),
        ("(sqlite3.OperationalError) duplicate column name: step", "Rename it"),
        ("(sqlite3.OperationalError) no such table: jobs", "Rename it"),
        ("(sqlite3.OperationalError) database is locked", None),
        ("(sqlite3.OperationalError) database or disk is full", None),
    ],
)
def test_every_state_of_a_database_has_its_own_remedy(message, remedy):
    line = database_remedy(Path("/place/mlflow.db"), f"first line\n{message}\nlast line")
    if remedy is None:
        assert line is None
    else:
        assert remedy in line
        assert "\n" not in line


def test_a_search_that_finds_a_broken_database_is_not_begun(broken, here):
    import autoloss

    with pytest.raises(InputError, match="Rename it"):
        autoloss.search("sklearn:iris", trials=4, name="s", out=here / "reports")
    assert not (here / "reports").exists()


@pytest.mark.slow
def test_a_server_over_a_broken_database_prints_the_remedy(broken):
    execute(broken, "drop table _alembic_tmp_experiments")
    with (
        pytest.raises(BrokenStore, match="Rename it"),
        local_server(uri_of(broken), free_port(None, usual=5450)),
    ):
        pytest.fail("it cannot start")
