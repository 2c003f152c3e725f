"""The fork server of worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoloss.executors import fork_server
from autoloss.executors.fork_server import Fork, ForkServer
from autoloss.executors.messages import Ready, Setup, read, write

pytestmark = pytest.mark.skipif(not fork_server.IS_POSSIBLE, reason="forks on Linux alone")


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer()
    yield server
    server.close()


def begun(server: ForkServer, tmp_path: Path) -> Fork:
    """Return a worker that has begun."""
    fork = server.fork()
    write(fork.stdin, Setup((), tmp_path))
    assert isinstance(read(fork.stdout), Ready)
    return fork


def ended(fork: Fork) -> int:
    """End a worker, close its streams and return its status."""
    status = fork.kill()
    fork.stdin.close()
    fork.stdout.close()
    return status


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for_end(pid: int) -> None:
    ends = time.monotonic() + 30.0
    while is_alive(pid):
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_workers_share_an_import_and_die_alone(server: ForkServer, tmp_path: Path) -> None:
    one, other = begun(server, tmp_path), begun(server, tmp_path)
    parents = {Path(f"/proc/{fork.pid}/stat").read_text().split()[3] for fork in (one, other)}
    assert len(parents) == 1
    assert one.kill() == -signal.SIGKILL
    assert not is_alive(one.pid)
    assert is_alive(other.pid)
    # The end of a worker ends its output, though the other and the server live.
    assert one.stdout.read() == b""
    one.stdin.close()
    one.stdout.close()
    assert ended(other) == -signal.SIGKILL


def test_the_status_of_a_worker_that_has_ended_is_its_own(
    server: ForkServer, tmp_path: Path
) -> None:
    fork = begun(server, tmp_path)
    os.kill(fork.pid, signal.SIGTERM)
    wait_for_end(fork.pid)
    assert ended(fork) == -signal.SIGTERM


def test_a_worker_ends_with_its_search(server: ForkServer, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    fork = begun(server, folder)
    fork.stdin.close()
    wait_for_end(fork.pid)
    assert not folder.exists()
    assert ended(fork) == 0


def test_a_worker_sees_modules_that_joined_the_path_later(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "joined_later.py").write_text("from autoloss.executors.messages import Ready\n")
    loss = tmp_path / "loss.py"
    loss.write_text("import joined_later\nraise SystemExit(joined_later.__name__)\n")
    monkeypatch.syspath_prepend(tmp_path)
    fork = server.fork()
    write(fork.stdin, Setup((loss,), tmp_path))
    assert isinstance(read(fork.stdout), Ready)
    failed = read(fork.stdout)
    assert "joined_later" in str(failed.error)
    ended(fork)


def test_without_a_server_there_is_no_worker(tmp_path: Path) -> None:
    server = ForkServer()
    fork = begun(server, tmp_path)
    # The server may say it after the worker has begun.
    pid = fork.pid
    os.kill(server._process.pid, signal.SIGKILL)
    server._process.wait()
    with pytest.raises(OSError, match=r"pipe|died|reset"):
        server.fork()
    assert ended(fork) == -signal.SIGKILL
    wait_for_end(pid)
    server.close()


def test_nobody_waits_for_the_import_of_a_server_that_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Its import takes for ever.
    monkeypatch.setattr(fork_server, "PROGRAM", "import time; time.sleep(1e6)")
    server = ForkServer()
    fork = server.fork()
    server.close()
    assert ended(fork) == -signal.SIGKILL


def test_a_search_finds_the_server_that_began_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(fork_server, "_has_gpu", lambda: False)
    with fork_server.begun_early(True):
        [early] = fork_server._EARLY
        assert fork_server.take() is early
        early.close()
    with fork_server.begun_early(True):
        [early] = fork_server._EARLY
    assert not fork_server._EARLY
    assert early._process.returncode == -signal.SIGKILL
    with fork_server.begun_early(False):
        assert not fork_server._EARLY
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with fork_server.begun_early(True):
        assert not fork_server._EARLY


def test_a_server_begins_without_torch() -> None:
    program = "import sys, autoloss.executors.fork_server; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
