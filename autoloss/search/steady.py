"""Repeats failed database calls, so that a search survives a restart of the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from itertools import chain, repeat
from typing import TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from autoloss.core.errors import InputError
from autoloss.core.secrets import without_secrets

DELAYS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between the attempts; the last repeats."""
PATIENCE = 600.0
"""Seconds without an answer after which a search ends; its study can be resumed."""
T = TypeVar("T")


class Steady:
    """Repeats an action until the database answers.

    An action must do no harm if it is done twice.

    Attributes:
        told: Receives a sentence when the database stops to answer, and when it answers again.
        patience: Seconds that it waits for an answer.
    """

    def __init__(self) -> None:
        self.told: Callable[[str], object] = logging.getLogger("autoloss").warning
        self.patience = PATIENCE

    def __call__(self, action: Callable[[], T]) -> T:
        """Return the result of an action.

        Raises:
            InputError: The database did not answer for too long.
        """
        began: float | None = None
        for delay in chain(DELAYS, repeat(DELAYS[-1])):
            try:
                found = action()
            except (SQLAlchemyError, StorageInternalError) as error:
                if not is_away(error):
                    raise
                now = time.monotonic()
                if began is None:
                    began = now
                    if self.patience:
                        why = reason_of(error)
                        self.told(f"The database does not answer ({why}): trying again.")
                if now - began >= self.patience:
                    raise InputError(
                        f"The database of a study must answer within {self.patience:.0f} s, but "
                        f"got: {reason_of(error)}. The study is kept: continue with it by "
                        "`autoloss resume` when the database is back."
                    ) from None
                time.sleep(delay)
            else:
                if began is not None:
                    waited = time.monotonic() - began
                    self.told(f"The database answers again after {waited:.0f} s.")
                return found
        raise AssertionError("unreachable")


def is_away(error: BaseException) -> bool:
    """Return whether an error says that a database could not be reached, not that it refused."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OperationalError | InterfaceError):
            return True
        seen = seen.__cause__
    return False


def reason_of(error: BaseException) -> str:
    """Return the reason that a driver gives, in one line and without secrets."""
    found: BaseException = error
    while (inner := found.__cause__ or getattr(found, "orig", None)) is not None:
        if inner is found:
            break
        found = inner
    lines = str(found).strip().splitlines() or [type(found).__name__]
    return without_secrets(lines[0]).rstrip(".")
