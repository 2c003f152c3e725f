"""Standard output and error of the real program, closed or on a full disk."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoloss.cli.streams import open_streams
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


def test_a_reader_that_has_seen_enough_changes_no_exit_code() -> None:
    done = run("losses", "| head -n 1; exit ${PIPESTATUS[0]}", shell="bash")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Name ")


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


def test_a_reader_that_has_gone_is_no_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stdout", stream)
    open_streams()
    with pytest.raises(BrokenPipeError):
        print("result", flush=True)
    with pytest.raises(BrokenPipeError):
        stream.close()
