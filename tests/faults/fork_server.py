"""Runs the program in forks of a process that has imported it, and harms them as a request says.

A request is a JSON line with a list of programs, which run at the same time; the answer is a JSON
line with the end of each, and with the processes that outlive them. See `tests.faults.programs`.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PHASES = ("starting", "training", "telling", "final trainings", "report", "exporting", "ending")
READY = "ready"
_POLL_SECONDS = 0.0005
# A worker looks for its program when it has imported torch.
_LEAVING_SECONDS = 60.0
_WIDTH = 4
_MODULES = (
    "autoloss.cli",
    "autoloss.cli.search_result",
    "autoloss.experiment.resuming",
    "autoloss.experiment.shipping",
    "autoloss.experiment.starting",
    "autoloss.export.write",
    "autoloss.report.write",
    "mlflow.tracking",
    "sklearn.datasets",
    "sklearn.ensemble",
)


class Board:
    """Numbers that a program writes and the server reads: its phase, its entries, its writes."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _WIDTH * (len(PHASES) + 2))

    def get(self, place: int) -> int:
        start = place * _WIDTH
        return int.from_bytes(self._memory[start : start + _WIDTH], "little")

    def put(self, place: int, value: int) -> None:
        start = place * _WIDTH
        self._memory[start : start + _WIDTH] = value.to_bytes(_WIDTH, "little")

    @property
    def phase(self) -> str:
        return PHASES[self.get(len(PHASES))]

    @phase.setter
    def phase(self, name: str) -> None:
        place = PHASES.index(name)
        self.put(place, self.get(place) + 1)
        self.put(len(PHASES), place)

    @property
    def writes(self) -> int:
        return self.get(len(PHASES) + 1)

    @writes.setter
    def writes(self, value: int) -> None:
        self.put(len(PHASES) + 1, value)

    def entries(self, phase: str) -> int:
        return self.get(PHASES.index(phase))

    def passes(self, phase: str) -> int:
        """Return how often a program went through a phase; each begins in the first phase."""
        return max(self.entries(phase), 1)


def watch(board: Board, folder: Path) -> list[Callable[[str, str], None]]:
    """Show the phases of this process on the board; return who hears of each write in a folder.

    A write is every file that is opened to be written, and every name that changes, in the folder.
    """
    from autoloss.experiment import conclusion, running
    from autoloss.experiment.session import SearchSession

    exports = importlib.import_module("autoloss.export")

    def during(owner: Any, name: str, phase: str) -> None:
        plain = getattr(owner, name)

        def shown(*arguments: Any, **options: Any) -> Any:
            before = board.phase
            if phase != "training" or before == "starting":
                board.phase = phase
            try:
                return plain(*arguments, **options)
            finally:
                if before != board.phase:
                    board.put(len(PHASES), PHASES.index(before))

        setattr(owner, name, shown)

    during(SearchSession, "train", "training")
    during(SearchSession, "tell", "telling")
    during(running, "conclude", "final trainings")
    during(conclusion, "write_result", "report")
    during(exports, "export", "exporting")
    listeners: list[Callable[[str, str], None]] = []
    inside = str(folder.resolve())

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            is_write = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if not is_write or isinstance(path, int):
                return
        elif event in ("os.rename", "os.remove", "os.mkdir", "os.truncate", "os.link"):
            path = arguments[0]
        else:
            return
        name = os.path.abspath(os.fsdecode(path))
        if name.startswith(inside):
            board.writes += 1
            for listener in listeners:
                listener(event, name)

    sys.addaudithook(hear)
    return listeners


def become(program: dict[str, Any], board: Board) -> None:
    """Run a program in this process, which a fork made for it."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Whoever runs the tests may ignore it, as `nohup` does.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    folder = Path(program["folder"])
    os.chdir(folder)
    for key, value in program["environment"].items():
        os.environ[key] = value
    with Path(program["output"]).open("wb") as output, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    listeners = watch(board, folder)
    for name, options in program["hooks"]:
        module, _, function = name.rpartition(".")
        getattr(importlib.import_module(module), function)(board, listeners, **options)
    sys.argv = ["autoloss", *program["arguments"]]
    from autoloss.__main__ import main

    board.phase = PHASES[0]
    try:
        main()
    finally:
        # Python takes longer to remove the modules than many a command to run.
        board.phase = "ending"


class Run:
    """A program that runs in a fork."""

    def __init__(self, program: dict[str, Any]) -> None:
        self.board = Board()
        self._signals = [
            (getattr(signal, one["signal"]), one["phase"], one["entry"], one["after"])
            for one in program["signals"]
        ]
        self._due: float | None = None
        self._ends = time.monotonic() + program["timeout"]
        self.began = self._seen = time.monotonic()
        self._spent = dict.fromkeys(PHASES, 0.0)
        self.answer: dict[str, Any] | None = None
        self.sent = 0
        self.pid = os.fork()

    def step(self) -> bool:
        """Send the due signals; return whether the program goes on."""
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        now = time.monotonic()
        self._spent[self.board.phase] += now - self._seen
        self._seen = now
        if ended:
            self.answer = {
                "lengths": {k: v / self.board.passes(k) for k, v in self._spent.items()},
                "code": os.waitstatus_to_exitcode(status),
                "phase": self.board.phase,
                "writes": self.board.writes,
                "seconds": now - self.began,
                "sent": self.sent,
            }
            return False
        if now > self._ends:
            os.kill(self.pid, signal.SIGKILL)
        elif self._signals:
            number, phase, entry, after = self._signals[0]
            if self._due is None and (phase is None or self.board.entries(phase) >= entry):
                self._due = now + after
            if self._due is not None and now >= self._due:
                os.kill(self.pid, number)
                self.sent += 1
                self._signals.pop(0)
                self._due = None
        return True


def run(programs: Sequence[dict[str, Any]]) -> list[Run] | dict[str, Any]:
    """Run programs at the same time; in a fork, return its program instead."""
    runs = []
    for program in programs:
        one = Run(program)
        if one.pid == 0:
            return {"program": program, "board": one.board}
        runs.append(one)
    going = list(runs)
    while going:
        going = [one for one in going if one.step()]
        time.sleep(_POLL_SECONDS)
    return runs


def left_of(runs: Sequence[Run]) -> list[str]:
    """Return the command lines of processes that outlive the programs that began them."""
    ends = time.monotonic() + _LEAVING_SECONDS
    while (found := _members({one.pid for one in runs})) and time.monotonic() < ends:
        time.sleep(0.1)
    return found


def _members(sessions: set[int]) -> list[str]:
    """Return the command lines of living processes in sessions; only Linux knows them."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session, *_ = (place / "stat").read_text().rpartition(") ")[2].split()
            if int(session) in sessions and state != "Z":
                found.append((place / "cmdline").read_text().replace("\0", " "))
        # It has ended meanwhile.
        except OSError:
            continue
    return found


def main() -> None:
    """Answer requests until the input ends."""
    for name in _MODULES:
        importlib.import_module(name)
    print(READY, flush=True)
    for line in sys.stdin:
        found = run(json.loads(line))
        if isinstance(found, dict):
            become(found["program"], found["board"])
            return
        answer = {"ends": [one.answer for one in found], "left": left_of(found)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
