"""Gradient boosting as a teacher: it is trained here, and never teaches rows that it has seen."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data import Fold, Part, StudyData
from autoloss.experiment.boosted_parts import boosted_parts, why_not_boosted
from autoloss.experiment.teachers.teacher import (
    Teacher,
    TeacherSource,
    key_of,
    logits_of_log_probs,
)
from autoloss.readout import fold_numbers

MANY_ROWS = 20_000
"""Training rows from which three models in place of five see enough of them."""
NOTE = (
    "The teacher is gradient boosting, trained in each division on its training rows alone; it"
    " teaches no row that it has seen."
)


def boosting() -> TeacherSource:
    """Return gradient boosting as a teacher."""
    return TeacherSource(_make)


def _make(data: StudyData, seed: int) -> BoostedTeacher:
    if why := why_not_boosted(data):
        raise InputError(f"teacher must not be boosting for these data: {why}.")
    return BoostedTeacher(data, seed)


@dataclass(frozen=True, eq=False)
class BoostedTeacher(Teacher):
    """scikit-learn's gradient boosting with its defaults, trained on training rows alone.

    The training rows of each division are dealt to five parts, or to three if they are many, and
    rows of a cluster stay together. A model learns from all parts but its own, whose rows it
    teaches. So no row is taught by a model that has seen it, and no held-out row reaches a model.

    Args:
        data: The data.
        seed: Seed of the deal and of the training runs.
    """

    data: StudyData
    seed: int
    note: str = NOTE
    _taught: dict[bytes, Tensor] = field(default_factory=dict, repr=False)
    _seconds: dict[bytes, float] = field(default_factory=dict, repr=False)

    def logits(self, fold: Fold) -> Tensor:
        """Return logits for the training rows of a division, from models that have not seen them.

        Shape:
            - output: ``(N, C)``; of several labels ``(N, L)``
        """
        key = key_of(fold)
        if key not in self._taught:
            part, dealt, started = fold.train, self._dealt(fold), time.monotonic()
            found: Tensor | None = None
            for number in range(int(dealt.max()) + 1):
                own = self._predicted(part, dealt == number)
                found = own.new_empty(len(part), own.shape[1]) if found is None else found
                found[dealt == number] = own
            assert found is not None
            self._taught[key] = found
            self._seconds[key] = time.monotonic() - started
        return self._taught[key]

    def seconds(self, fold: Fold) -> float:
        """Return the seconds of all models of a division, from the first if it is new."""
        key = key_of(fold)
        if key not in self._seconds:
            dealt, started = self._dealt(fold), time.monotonic()
            self._predicted(fold.train, dealt == 0)
            self._seconds[key] = (time.monotonic() - started) * (int(dealt.max()) + 1)
        return self._seconds[key]

    def knows(self, rows: Tensor) -> bool:
        """Return True: it learns to teach any rows."""
        return True

    def _dealt(self, fold: Fold) -> Tensor:
        """Return the part of each training row, (N,)."""
        part = fold.train
        count = 5 if len(part) < MANY_ROWS else 3
        clusters, targets = part.clusters.cpu(), part.targets.cpu()
        several = targets.ndim > 1
        if len(set(clusters.tolist())) < len(clusters):
            return fold_numbers(len(part), n_folds=count, seed=self.seed, groups=clusters)
        return fold_numbers(len(part) if several else targets, n_folds=count, seed=self.seed)

    def _predicted(self, part: Part, held_out: Tensor) -> Tensor:
        """Return the logits of held-out rows by a model of the others."""
        train, test = (part.take(where.nonzero().flatten()) for where in (~held_out, held_out))
        boosted = boosted_parts(self.data, [train], test, seed=self.seed)
        return logits_of_log_probs(torch.from_numpy(boosted.log_probs), self.data.task)
