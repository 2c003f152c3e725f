"""A tracking server that is away, slow, broken or full: the search does not notice."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.counts import count
from tests.faults.programs import SEARCH, TRIALS, Programs
from tests.faults.studies import check_same, found_in
from tests.faults.tracking_server import serving

pytestmark = pytest.mark.faults
# Seconds that a search may take longer for a server that does not work.
LONGER = 60.0


def search(programs: Programs, place: Path, uri: str):
    """Run a search that shows its trials at a tracking server."""
    words = (*SEARCH, "--workers", "1", "--refit", "--tracking-uri", uri, "--name", "s")
    return programs.run(*words, folder=place)


def check_kept(end, place: Path, unharmed) -> None:
    """Check that a search reached its result, and says in a line that MLflow lacks runs."""
    assert end.code == 0, end.text
    assert "Traceback" not in end.text
    (line,) = [line for line in end.text.splitlines() if "not in MLflow yet" in line]
    assert f"{TRIALS + 1} runs are" in line
    assert "autoloss resume s" in line
    check_same(found_in(place / "reports" / "s"), unharmed.found)
    assert end.seconds < unharmed.end.seconds + LONGER


@pytest.mark.parametrize(
    ("manner", "delay"),
    [("error", 0.0), ("full", 0.0), pytest.param("error", 10.0, marks=pytest.mark.slow)],
)
def test_a_server_that_never_works(programs, unharmed, place, manner, delay):
    with serving(manner, delay=delay) as server:
        end = search(programs, place, server.uri)
        assert server.asked
    check_kept(end, place, unharmed)
    name = {
        "error": "a tracking server that answers 500",
        "full": "a tracking server with a full disk",
    }
    count(
        name[manner] + (f" after {delay:g} s" if delay else ""),
        tried=1,
        remark=f"{end.seconds - unharmed.end.seconds:.0f} s longer, one line",
    )


def test_no_server(programs, unharmed, place):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        end = search(programs, place, f"http://127.0.0.1:{unused.getsockname()[1]}")
    check_kept(end, place, unharmed)
    longer = end.seconds - unharmed.end.seconds
    count("an unreachable tracking server", tried=1, remark=f"{longer:.0f} s longer, one line")


@pytest.mark.slow
def test_a_database_of_runs_that_is_locked_for_long(programs, unharmed, place, empty_store):
    shutil.copy(empty_store, place / "mlflow.db")
    with closing(sqlite3.connect(place / "mlflow.db", isolation_level=None)) as other:
        other.execute("begin exclusive")
        end = search(programs, place, "sqlite:///mlflow.db")
    check_kept(end, place, unharmed)
    again = programs.run("resume", "s", folder=place)
    assert again.code == 0, again.text
    assert f"has all runs of the study, {TRIALS} of them written now" in again.text
    count("a locked MLflow database", tried=1, remark="one line; resume writes the runs")


@pytest.fixture(scope="module")
def mlflow_port(empty_store, tmp_path_factory) -> Iterator[int]:
    """Return the port of MLflow's own server."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    command += ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "files"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    ends = time.monotonic() + 90
    while time.monotonic() < ends:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    yield port
    process.terminate()
    process.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize("away", [(0.0, 4.0), (2.0, 6.0)], ids=["at the start", "for a while"])
def test_a_server_that_comes_back_gets_all_runs(programs, unharmed, place, mlflow_port, away):
    first, last = away
    with serving("pass", behind=mlflow_port) as server:

        def switch() -> None:
            for seconds, manner in ((first, "error"), (last - first, "pass")):
                time.sleep(seconds)
                server.manner = manner

        threading.Thread(target=switch, daemon=True).start()
        end = search(programs, place, server.uri)
        assert end.code == 0, end.text
        again = programs.run("resume", "s", folder=place)
    assert again.code == 0, again.text
    assert "has all runs of the study" in again.text
    check_same(found_in(place / "reports" / "s"), unharmed.found)
    when = f"from second {first:g} to {last:g}"
    count(
        f"a tracking server unreachable {when}", tried=1, remark="all runs are written in the end"
    )


@pytest.mark.slow
def test_a_server_that_works_slowly_holds_no_search_up(programs, unharmed, place, mlflow_port):
    with serving("pass", delay=10.0, behind=mlflow_port) as server:
        end = search(programs, place, server.uri)
        assert end.code == 0, end.text
        assert "not in MLflow yet" in end.text
        longer = end.seconds - unharmed.end.seconds
        assert longer < LONGER
        server.delay = 0.0
        again = programs.run("resume", "s", folder=place)
    assert again.code == 0, again.text
    assert "has all runs of the study" in again.text
    check_same(found_in(place / "reports" / "s"), unharmed.found)
    remark = f"{longer:.0f} s longer, one line; all runs are written in the end"
    count("a tracking server that answers after 10 s", tried=1, remark=remark)
