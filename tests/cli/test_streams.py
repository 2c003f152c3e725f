"""Standard output and error of the real program, closed or on a full disk."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import pytest

from autoloss.cli.streams import _Results, has_reader, open_streams
from autoloss.core.errors import UnwritableError

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def run(words: str, to: str, *, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m autoloss {words} {to}"
    return subprocess.run([shell, "-c", command], capture_output=True, text=True)


def test_a_result_that_does_not_fit_on_the_disk_is_an_error_of_one_line() -> None:
    done = run("losses", f"> {FULL}")
    assert done.returncode == 2
    assert done.stderr == (
        "autoloss: Standard output must be writable, but got: No space left on device.\n"
    )


@pytest.mark.parametrize("to", ["<&- >&- 2>&-", f"2> {FULL}"])
def test_a_program_that_nobody_hears_does_its_work(to: str) -> None:
    # A mistake is said on standard error.
    assert run("spaces quick", to).returncode == 0
    assert run("spaces nonsense", to).returncode == 2


@pytest.mark.parametrize("words", ["--help", "losses", "losses --json", "spaces quick"])
def test_a_reader_that_has_seen_enough_changes_no_exit_code(words: str) -> None:
    # No program reads a pipe as briefly as none.
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "autoloss", *words.split()]
    with os.fdopen(writing, "w") as stdout:
        done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def flush(self) -> None:
        self.write("")


def test_messages_are_lost_and_results_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with FULL.open("w") as results:
        monkeypatch.setattr(sys, "stdout", results)
        monkeypatch.setattr(sys, "stderr", Full())
        open_streams()
        print("progress", file=sys.stderr, flush=True)
        with pytest.raises(UnwritableError, match="must be writable"):
            print("result", flush=True)
        # The interpreter flushes it at its end.
        sys.stdout.flush()


def test_the_rest_of_a_result_without_a_reader_is_written_for_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stdout", stream)
    open_streams()
    print("first", flush=True)
    assert has_reader()
    os.close(reading)
    print("second", flush=True)
    assert not has_reader()
    # The interpreter flushes it at its end.
    print("third")
    stream.close()


@pytest.mark.parametrize(("system", "is_lost"), [("nt", False), ("posix", True)])
def test_windows_calls_a_pipe_without_a_reader_an_invalid_argument(
    monkeypatch: pytest.MonkeyPatch, system: str, is_lost: bool
) -> None:
    with FULL.open("w") as results:
        monkeypatch.setattr(sys, "stdout", _Results(results))
        failure = OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        monkeypatch.setattr(results, "write", Mock(side_effect=failure), raising=False)
        with monkeypatch.context() as patch:
            patch.setattr(os, "name", system)
            with pytest.raises(UnwritableError) if is_lost else nullcontext():
                print("result")
        assert has_reader() is is_lost
