"""The shared parts of a study's machines in its database: the clock, claims and files."""

from __future__ import annotations

import importlib.util
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sql
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateTable

from autoloss.core.errors import InputError
from autoloss.search import Study
from autoloss.search.database import PART, SharedTables, _known
from autoloss.search.journal import Ledger
from autoloss.search.shelf import RESULT, SteadyShelf
from autoloss.search.steady import Steady
from tests.search.fake_training import COUNTS, run


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{(tmp_path / 'studies.db').as_posix()}"


@pytest.fixture
def tables(tmp_path: Path, url: str) -> Iterator[SharedTables]:
    ledger = Ledger.create("s", folder=tmp_path, url=url, directions=["minimize"])
    assert ledger.shared is not None
    yield ledger.shared
    ledger.close()


def new(out: Path, url: str | None, trials: int = 16) -> Study:
    return Study("s", COUNTS, trials=trials, space="quick", out=out, storage=url)


def test_a_claim_changes_hands_only_from_the_holder_that_was_read(tables: SharedTables) -> None:
    assert tables.holder("verdict") is None
    assert tables.take("verdict", "a", before=None)
    assert not tables.take("verdict", "b", before=None)
    assert not tables.take("verdict", "b", before="c")
    assert tables.holder("verdict") == "a"
    assert tables.take("verdict", "b", before="a")
    assert tables.holder("verdict") == "b"


def test_a_file_of_many_parts_is_read_as_it_was_written(tables: SharedTables) -> None:
    content = bytes(range(256)) * 20 + random.Random(0).randbytes(2 * PART)
    tables.write("x/large", b"before")
    tables.write("x/large", content)
    tables.write("x_empty", b"")
    assert tables.read("x/large") == content
    assert tables.read("x_empty") == b""
    assert tables.read("none") is None
    assert tables.names("x/") == ["x/large"]


def test_a_new_study_has_no_files_of_a_deleted_study_of_its_number(
    tables: SharedTables, tmp_path: Path, url: str
) -> None:
    import optuna

    tables.write("result/summary.json", b"{}")
    tables.take("conclusion", "a", before=None)
    optuna.delete_study(study_name="s", storage=url)
    again = Ledger.create("s", folder=tmp_path, url=url, directions=["minimize"])
    assert again.shared is not None
    assert again.shared.read("result/summary.json") is None
    assert again.holder("conclusion") is None
    again.close()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "study.json", "a/.x", "C:\\x"])
def test_a_file_of_a_database_does_not_leave_the_folder(
    tables: SharedTables, tmp_path: Path, name: str
) -> None:
    tables.write(f"{RESULT}/summary.json", b"{}")
    tables.write(f"{RESULT}/{name}", b"x")
    with pytest.raises(InputError, match="must stay in its folder"):
        SteadyShelf(tables, Steady()).fetch_result(tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("seconds", [-1000.0, 1000.0])
def test_the_clock_of_the_database_ends_leases_and_not_that_of_a_host(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    with new(tmp_path / "a", url) as study, monkeypatch.context() as wrong:
        asked = study.ask(4)
        wrong.setattr(time, "time", lambda now=time.time: now() + seconds)
        with Study.open("s", out=tmp_path / "b", storage=url) as other:
            assert [trial.slot for trial in other.ask(2)] == [4, 5]
            assert study.elsewhere == 2
        assert len(study.still_ours(asked)) == 4
        later = SharedTables.now
        wrong.setattr(SharedTables, "now", lambda self: later(self) + 700)
        with Study.open("s", out=tmp_path / "c", storage=url) as third:
            assert [trial.slot for trial in third.ask(4)] == [0, 1, 2, 3]
            assert study.still_ours(asked) == []


def test_a_machine_without_the_folder_has_the_losses_of_all_trials(
    tmp_path: Path, url: str
) -> None:
    with new(tmp_path / "a", url) as study:
        run(study, at_most=1)
        with Study.open("s", out=tmp_path / "b", storage=url) as other:
            run(other)
            assert not list((tmp_path / "a/s/examples").glob("000012.npz"))
            study.check_examples()
            assert study.examples.n_rows == other.examples.n_rows == 60
            assert study.optimism() == other.optimism() is not None
        new(tmp_path / "c", None).close()
        with pytest.raises(InputError, match="of another study named 's'"):
            Study.open("s", out=tmp_path / "c", storage=url)


class Away:
    """An action that a database answers after some attempts."""

    def __init__(self, failures: int) -> None:
        self.failures, self.calls = failures, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise OperationalError("SELECT 1", {}, Exception("refused, password=hunter22"))
        return "answer"


def test_what_a_database_does_not_answer_is_repeated_and_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    steady, told = Steady(), list[str]()
    steady.told = told.append
    away = Away(3)
    assert steady(away) == "answer"
    assert away.calls == 4
    assert waits == sorted(waits)
    assert [text.split(" (")[0] for text in told] == [
        "The database does not answer",
        "The database answers again after 0 s.",
    ]
    steady.patience = 0.0
    with pytest.raises(InputError, match="continue with it by `autoloss resume`"):
        steady(Away(1))


def test_other_errors_are_not_repeated() -> None:
    def wrong() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        Steady()(wrong)


def test_the_tables_are_those_of_mysql_too() -> None:
    """No test has a MySQL server: its statements are compiled, and its driver is named."""
    texts = [
        str(CreateTable(one).compile(dialect=mysql.dialect())) for one in _known.sorted_tables
    ]
    assert any("BLOB(4294967295)" in text for text in texts)
    assert all("PRIMARY KEY (study_id, name" in text for text in texts)
    clock = str(sql.select(sql.func.utc_timestamp()).compile(dialect=mysql.dialect()))
    assert clock == "SELECT utc_timestamp() AS utc_timestamp_1"
    locked = sql.select(_known.tables["autoloss_claims"]).with_for_update()
    assert str(locked.compile(dialect=mysql.dialect())).endswith("FOR UPDATE")


def test_a_lacking_driver_of_mysql_is_named(tmp_path: Path) -> None:
    if importlib.util.find_spec("MySQLdb"):
        pytest.skip("MySQLdb is installed")
    with pytest.raises(InputError, match=r"pip install 'autoloss\[mysql\]'") as caught:
        Study.open("s", out=tmp_path, storage="mysql://me:hunter22@host/db")
    assert "hunter22" not in str(caught.value)
