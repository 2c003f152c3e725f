from __future__ import annotations

import sqlite3

import pytest

from autoloss.core.errors import InputError
from autoloss.core.secrets import redacted
from autoloss.tracking import NullTracker, Pending, Tracker, dashboard_link
from autoloss.tracking.uri import plain_file
from autoloss.tracking.uri_check import resolve

PLAIN_URIS = {
    "sqlite:///mlflow.db",
    "sqlite:////absolute/mlflow.db",
    "sqlite:///../a-b/c_d.1.db",
}


@pytest.mark.parametrize(
    "uri",
    [
        "foo://bar",
        "mlruns",
        "mlflow.db",
        "http://",
        "http://host:99999",
        "https:///path",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///no/such/folder/mlflow.db",
        "sqlite:///folder",
        "sqlite:///table.csv",
        "sqlite:///optuna.db",
        "postgresql+nodriver://me:secret@host/db",
        "postgresql://me:secret@ho st:port/db",
    ],
)
def test_a_uri_that_can_never_work_is_one_line(here, uri):
    (here / "folder").mkdir()
    (here / "table.csv").write_text("a,b\n1,2\n" * 100)
    with sqlite3.connect(here / "optuna.db") as other:
        other.execute("create table studies (study_id integer)")
    other.close()
    with pytest.raises(InputError, match=r"Tracking URI must .* but got uri=") as caught:
        Tracker(uri, experiment="e", study_name="s", folder=here / "reports" / "s")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not (here / "reports").exists()
    assert not (here / "no").exists()


def test_the_default_is_a_database_in_the_current_directory(here):
    assert resolve(None) == f"sqlite:///{(here / 'mlflow.db').as_posix()}"


def test_the_users_uri_counts_before_the_earlier_session_and_the_environment(here, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://environment:5000")
    assert resolve(None) == "http://environment:5000"
    assert resolve(None, remembered="http://earlier:5000") == "http://earlier:5000"
    assert resolve("http://given:5000", remembered="http://earlier:5000") == "http://given:5000"


def test_a_study_that_was_moved_uses_the_database_beside_it(here):
    moved = f"sqlite:///{(here / 'gone' / 'mlflow.db').as_posix()}"
    assert resolve(None, remembered=moved) == resolve(None)


def test_a_password_is_never_kept_and_is_asked_for_again(here, monkeypatch):
    uri = "http://me:secret@host:5000"
    assert redacted(uri) == "http://me:***@host:5000"
    with pytest.raises(InputError, match="given again in MLFLOW_TRACKING_URI"):
        resolve(None, remembered=redacted(uri))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert resolve(None, remembered=redacted(uri)) == uri


def test_the_dashboard_of_a_server_is_a_link_to_the_runs():
    shown = dashboard_link("http://me:secret@host:5000/", "7")
    assert shown.command == ""
    assert shown.url == (
        "http://me:***@host:5000/#/experiments/7/runs?workflowType=machine_learning"
    )


def test_the_dashboard_of_a_file_is_a_command(here):
    shown = dashboard_link("sqlite:////a b/mlflow.db", "7")
    assert shown.command.startswith("autoloss ui --tracking-uri ")
    assert "'sqlite:////a b/mlflow.db'" in shown.command.replace('"', "'")


def test_the_null_tracker_has_nothing_left_to_write(record, summary):
    tracker = NullTracker()
    tracker.start({"data": "churn.csv"})
    tracker.log_trial(record(0))
    tracker.sync([record(0)])
    tracker.finish(summary([record(0), record(1)]), [])
    assert tracker.close() == Pending()
    assert tracker.dashboard() is None
    assert tracker.trouble == ""


@pytest.mark.parametrize(
    "uri",
    [
        *sorted(PLAIN_URIS),
        "sqlite:///a b/ü@h:7/100%25.db",
        "sqlite:///C:/folder/mlflow.db",
        "sqlite:///:memory:",
        "sqlite:///",
        "sqlite://",
        "sqlite:///file.db?timeout=3",
        "sqlite+pysqlite:///file.db",
        "postgresql://me@host/base",
    ],
)
def test_the_file_of_a_plain_uri_is_that_of_sqlalchemy(uri):
    import sqlalchemy

    found = plain_file(uri)
    if found is not None:
        url = sqlalchemy.make_url(uri)
        assert found == url.database
        assert uri == url.render_as_string()
    assert (found is None) == (uri not in PLAIN_URIS)
