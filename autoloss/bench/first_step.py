"""A program that runs a search up to its first training step.

    python -m autoloss.bench.first_step TABLE FOLDER STARTED

STARTED is the time at which the process was started, by `time.time`. The program writes the
seconds since then to FOLDER/seconds.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from autoloss import api
from autoloss.bench.problem import TARGET
from autoloss.training import Population, together


def main(table: str, folder: str, started: float) -> None:
    """Begin the default search of a table, and exit after the first training step.

    The timed steps that choose the number of candidates trained together do not count.
    """
    step, step_seconds = Population.step, together.step_seconds
    timing = 0

    def timed(*args: Any, **kwargs: Any) -> float:
        nonlocal timing
        timing += 1
        try:
            return step_seconds(*args, **kwargs)
        finally:
            timing -= 1

    def first(self: Population, *args: Any, **kwargs: Any) -> None:
        step(self, *args, **kwargs)
        if not timing:
            Path(folder, "seconds").write_text(repr(time.time() - started), encoding="ascii")
            # Nobody needs the unfinished search.
            os._exit(0)

    together.step_seconds = timed
    Population.step = first  # type: ignore[method-assign]
    api.search(
        table,
        TARGET,
        out=Path(folder, "reports"),
        tracking_uri=f"sqlite:///{Path(folder, 'mlflow.db').as_posix()}",
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
