"""The messages between a search and its worker processes, and the stream that carries them."""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from torch import Tensor

from autoloss.training import Candidate, EpochReport, Outcome
from autoloss.training.estimate import EpochCosts
from autoloss.training.together import Together

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Setup:
    """The first message to a worker process.

    Args:
        losses: Files of the custom losses.
        folder: The folder of the shared data; the worker removes it if the search has died.
    """

    losses: tuple[Path, ...]
    folder: Path


@dataclass(frozen=True)
class Ready:
    """The first message of a worker: it has imported all that it needs."""


@dataclass(frozen=True, eq=False)
class Share:
    """Candidates that a worker is to train.

    Args:
        data: The reference to the divisions of the rows, such as a file.
        candidates: The candidates.
        seconds: Seconds until the training stops; None for no limit.
        needs_weights: Whether the outcomes need the best weights.
    """

    data: Any
    candidates: tuple[Candidate, ...]
    seconds: float | None
    needs_weights: bool


@dataclass(frozen=True)
class Timing:
    """A request for the seconds of an epoch.

    Args:
        data: The reference to the divisions of the rows.
        together: Candidates of the worker's population.
    """

    data: Any
    together: int


@dataclass(frozen=True)
class Timed:
    """The seconds of an epoch of a worker's population."""

    costs: EpochCosts


@dataclass(frozen=True)
class Sizing:
    """A request for the number of candidates that a worker trains together.

    Args:
        data: The reference to the divisions of the rows.
        at_most: The largest number.
    """

    data: Any
    at_most: int


@dataclass(frozen=True)
class Sized:
    """The number of candidates that a worker trains together, with the reason."""

    together: Together


@dataclass(frozen=True)
class Leave:
    """Candidates, by their places in the share, that a worker is to stop."""

    places: tuple[int, ...]


@dataclass(frozen=True)
class EpochEnded:
    """An epoch of a worker's population.

    Args:
        report: The progress.
        places: The places in the share of the candidates that continue.
    """

    report: EpochReport
    places: tuple[int, ...]


@dataclass(frozen=True)
class Halved:
    """The memory was full; the worker trains this number of candidates together now."""

    together: int


@dataclass(frozen=True, eq=False)
class Ended:
    """The outcome of the candidate at a place in the share; each has its own message.

    Args:
        place: The place.
        outcome: The outcome, without weights.
        key: The key of the weights, which the worker keeps; empty if nobody needs them.
    """

    place: int
    outcome: Outcome
    key: str = ""


@dataclass(frozen=True)
class Fetch:
    """A request for the weights of a key."""

    key: str


@dataclass(frozen=True, eq=False)
class Fetched:
    """The weights of a key; None if the worker does not have them."""

    weights: Tensor | None


@dataclass(frozen=True)
class Forget:
    """Keys whose weights nobody needs any more."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """All candidates of a share have ended."""


@dataclass(frozen=True, eq=False)
class Failed:
    """The error that ended the training of a share."""

    error: Exception


def write(stream: IO[bytes], message: object) -> None:
    """Write a message.

    Raises:
        OSError: The other process has ended.
    """
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read(stream: IO[bytes]) -> Any:
    """Return the next message.

    Raises:
        EOFError: The other process has ended.
    """
    (size,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    return pickle.loads(_exactly(stream, size))


def _exactly(stream: IO[bytes], size: int) -> bytes:
    try:
        data = stream.read(size)
    except (OSError, ValueError) as error:
        raise EOFError from error
    if len(data) < size:
        raise EOFError
    return data
