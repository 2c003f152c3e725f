"""The losses of every trial on each validation item, in small files beside the study.

Where machines share no folder, their database has a copy of each file.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from autoloss.core.arrays import BROKEN, read_arrays
from autoloss.core.errors import InputError
from autoloss.core.files import replacing, writable
from autoloss.data.messages import one_line
from autoloss.readout import Items
from autoloss.verdict.select import ExampleLosses

FOLDER = "examples"
_TARGETS = "targets.npz"
# Bytes of the cache, and bytes of a trial besides its rows.
_CACHED, _OF_A_TRIAL = 1 << 26, 1_000


class Shelf(Protocol):
    """Files that all machines of a study can read."""

    def write(self, name: str, content: bytes) -> None:
        """Store a file."""

    def read(self, name: str) -> bytes | None:
        """Return a stored file; None if there is none of that name."""

    def names(self, prefix: str) -> Sequence[str]:
        """Return the names of the stored files that begin with a text."""


class ExampleFiles:
    """The files of one study; each is written whole or not at all.

    Args:
        folder: The folder of the study.
        shelf: The files that other machines read too; None for a shared folder.
    """

    def __init__(self, folder: Path, shelf: Shelf | None = None) -> None:
        self.folder = folder / FOLDER
        self._shelf = shelf
        self._cache: dict[int, ExampleLosses] = {}

    def save(self, number: int, losses: ExampleLosses) -> None:
        """Store the losses of a trial: log loss in half precision, right and wrong as bits."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "log_loss": losses.log_loss.astype(np.float16),
            "wrong": np.packbits(losses.wrong),
        }
        if losses.metric_without is not None:
            arrays["metric_without"] = np.asarray(losses.metric_without, dtype=np.float64)
        self._write(self._path(number).name, arrays)

    def load(self, numbers: Iterable[int]) -> Mapping[int, ExampleLosses]:
        """Return the losses of these trials by number, read on access."""
        return _Kept(self, tuple(n for n in numbers if self._is_here(self._path(n))))

    def lacking(self, numbers: Iterable[int]) -> list[int]:
        """Return the trials whose losses are not here."""
        found = [number for number in numbers if not self._path(number).is_file()]
        if found and self._shelf is not None:
            kept = set(self._shelf.names(f"{FOLDER}/"))
            found = [one for one in found if f"{FOLDER}/{self._path(one).name}" not in kept]
        return found

    def read(self, number: int) -> ExampleLosses | None:
        """Return the losses of a trial, from the cache if it was read lately."""
        found = self._cache.pop(number, None) or self._load(number)
        if found is not None:
            self._cache[number] = found
            # Every comparison reads the best trial again.
            most = max(2, _CACHED // (_OF_A_TRIAL + 5 * len(found.log_loss)))
            while len(self._cache) > most:
                del self._cache[next(iter(self._cache))]
        return found

    def save_targets(self, items: Items) -> None:
        """Store the classes, rows and clusters of the validation items."""
        arrays = {"targets": items.labels, "clusters": items.clusters, "rows": items.rows}
        self._write(
            _TARGETS,
            {
                name: np.asarray(one.cpu(), dtype=np.int64)
                for name, one in arrays.items()
                if one is not None
            },
        )

    def load_targets(self) -> npt.NDArray[np.int64] | None:
        """Return the classes of the validation items; None before the first trial was told."""
        return self._of_items("targets")

    def load_clusters(self) -> npt.NDArray[np.int64] | None:
        """Return the cluster of each validation item; None for independent items."""
        return self._of_items("clusters")

    @property
    def n_rows(self) -> int:
        """Return the number of validation rows with a label; 0 before the first trial was told."""
        targets, rows = self.load_targets(), self._of_items("rows")
        if rows is not None:
            return len(np.unique(rows))
        return 0 if targets is None else len(targets)

    def _of_items(self, name: str) -> npt.NDArray[np.int64] | None:
        path = self.folder / _TARGETS
        if not self._is_here(path):
            return None
        with _sound(path):
            found: npt.NDArray[np.int64] | None = read_arrays(path).get(name)
            return found

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"

    def _load(self, number: int) -> ExampleLosses | None:
        path = self._path(number)
        if not path.is_file():
            return None
        with _sound(path):
            arrays: dict[str, Any] = read_arrays(path)
            log_loss = arrays["log_loss"].astype(np.float32)
            return ExampleLosses(
                log_loss=log_loss,
                wrong=np.unpackbits(arrays["wrong"], count=len(log_loss)).astype(bool),
                metric_without=arrays.get("metric_without"),
            )

    def _is_here(self, path: Path) -> bool:
        """Return whether a file is in the folder; a file that another machine wrote is fetched."""
        if path.is_file():
            return True
        content = None if self._shelf is None else self._shelf.read(f"{FOLDER}/{path.name}")
        if content is None:
            return False
        self._put(path.name, content)
        return True

    def _write(self, name: str, arrays: dict[str, npt.NDArray[Any]]) -> None:
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type,unused-ignore]
        self._put(name, file.getvalue())
        if self._shelf is not None:
            self._shelf.write(f"{FOLDER}/{name}", file.getvalue())

    def _put(self, name: str, content: bytes) -> None:
        with writable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.folder / name) as part:
                part.write_bytes(content)


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Turn the errors of a broken file into an InputError of one line."""
    try:
        yield
    except (*BROKEN, TypeError) as error:
        raise InputError(
            f"{path} must hold the losses of a trial as the study wrote them, but it cannot be"
            f" read: {one_line(error)}."
        ) from error


class _Kept(Mapping[int, ExampleLosses]):
    """The stored losses of some trials, with a cache of `_CACHED` bytes."""

    def __init__(self, files: ExampleFiles, numbers: tuple[int, ...]) -> None:
        self._files = files
        self._numbers = frozenset(numbers)
        self._order = numbers

    def __getitem__(self, number: int) -> ExampleLosses:
        found = self._files.read(number) if number in self._numbers else None
        if found is None:
            raise KeyError(number)
        return found

    def __contains__(self, number: object) -> bool:
        return number in self._numbers

    def __iter__(self) -> Iterator[int]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)
