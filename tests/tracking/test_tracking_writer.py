from __future__ import annotations

import threading
import time

import pytest

from autoloss.tracking import Pending
from autoloss.tracking.failures import Away, Refused
from autoloss.tracking.writer import WriteJob, Writer


class Server:
    """Records writes, unless it is unreachable; always refuses some runs."""

    def __init__(self, *, away=False, refused=()):
        self.away = away
        self.refused = refused
        self.written = []
        self.attempts = 0

    def job(self, run):
        def action():
            self.attempts += 1
            if self.away:
                raise Away("The server is away.")
            if run in self.refused:
                raise Refused(f"No {run}.", attempts=2)
            self.written.append(run)

        return WriteJob(run, action)


@pytest.fixture
def writer():
    writer = Writer(delays=(0.01, 0.02), grace=0.2)
    yield writer
    writer.close(0)


def fill(writer, server, n):
    for i in range(n):
        writer.put(server.job(f"run {i}"))
    return [f"run {i}" for i in range(n)]


def test_jobs_are_written_in_order(writer):
    server = Server()
    runs = fill(writer, server, 50)
    assert writer.close(10) == Pending()
    assert server.written == runs


def test_jobs_wait_for_an_unreachable_server(writer):
    server = Server(away=True)
    runs = fill(writer, server, 5)
    while server.attempts < 3:
        time.sleep(0.005)
    assert writer.trouble == "The server is away."
    server.away = False
    assert writer.close(10) == Pending()
    assert server.written == runs
    assert writer.trouble == ""


def test_one_refused_job_does_not_hold_up_the_others(writer):
    server = Server(refused=("run 1",))
    fill(writer, server, 4)
    assert writer.close(10) == Pending(1, "No run 1.")
    assert server.written == ["run 0", "run 2", "run 3"]


def test_closing_does_not_wait_for_an_unreachable_server(writer):
    server = Server(away=True)
    fill(writer, server, 3)
    writer.put(server.job("run 2"))
    start = time.monotonic()
    assert writer.close(600) == Pending(3, "The server is away.")
    assert time.monotonic() - start < 300


def test_closing_does_not_wait_for_a_hanging_server(writer):
    release = threading.Event()
    writer.put(WriteJob("run 0", release.wait))
    # Without a limit it would wait for ever.
    pending = writer.close(0.1)
    release.set()
    assert pending == Pending(1, "there was no time left")


def test_nothing_is_written_after_closing(writer):
    server = Server()
    assert writer.close(1) == Pending()
    fill(writer, server, 2)
    assert writer.close(1).count == 2
    assert server.written == []
