"""Programs that tests harm: each runs in a fork, which begins within milliseconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoloss.search.naming import CONFIG
from tests.faults.fork_server import READY

ROOT = Path(__file__).parents[2]
SECONDS = 180.0
SPACE = """
bases = ["cross_entropy", "brier", "focal"]
together = 4
[network]
width = 16
bins = 4
[training]
max_epochs = 4
patience = 2
[protocol]
folds = 1
replicates = 2
outer_folds = 0
"""
"""A search of it takes three seconds, and trains its trials in two populations."""
TRIALS = 8
SEARCH = ("search", "sklearn:iris", "--space", "space.toml", "--trials", str(TRIALS))
ALONE = ("--workers", "1", "--refit", "--track", "off")
"""In one process, without MLflow, and without a decision that depends on the time."""


@dataclass(frozen=True)
class Signal:
    """A signal to a program.

    Args:
        signal: Its name.
        after: Seconds after the entry into the phase, or after the start or the signal before.
        phase: A phase of the fork server; None for any.
        entry: Which entry into the phase, from 1.
    """

    signal: str
    after: float = 0.0
    phase: str | None = None
    entry: int = 1


@dataclass(frozen=True)
class Program:
    """The command line of autoloss, run in a folder.

    Args:
        arguments: Its arguments.
        folder: Its current folder.
        hooks: Names of functions in `tests.faults.hooks` with their options.
        signals: The signals that it gets.
        environment: Further variables.
        timeout: The most seconds.
    """

    arguments: Sequence[str]
    folder: Path
    hooks: Sequence[tuple[str, Mapping[str, Any]]] = ()
    signals: Sequence[Signal] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = SECONDS


@dataclass(frozen=True)
class End:
    """The end of a program.

    Args:
        code: Its exit code; a negative one is the signal that killed it.
        phase: The phase in which it ended.
        writes: How often it wrote.
        seconds: How long it ran.
        sent: How many of the signals it got.
        lengths: The seconds of each phase, in the mean over its entries.
        text: Its output.
    """

    code: int
    phase: str
    writes: int
    seconds: float
    sent: int
    lengths: Mapping[str, float]
    text: str

    @property
    def was_killed(self) -> bool:
        """Return whether SIGKILL ended it."""
        return self.code == -9

    @property
    def lines(self) -> list[str]:
        """Return the lines that the program itself says."""
        return [line for line in self.text.splitlines() if line.startswith("autoloss: ")]


class Programs:
    """Starts programs as forks of one process."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.fork_server"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == f"{READY}\n"

    def run(self, *arguments: str, folder: Path, **options: Any) -> End:
        """Run a program to its end; see `Program`."""
        return self.together([Program(arguments, folder, **options)])[0]

    def together(self, programs: Sequence[Program]) -> list[End]:
        """Run programs at the same time, and wait for all of them."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        outputs = [one.folder / f".output-{place}" for place, one in enumerate(programs)]
        request = [
            {
                "arguments": list(one.arguments),
                "folder": str(one.folder),
                "hooks": [[f"tests.faults.hooks.{name}", dict(own)] for name, own in one.hooks],
                "signals": [vars(signal) for signal in one.signals],
                "environment": dict(one.environment),
                "timeout": one.timeout,
                "output": str(output),
            }
            for one, output in zip(programs, outputs, strict=True)
        ]
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answers = json.loads(self._server.stdout.readline())
        assert not answers["left"]
        return [
            End(**answer, text=output.read_text(encoding="utf-8", errors="replace"))
            for answer, output in zip(answers["ends"], outputs, strict=True)
        ]

    def close(self) -> None:
        """End the process that forks."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(30)
        self._server.stdout.close()


def run_again(programs: Programs, folder: Path, **options: Any) -> End:
    """Go on with a study, as a user does: resume it if it has begun, else begin it.

    Args:
        programs: Starts the program.
        folder: The folder of the study, in ``reports``.
        options: As in `Program`.
    """
    words: tuple[str, ...] = ("resume", folder.name)
    if not (folder / CONFIG).is_file():
        words = (*SEARCH, *ALONE, "--name", folder.name)
    return programs.run(*words, folder=folder.parents[1], **options)
