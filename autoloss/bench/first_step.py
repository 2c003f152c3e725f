"""A program that runs a search up to its first training step.

    python -m autoloss.bench.first_step TABLE FOLDER STARTED

STARTED is the time at which the process was started, by `time.time`. The program writes the
seconds since then to FOLDER/seconds.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from autoloss import api
from autoloss.bench.problem import TARGET
from autoloss.executors import ProcessCrew, process_crew
from autoloss.training import pool

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


def main(table: str, folder: str, started: float) -> None:
    """Begin the default search of a table, and exit after the first training step.

    Timed steps, which choose the number of candidates trained together and estimate the duration,
    are no training steps.
    """
    hook = _HOOK.format(path=str(Path(folder, "seconds").resolve()), started=started)
    train: Any = pool.Pool._train

    def trained_here(*args: Any) -> Any:
        exec(hook, {})
        return train(*args)

    def ended(self: ProcessCrew, worker: int) -> str:
        # A worker has ended with its first step. Nobody needs the unfinished search.
        os._exit(0)

    pool.Pool._train = trained_here  # type: ignore[method-assign,assignment]
    before, ending = process_crew._PROGRAM.rsplit("; ", 1)
    process_crew._PROGRAM = f"{before}\n{hook}\n{ending}"
    ProcessCrew.replace = ended  # type: ignore[method-assign]
    api.search(
        table,
        TARGET,
        out=Path(folder, "reports"),
        tracking_uri=f"sqlite:///{Path(folder, 'mlflow.db').as_posix()}",
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
