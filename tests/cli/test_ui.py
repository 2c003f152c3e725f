from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from autoloss.cli import dashboard
from autoloss.cli.dashboard import Place, find_place
from autoloss.core.errors import InputError, StudyNotFoundError
from autoloss.tracking.identity import Identity, write_identity
from autoloss.tracking.local_server import free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture
def out(tmp_path, monkeypatch) -> Path:
    """A folder with two studies in two databases, the second the newer one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for age, name in ((9, "old"), (1, "new")):
        folder = tmp_path / "reports" / name
        uri = f"sqlite:///{(tmp_path / f'{name}.db').as_posix()}"
        # The older one was searched before studies were compared.
        studies = "autoloss-studies" if name == "new" else ""
        write_identity(folder, Identity(name, uri, "7", f"autoloss-{name}", studies=studies))
        stamp = time.time() - age
        os.utime(folder / "tracking.json", (stamp, stamp))
    return tmp_path / "reports"


def uri_of(out: Path, name: str) -> str:
    return f"sqlite:///{(out.parent / f'{name}.db').as_posix()}"


def test_a_study_is_found_by_its_name_or_its_folder_and_without_one_all_are_shown(out) -> None:
    old = Place(uri_of(out, "old"), "7", "autoloss-old")
    new = Place(uri_of(out, "new"), "7", "autoloss-new")
    assert find_place("new", uri=None, out=out) == new
    assert find_place("old", uri=None, out=out) == old
    assert find_place(str(out / "old"), uri=None, out=Path("elsewhere")) == old
    every = Place(uri_of(out, "new"), "7", "autoloss-studies")
    assert find_place(None, uri=None, out=out) == every


def test_a_store_that_is_given_shows_its_studies_or_its_experiments(out) -> None:
    uri = uri_of(out, "old")
    assert find_place(None, uri=uri, out=out) == Place(uri, "7", "autoloss-old")
    other = uri_of(out, "other")
    assert find_place(None, uri=other, out=out) == Place(other)
    # A number of one store means nothing in another.
    assert find_place("old", uri=other, out=out) == Place(other)


def test_a_study_that_is_not_there_is_one_line(out, run) -> None:
    with pytest.raises(StudyNotFoundError, match="runs in MLflow"):
        find_place("none", uri=None, out=out)
    result = run("ui", "none", "--no-browser")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_of_a_server_the_link_alone_is_shown_and_opened(out, run, monkeypatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(dashboard.webbrowser, "open", opened.append)
    monkeypatch.setenv("DISPLAY", ":0")
    result = run("ui", "--tracking-uri", "http://me:secret@host:5000")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "http://me:***@host:5000/#/experiments\n"
    assert len(opened) == 1
    assert run("ui", "--tracking-uri", "http://host:5000", "--no-browser").exit_code == 0
    assert len(opened) == 1


def test_a_taken_port_is_one_line_or_the_next_one(run, out) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port={port}"):
            free_port(port, usual=5000)
        assert free_port(None, usual=port) != port
        result = run("ui", "new", "--port", port, "--no-browser")
        assert result.exit_code == 2
        assert "must be free" in result.stderr


def test_no_port_is_one_that_browsers_refuse() -> None:
    with pytest.raises(InputError, match="browsers open"):
        free_port(5060, usual=5000)
    assert free_port(None, usual=5060) not in (5060, 5061)


def test_an_address_that_is_not_of_this_machine_is_one_line(run, out) -> None:
    for host in ("203.0.113.7", "no such host"):
        result = run("ui", "new", "--host", host, "--no-browser")
        assert result.exit_code == 2
        assert f"--host must be an address of this machine, but got host={host!r}" in result.stderr


@pytest.mark.slow
def test_a_server_for_all_machines_answers_at_every_address_and_says_so(out) -> None:
    port = free_port(None, usual=5350, host="0.0.0.0")
    words = [sys.executable, "-m", "autoloss", "ui", "new", "--port", str(port), "--no-browser"]
    with subprocess.Popen(
        [*words, "--host", "0.0.0.0"],
        cwd=out.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"http://127.0.0.1:{port}/#/")
        with urllib.request.urlopen(f"http://127.0.0.2:{port}/health", timeout=10) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        messages = process.communicate(timeout=60)[1]
    assert f"every machine that reaches port {port} of this one can read all runs" in messages


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_server_answers_at_its_link_and_leaves_nothing_behind(out, ending) -> None:
    port = free_port(None, usual=5300)
    words = [sys.executable, "-m", "autoloss", "ui", "new", "--port", str(port), "--no-browser"]
    process = subprocess.Popen(
        words,
        cwd=out.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    link = process.stdout.readline().strip()
    assert link == (
        f"http://127.0.0.1:{port}/#/experiments/7/runs?viewStateShareKey=autoloss-new"
        "&compareRunsMode=CHART&workflowType=machine_learning"
    )
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/version", timeout=10) as answer:
        assert answer.status == 200
    # Only a server that listens beyond this machine's own address answers at another.
    with pytest.raises((ConnectionRefusedError, TimeoutError)):
        socket.create_connection(("127.0.0.2", port), timeout=2).close()
    process.send_signal(ending)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 0
    assert messages.splitlines()[-1] == "autoloss: ended."
    assert free_port(port, usual=port) == port


@pytest.mark.slow
def test_a_store_that_cannot_be_served_is_one_line(tmp_path) -> None:
    from autoloss.core.errors import AutolossError
    from autoloss.tracking.local_server import local_server

    port = free_port(None, usual=5400)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n" * 100)
    bad = f"sqlite:///{tmp_path.as_posix()}/rows.csv"
    with pytest.raises(AutolossError, match="did not start") as caught, local_server(bad, port):
        pass
    assert "\n" not in str(caught.value)
