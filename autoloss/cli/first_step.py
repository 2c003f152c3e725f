"""A program that runs ``autoloss search`` up to its first training step.

    python -m autoloss.cli.first_step TABLE TARGET FOLDER STARTED

STARTED is the time at which the process was started, by `time.time`. The program writes the
seconds since then to FOLDER/seconds.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from autoloss.cli.commands import search
from autoloss.executors import fork_server

_HOOK = """
import os, time
from autoloss.training.population import Population
step = Population.step
def first(self, *args, **kwargs):
    step(self, *args, **kwargs)
    with open({path!r} + str(os.getpid()), "w", encoding="ascii") as file:
        file.write(repr(time.time() - {started!r}))
    os.rename(file.name, {path!r})
    os._exit(0)
Population.step = first
"""
"""Lets a process end with its first training step."""


def main(table: str, target: str, folder: str, started: float) -> None:
    """Begin the default search of a table, and exit after the first training step.

    Timed steps, which choose the number of candidates trained together and estimate the duration,
    are no training steps.
    """
    hook = _HOOK.format(path=str(Path(folder, "seconds").resolve()), started=started)
    fork_server.PROGRAM = _hooked(fork_server.PROGRAM, hook)
    load = search._api

    def loaded() -> Any:
        api = load()
        _end_with_first_step(hook)
        return api

    search._api = loaded
    sys.argv[1:] = ["search", table, "--target", target, "--out", str(Path(folder, "reports"))]
    sys.argv += ["--tracking-uri", f"sqlite:///{Path(folder, 'mlflow.db').as_posix()}", "--quiet"]
    from autoloss.cli import main as program

    program()


def _hooked(program: str, hook: str) -> str:
    """Return a program with a hook before its last statement."""
    before, ending = program.rsplit("; ", 1)
    return f"{before}\n{hook}\n{ending}"


def _end_with_first_step(hook: str) -> None:
    """Let this process end with its own first training step, or with that of a worker."""
    from autoloss.executors import ProcessCrew, process_crew
    from autoloss.training import pool

    train: Any = pool.Pool._train

    def trained_here(*args: Any) -> Any:
        exec(hook, {})
        return train(*args)

    def ended(self: ProcessCrew, worker: int) -> str:
        # A worker has ended with its first step. Nobody needs the unfinished search.
        os._exit(0)

    pool.Pool._train = trained_here  # type: ignore[method-assign,assignment]
    process_crew.PROGRAM = _hooked(process_crew.PROGRAM, hook)
    ProcessCrew.replace = ended  # type: ignore[method-assign]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
