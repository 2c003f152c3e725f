from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress

import pytest

from autoloss.cli.failures import guarded
from autoloss.core.errors import InputError, Terminated
from autoloss.core.interrupts import finishing, terminate

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")


@pytest.fixture(autouse=True)
def _heard():
    """A program that a shell began in the background ignores interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@finishing()
def work(done: list[int], *, interrupts: int) -> None:
    for _ in range(interrupts):
        interrupt()
    done.append(1)


def test_the_first_interrupt_waits_for_the_end():
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        work(done, interrupts=1)
    assert done == [1]
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_the_second_interrupt_does_not_wait():
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        work(done, interrupts=2)
    assert done == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_is_not_hidden_by_an_interrupt():
    @finishing()
    def fail() -> None:
        interrupt()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with finishing():
            interrupt()
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_are_left_alone():
    found = []

    def look() -> None:
        with finishing():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_an_error_that_a_library_makes_of_a_signal_is_an_interrupt(monkeypatch, capsys) -> None:
    monkeypatch.setattr("autoloss.core.interrupts._received", [])

    def fail(*, after: int = 0) -> None:
        with suppress(Terminated):
            if after:
                terminate(after, None)
        raise InputError("A model must be whole.")

    assert guarded(fail) == 2
    assert "must be whole" in capsys.readouterr().err
    with pytest.raises(Terminated) as caught:
        guarded(lambda: fail(after=signal.SIGTERM))
    assert caught.value.number == signal.SIGTERM
    assert capsys.readouterr().err == ""
