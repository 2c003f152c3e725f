"""A teacher of the training rows of each division, and the source that makes it for some data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoloss.core.errors import InputError
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

    def logits(self, fold: Fold) -> Tensor:
        """Return logits for the training rows of a division.

        Shape:
            - output: ``(N, C)``; of several labels ``(N, L)``
        """

    def seconds(self, fold: Fold) -> float:
        """Return the seconds that it learns to teach such a division; 0 if it has learnt."""

    def knows(self, rows: Tensor) -> bool:
        """Return whether it can teach rows of the data, by number."""


@dataclass(frozen=True)
class TeacherSource:
    """The teacher that a user gives, before the data are read.

    Args:
        make: Returns the teacher for the data of a study and a seed.
        sha256: Hash of the file that holds it; empty for none.
    """

    make: Callable[[StudyData, int], Teacher]
    sha256: str = ""

    @classmethod
    def known(
        cls, make: Callable[[StudyData], Tensor], *, note: str = "", sha256: str = ""
    ) -> TeacherSource:
        """Return the source of a teacher whose predictions for all rows are known.

        Args:
            make: Returns the logits of all rows of the data, NaN for a row without.
            note: A sentence for the user.
            sha256: Hash of the file that holds it.
        """
        return cls(lambda data, seed: KnownTeacher.of(make(data), data, note=note), sha256)

    def of(self, data: StudyData, seed: int) -> Teacher:
        """Return the teacher for the data of a study.

        Raises:
            InputError: It cannot teach the rows; one line says why.
        """
        if data.task.kind == "sequence":
            raise InputError(
                "teacher must be left out for sequences: a teacher of tokens is for a loop of your"
                " own, with autoloss.Study."
            )
        return self.make(data, seed)


@dataclass(frozen=True, eq=False)
class KnownTeacher:
    """A teacher whose predictions for all rows are known.

    Args:
        table: Logits of each row of the data, NaN for a row without.
        note: A sentence for the user.

    Shape:
        table ``(rows, C)``.
    """

    table: Tensor
    note: str = ""

    @classmethod
    def of(cls, table: Tensor, data: StudyData, *, note: str = "") -> KnownTeacher:
        """Return the teacher after a check that it knows the rows that train.

        Raises:
            InputError: A row lacks logits.
        """
        found = cls(table, note)
        missing = ~table[torch.from_numpy(data.rows_in_use)].isfinite().all(-1)
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
        return self.table[fold.train.rows.cpu()]

    def seconds(self, fold: Fold) -> float:
        """Return 0: it has learnt."""
        return 0.0

    def knows(self, rows: Tensor) -> bool:
        """Return whether all of these rows have logits."""
        return bool(self.table[rows].isfinite().all())


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
