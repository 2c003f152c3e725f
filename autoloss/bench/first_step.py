"""A search that ends with its first training step, as a process of its own.

    python -m autoloss.bench.first_step TABLE FOLDER STARTED

STARTED is when the process was asked for, on the clock of `time.time`. The seconds since then are
written to FOLDER/seconds.
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
    """Begin the default search of a table, and leave when candidates have taken one step.

    The steps that find out how many candidates train together are none of the training.
    """
    step, step_seconds = Population.step, together.step_seconds
    trials = 0

    def timed(*args: Any, **kwargs: Any) -> float:
        nonlocal trials
        trials += 1
        try:
            return step_seconds(*args, **kwargs)
        finally:
            trials -= 1

    def first(self: Population, *args: Any, **kwargs: Any) -> None:
        step(self, *args, **kwargs)
        if not trials:
            Path(folder, "seconds").write_text(repr(time.time() - started), encoding="ascii")
            # What the search has begun is of no use to anybody.
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
