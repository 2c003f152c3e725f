"""The logs of MLflow: those of the threads that write a study are dropped, all others are kept."""

from __future__ import annotations

import logging
import threading

import pytest

from autoloss.tracking.client import import_quietly, silenced


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def test_two_searches_at_once_are_silent_and_the_user_is_heard(tmp_path) -> None:
    # Its import makes new handlers.
    pytest.importorskip("mlflow")
    logger, heard = logging.getLogger("mlflow"), Heard()
    both_are_quiet = threading.Barrier(2, timeout=60)

    def search(name: str) -> None:
        import_quietly(f"sqlite:///{tmp_path / name}.db")
        both_are_quiet.wait()
        logger.warning("of the search %s", name)
        both_are_quiet.wait()

    logger.addHandler(heard)
    try:
        searches = [threading.Thread(target=search, args=(name,)) for name in "ab"]
        for one in searches:
            one.start()
        for one in searches:
            one.join()
        logger.warning("of the user")
        import_quietly(f"sqlite:///{tmp_path}/c.db")
        logger.warning("of a command")
    finally:
        logger.removeHandler(heard)
    assert heard.said == ["of the user"]
    # A thread that ended leaves no silence for a later one of the same number.
    later = threading.Thread(target=import_quietly, args=(f"sqlite:///{tmp_path}/d.db",))
    later.start()
    later.join()
    logger.addHandler(heard)
    try:
        with silenced():
            logger.warning("of a model that is written")
        logger.warning("of the user again")
    finally:
        logger.removeHandler(heard)
    assert heard.said[1:] == ["of the user again"]
