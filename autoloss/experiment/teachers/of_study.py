"""The study as the teacher: the mean of its best trials, trained again for each division."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data import Fold, StudyData
from autoloss.experiment.teachers.teacher import Teacher, TeacherSource, key_of

MEMBERS = 3
"""The trials whose mean teaches."""
PARTS = 3
"""The parts to which the training rows of a division are dealt; each is taught by networks of the
others."""
SHARE = 0.5
"""The share of the training rows that such a network learns from; a sixth stops it and calibrates
it."""
NOTE = (
    f"The teacher is the study itself: its {MEMBERS} best trials before those with distillation,"
    f" trained {MEMBERS * PARTS} times more in each division, each time on half of the training"
    " rows; no row is taught by a network that has seen it."
)
Learn = Callable[[Fold], Tensor | None]
"""Returns the logits of a study's own teacher for the training rows of a division; None before the
study knows its teachers."""


def of_study() -> TeacherSource:
    """Return the study itself as its teacher."""
    return TeacherSource(lambda data, seed: _make(data, seed), is_late=True)


def _make(data: StudyData, seed: int) -> StudyTeacher:
    for fold in data.folds:
        try:
            data.check_crossed(fold, PARTS, seed=seed)
        except InputError as error:
            raise InputError(
                f"teacher must not be 'self' for rows that cannot be dealt to {PARTS} parts:"
                f" {error}"
            ) from None
    return StudyTeacher()


@dataclass(eq=False)
class StudyTeacher(Teacher):
    """The best trials of a study, trained again in each division, as `experiment.teaching` does.

    It has no logits until the study has chosen these trials.
    """

    note: str = NOTE
    trainings: int = MEMBERS * PARTS
    share: float = SHARE
    _learn: Learn | None = field(default=None, repr=False)
    _taught: dict[bytes, Tensor] = field(default_factory=dict, repr=False)

    def logits(self, fold: Fold) -> Tensor | None:
        """Return logits from networks that have not seen the rows; None if none is chosen yet."""
        key = key_of(fold)
        if key not in self._taught:
            found = None if self._learn is None else self._learn(fold)
            if found is None:
                return None
            self._taught[key] = found
        return self._taught[key]

    def knows(self, rows: Tensor) -> bool:
        """Return True: it learns to teach any rows."""
        return True

    def learn_by(self, learn: Learn) -> None:
        """Take the function that trains the study's trials."""
        self._learn = learn
