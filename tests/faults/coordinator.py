"""A coordinator of a study in its own process, which stops where it is to be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

TRIALS = 16
Role = Literal["search", "resume", "join"]
Hold = Literal["", "training", "concluding"]


def start_telling(out: Path, url: str, told: Path) -> BaseProcess:
    """Start a process that trains trials of the study ``k`` without training.

    Args:
        out: Its folder.
        url: The database.
        told: It writes the number of each trial that it has told into this file.
    """
    found = _context().Process(target=_tell, args=(out, url, told))
    found.start()
    return found  # type: ignore[no-any-return]


def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autoloss.api", "autoloss.experiment.joining", "psycopg"])
    return context


def _tell(out: Path, url: str, told: Path) -> None:
    from autoloss.search import Study
    from tests.search.fake_training import LABELS, logits_of

    with Study.open("k", out=out, storage=url) as study, told.open("a", encoding="ascii") as file:
        while trials := study.ask(2):
            for trial in trials:
                study.tell(trial, logits_of(trial), LABELS, seconds=1.0)
                file.write(f"{trial.number}\n")
                file.flush()


def start(
    role: Role, out: Path, url: str, space: Path, hold: Hold, flag: Path, tracking: str = ""
) -> BaseProcess:
    """Start a coordinator.

    Args:
        role: The function that it calls.
        out: Its folder, which no other coordinator reads.
        url: The database.
        space: The search space.
        hold: The work before which it stops; the first process that comes there alone.
        flag: It writes its process number to this file when it stops.
        tracking: The store of MLflow; empty for none.
    """
    found = _context().Process(target=_work, args=(role, out, url, space, hold, flag, tracking))
    found.start()
    return found  # type: ignore[no-any-return]


def kill(flag: Path, *, seconds: float = 90.0) -> int:
    """Wait until a coordinator stops, kill it, and return its process number."""
    ends = time.monotonic() + seconds
    while not (flag.is_file() and (text := flag.read_text(encoding="ascii"))):
        assert time.monotonic() < ends
        time.sleep(0.05)
    os.kill(int(text), signal.SIGKILL)
    return int(text)


def _work(
    role: Role, out: Path, url: str, space: Path, hold: Hold, flag: Path, tracking: str
) -> None:
    import autoloss
    from autoloss.experiment import running
    from autoloss.experiment.session import SearchSession

    train, conclude = SearchSession.train, running.conclude

    def stop_once() -> None:
        try:
            place = flag.open("x", encoding="ascii")
        except FileExistsError:
            return
        with place:
            place.write(str(os.getpid()))
        time.sleep(600)

    def held_train(self: SearchSession, *args: Any, **kwargs: Any) -> Any:
        if self.tally.count:
            stop_once()
        return train(self, *args, **kwargs)

    def held_conclude(*args: Any) -> Any:
        stop_once()
        return conclude(*args)

    if hold == "training":
        SearchSession.train = held_train  # type: ignore[method-assign]
    if hold == "concluding":
        running.conclude = held_conclude
    if role == "search":
        autoloss.search(
            "sklearn:iris",
            space=space,
            trials=TRIALS,
            name="s",
            out=out,
            storage=url,
            track="all" if tracking else "off",
            tracking_uri=tracking or None,
            workers=1,
            progress=False,
        )
    elif role == "resume":
        autoloss.resume("s", out=out, storage=url, progress=False)
    else:
        autoloss.join("s", out=out, storage=url, progress=False)
