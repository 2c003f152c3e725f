"""Ctrl-C on a real terminal, and signals of the system, in real processes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoloss.__main__ import main
from autoloss.cli import app
from autoloss.core.errors import Terminated
from autoloss.core.interrupts import OF_SYSTEM
from autoloss.core.scratch import scratch_folder
from autoloss.search import Study
from tests.spaces import SMALL

pty = pytest.importorskip("pty")
SECONDS = 240.0
CTRL_C = b"\x03"


class Terminal:
    """A search in its own terminal."""

    def __init__(self, folder: Path) -> None:
        (folder / "space.toml").write_text(SMALL, encoding="utf-8")
        words = ["search", "sklearn:iris", "--space", "space.toml", "--trials", "100000"]
        words += ["--name", "s", "--track", "off", "--workers", "2"]
        self.folder = folder
        self._seen = b""
        self._here, there = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autoloss", *words],
            cwd=folder,
            stdin=there,
            stdout=there,
            stderr=there,
            env={**os.environ, "COLUMNS": "120", "TMPDIR": str(_temporary(folder))},
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(there)

    def until(self, text: str) -> None:
        """Read until a text is shown."""
        ends = time.monotonic() + SECONDS
        while text.encode() not in self._seen:
            assert time.monotonic() < ends, self._seen[-2000:]
            self._read()

    @property
    def seen(self) -> str:
        """Return all that was shown."""
        return self._seen.decode(errors="replace")

    def type(self, text: bytes) -> None:
        """Type on the keyboard."""
        os.write(self._here, text)

    def close(self) -> None:
        """Close the terminal, as its window does."""
        os.close(self._here)

    def end(self) -> int:
        """Read to the end and return the exit code."""
        ends = time.monotonic() + SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < ends, self._seen[-2000:]
            self._read()
        return self.process.returncode

    def _read(self) -> None:
        ready, _, _ = select.select([self._here], [], [], 0.2)
        if ready:
            try:
                self._seen += os.read(self._here, 65536)
            except OSError:
                # A terminal whose program has ended.
                time.sleep(0.05)


def _temporary(folder: Path) -> Path:
    """Return the place of temporary files of a search in a folder."""
    place = folder / "temporary"
    place.mkdir(exist_ok=True)
    return place


def _own_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # Whoever runs the tests may ignore it, as `nohup` does.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def searching(tmp_path: Path) -> Iterator[Terminal]:
    """Return a terminal in which the first trials have ended."""
    terminal = Terminal(tmp_path)
    try:
        terminal.until("Best so far")
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()


def test_ctrl_c_and_v_reach_a_verdict(searching: Terminal) -> None:
    searching.type(CTRL_C)
    searching.until("verdict now")
    assert not (searching.folder / "reports" / "s" / "summary.json").exists()
    searching.type(b"v\n")
    searching.until("Shipped model")
    assert searching.end() == 0
    assert (searching.folder / "reports" / "s" / "model").is_dir()


@pytest.mark.parametrize("answer", [b"\n", CTRL_C], ids=["enter", "again"])
def test_ctrl_c_and_no_verdict_keep_the_study(searching: Terminal, answer: bytes) -> None:
    searching.type(CTRL_C)
    searching.until("verdict now")
    searching.type(answer)
    searching.until("autoloss resume s --judge-now")
    assert searching.end() == 130
    assert not (searching.folder / "reports" / "s" / "summary.json").exists()


def test_a_program_that_the_system_ends_asks_nothing_and_leaves_nothing(
    searching: Terminal,
) -> None:
    place = _temporary(searching.folder)
    assert list(place.glob("autoloss-*"))
    # As `timeout` and services end a program: with all of its processes.
    os.killpg(searching.process.pid, signal.SIGTERM)
    searching.until("autoloss resume s --judge-now")
    assert searching.end() == 143
    assert "verdict now?" not in searching.seen
    assert list(place.iterdir()) == []


@pytest.mark.faults
@pytest.mark.slow
def test_a_terminal_that_is_closed_ends_its_search_and_keeps_the_study(
    searching: Terminal,
) -> None:
    place = _temporary(searching.folder)
    searching.close()
    assert searching.process.wait(60) == 129
    assert list(place.iterdir()) == []
    with Study.open("s", out=searching.folder / "reports") as study:
        assert study.trials
        assert all(one.state != "running" for one in study.trials)


def test_what_a_killed_program_left_is_removed_by_the_next(
    searching: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = _temporary(searching.folder)
    monkeypatch.setattr("tempfile.tempdir", str(place))
    (left,) = place.glob("autoloss-*")
    monkeypatch.setattr("autoloss.core.scratch.YOUNG_SECONDS", -1.0)
    with scratch_folder():
        assert left.exists()
    os.killpg(searching.process.pid, signal.SIGKILL)
    searching.process.wait()
    assert left.exists()
    with scratch_folder() as mine:
        assert list(place.iterdir()) == [mine]


@pytest.fixture
def handlers() -> Iterator[None]:
    """Restore the handlers of signals, which the program sets back at its end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *OF_SYSTEM)}
    yield
    assert {signal.getsignal(number) for number in before} <= {signal.SIG_DFL, signal.SIG_IGN}
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_ctrl_c_while_the_program_loads_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Impatient:
        """An import during which the user presses Ctrl-C."""

        @staticmethod
        def find_spec(name: str, *rest: object) -> None:
            if name == "autoloss.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "autoloss.cli", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Impatient(), *sys.meta_path])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130
    assert capsys.readouterr().err == "autoloss: interrupted.\n"


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("stop", "code"), [(KeyboardInterrupt(), 130), (Terminated(signal.SIGTERM), 143)]
)
@pytest.mark.parametrize(
    "stage",
    [
        "typer.main.get_group",
        "typer.core.TyperGroup.make_context",
        "typer.core.TyperGroup.invoke",
    ],
)
def test_a_signal_at_any_stage_of_a_command_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stage: str,
    stop: KeyboardInterrupt,
    code: int,
) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise stop

    monkeypatch.setattr(sys, "argv", ["autoloss", "losses"])
    monkeypatch.setattr("autoloss.cli.main", app)
    monkeypatch.setattr(stage, interrupted)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == code
    assert capsys.readouterr().err == "autoloss: interrupted.\n"
