"""A teacher of the training rows of each division, and the source that makes it for some data."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.ragged import Labels, Ragged
from autoloss.core.task import Task
from autoloss.data import Fold, StudyData

LEAST_PROB = 1e-7
"""Probabilities are clamped here, because the logits of a teacher must be finite."""
FloatArray = npt.NDArray[np.floating]


class Teacher(Protocol):
    """The predictions of a teacher for training rows."""

    @property
    def note(self) -> str:
        """Return a sentence for the user on the rows that it has seen; empty for none."""

    @property
    def trainings(self) -> int:
        """Return how often trials of the study are trained to teach a division."""
        return 0

    @property
    def share(self) -> float:
        """Return the share of a division's training rows that each of these learns from."""
        return 0.0

    def logits(self, fold: Fold) -> Tensor | None:
        """Return logits for the training rows of a division; None if there are none yet.

        Shape:
            - output: ``(N, C)``; of several labels ``(N, L)``; of the tokens of sequences
              ``(T, C)``
        """

    def seconds(self, fold: Fold) -> float:
        """Return the seconds that it learns by itself to teach such a division; 0 if it has."""
        return 0.0

    def knows(self, rows: Tensor) -> bool:
        """Return whether it can teach rows of the data, by number."""

    def learn_by(self, learn: Callable[[Fold], Tensor | None]) -> None:
        """Take the function that trains the study's trials to teach a division, if it needs it."""
        return


@dataclass(frozen=True)
class TeacherSource:
    """The teacher that a user gives, before the data are read.

    Args:
        make: Returns the teacher for the data of a study and a seed.
        sha256: Hash of the file that holds it; empty for none.
        is_late: Whether trials can learn from it only after the trials of all other arms.
    """

    make: Callable[[StudyData, int], Teacher]
    sha256: str = ""
    is_late: bool = False

    @classmethod
    def known(
        cls, make: Callable[[StudyData], Tensor], *, note: str = "", sha256: str = ""
    ) -> TeacherSource:
        """Return the source of a teacher whose predictions for all rows are known.

        Args:
            make: Returns the logits of all rows of the data, for sequences of all tokens,
                one after the other; NaN for a row without.
            note: A sentence for the user.
            sha256: Hash of the file that holds it.
        """
        return cls(lambda data, seed: KnownTeacher.of(make(data), data, note=note), sha256)

    def of(self, data: StudyData, seed: int) -> Teacher:
        """Return the teacher for the data of a study.

        Raises:
            InputError: It cannot teach the rows; one line says why.
        """
        return self.make(data, seed)


@dataclass(frozen=True, eq=False)
class KnownTeacher(Teacher):
    """A teacher whose predictions for all rows are known.

    Args:
        table: Logits of each row of the data, NaN for a row without.
        note: A sentence for the user.

    Shape:
        table ``(rows, C)``; of sequences `Ragged` with values ``(tokens, C)``.
    """

    table: Labels
    note: str = ""

    @classmethod
    def of(cls, table: Tensor, data: StudyData, *, note: str = "") -> KnownTeacher:
        """Return the teacher after a check that it knows the rows that train.

        Raises:
            InputError: A row lacks logits.
        """
        found = cls(data.by_row(table), note)
        missing = ~found._known(torch.from_numpy(data.rows_in_use))
        if bool(missing.any()):
            row = int(data.rows_in_use[int(missing.nonzero()[0])])
            raise InputError(
                f"teacher must have a finite prediction for each row that trains, but has none for"
                f" {int(missing.sum()):,} of {len(missing):,}: the first is row {row}, counted"
                " from 0."
            )
        return found

    def logits(self, fold: Fold) -> Tensor:
        """Return logits for the training rows of a division."""
        taught = self.table[fold.train.rows.cpu()]
        return taught.values if isinstance(taught, Ragged) else taught

    def knows(self, rows: Tensor) -> bool:
        """Return whether all of these rows have logits."""
        return bool(self._known(rows).all())

    def _known(self, rows: Tensor) -> Tensor:
        """Return which of these rows have logits, ``(N,)``."""
        own = self.table[rows]
        if isinstance(own, Ragged):
            return torch.stack([one.isfinite().all() for one in own.split()])
        return own.isfinite().all(-1)


def key_of(fold: Fold) -> bytes:
    """Return a hash of the training rows of a division."""
    rows = fold.train.rows.cpu().numpy().tobytes()
    return hashlib.sha256(fold.train.table.encode() + rows).digest()


def logits_of_log_probs(log_probs: Tensor, task: Task) -> Tensor:
    """Return log probabilities as logits, of several labels the log odds of yes.

    Shape:
        log_probs ``(N, C)`` → ``(N, C)``; of several labels ``(N, L, 2)`` → ``(N, L)``;
        of tokens ``(1, T, C)`` → ``(T, C)``.
    """
    found = log_probs.clamp_min(math.log(LEAST_PROB))
    found = found[0] if task.kind == "sequence" else found
    return (found[..., 1] - found[..., 0] if task.names else found).float()


def logits_of_probs(probs: FloatArray, task: Task) -> Tensor:
    """Return probabilities as logits: their logarithms, of several labels their log odds.

    Shape:
        probs and output ``(N, C)``; of several labels ``(N, L)``.
    """
    found = torch.from_numpy(np.asarray(probs, dtype=np.float64))
    if task.names:
        found = found.clamp(LEAST_PROB, 1.0 - LEAST_PROB)
        return (found.log() - (-found).log1p()).float()
    return found.clamp_min(LEAST_PROB).log().float()
