"""Whole searches: the time until the first step, and the time outside training."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from autoloss.bench.problem import N_COLUMNS, TARGET, make_rows
from autoloss.core.errors import AutolossError

TABLE_ROWS = 10_000


def write_table(path: Path, n_rows: int = TABLE_ROWS) -> Path:
    """Write a table of 20 numeric columns and two classes as CSV; return its path."""
    numeric, targets = make_rows(n_rows, seed=3)
    frame = pd.DataFrame(numeric.numpy(), columns=[f"x{i}" for i in range(N_COLUMNS)]).round(4)
    frame[TARGET] = targets.numpy()
    frame.to_csv(path, index=False)
    return path


def help_seconds() -> float:
    """Return the seconds of ``autoloss --help`` in a new process."""
    started = time.perf_counter()
    _program("-m", "autoloss", "--help")
    return time.perf_counter() - started


def start_seconds(table: Path, folder: Path) -> float:
    """Return the seconds from the start of a process to the first training step of a search.

    Args:
        table: The data.
        folder: An empty folder.
    """
    folder.mkdir()
    words = (str(table), TARGET, str(folder), repr(time.time()))
    _program("-m", "autoloss.cli.first_step", *words)
    return float((folder / "seconds").read_text(encoding="ascii"))


def search_seconds(
    table: Path,
    folder: Path,
    *,
    space: str = "quick",
    trials: int = 32,
    limit: float | None = None,
) -> dict[str, float]:
    """Return the seconds of each part of a search that writes all trials to MLflow.

    Args:
        table: The data.
        folder: An empty folder.
        space: The space.
        trials: The number of trials.
        limit: Time limit in seconds.
    """
    # It imports the modules of a search, and the loops do not.
    from autoloss import api

    folder.mkdir()
    result = api.search(
        table,
        TARGET,
        space=space,
        trials=trials,
        time_limit=limit,
        out=folder / "reports",
        tracking_uri=f"sqlite:///{(folder / 'mlflow.db').as_posix()}",
    )
    return dict(result.summary.seconds)


def _program(*words: str) -> None:
    """Run Python with some arguments.

    Raises:
        AutolossError: If it fails; the message has its last line.
    """
    # With the bytecode that an installed package has.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, *words], capture_output=True, encoding="utf-8", env=env)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise AutolossError(f"{' '.join(words[:2])} must exit with 0, but got {last}")
