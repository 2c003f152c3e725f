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
from typing import Any, NoReturn

from autoloss import api
from autoloss.bench.problem import TARGET
from autoloss.executors import LocalExecutor
from autoloss.training import Population


def main(table: str, folder: str, started: float) -> None:
    """Begin the default search of a table, and leave when candidates have taken one step.

    Steps before the executor has its first candidates are trials of the machine's speed.
    """
    step, train = Population.step, LocalExecutor.train

    def first_step(self: Population, *args: Any, **kwargs: Any) -> NoReturn:
        step(self, *args, **kwargs)
        Path(folder, "seconds").write_text(repr(time.time() - started), encoding="ascii")
        # What the search has begun is of no use to anybody.
        os._exit(0)

    def first_train(self: LocalExecutor, *args: Any, **kwargs: Any) -> Any:
        Population.step = first_step  # type: ignore[method-assign]
        return train(self, *args, **kwargs)

    LocalExecutor.train = first_train  # type: ignore[method-assign]
    api.search(
        table,
        TARGET,
        out=Path(folder, "reports"),
        tracking_uri=f"sqlite:///{Path(folder, 'mlflow.db').as_posix()}",
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
