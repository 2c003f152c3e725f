"""Trials that left a race, and those of them that the verdict cannot do without."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoloss.search import Trial
from autoloss.training.divisions import Trained
from autoloss.verdict.baseline import is_plain_cross_entropy

if TYPE_CHECKING:
    from autoloss.records import CurvePoint


@dataclass(frozen=True)
class Ended:
    """What became of a trial.

    Args:
        trial: The trial.
        trained: What its trainings gave.
        epochs: Epochs that it trained.
        left: Whether it left the race.
        passed: What it was compared by, at each rung that it came to.
    """

    trial: Trial
    trained: Trained
    epochs: int
    left: bool
    passed: tuple[CurvePoint, ...] = ()

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """Return its learning curve up to where it diverged, if it did."""
        curve = self.trained.curve
        if self.trained.state != "diverged":
            return curve
        return tuple(point for point in curve if point.epoch < self.epochs)


@dataclass
class Reserve:
    """Trials that left, each the best so far of a role of which none was trained to its end.

    They are trained to their end when everything else has been, so that none is for nothing.

    Args:
        filled: Roles of which one was trained to its end.
        held: The best of every other role.
    """

    filled: set[str] = field(default_factory=set)
    held: dict[str, Ended] = field(default_factory=dict)

    def fill(self, trials: Iterable[Trial]) -> None:
        """Take in which trials were trained to their end."""
        self.filled |= {role for trial in trials for role in roles_of(trial)}

    def keep(self, left: Iterable[Ended]) -> list[Ended]:
        """Hold back trials that left, as long as they are needed; return those that are not."""
        every = {one.trial.slot: one for one in [*self.held.values(), *left]}
        self.held = {}
        for one in sorted(every.values(), key=_rank):
            for role in roles_of(one.trial) - self.filled:
                self.held.setdefault(role, one)
        needed = {one.trial.slot for one in self.held.values()}
        return [one for slot, one in every.items() if slot not in needed]

    def take(self, n: int) -> list[Ended]:
        """Return at most `n` of those held back, which are held no more."""
        by_slot = {one.trial.slot: one for one in self.held.values()}
        taken = sorted(by_slot)[:n]
        kept = {role: one for role, one in self.held.items() if one.trial.slot not in taken}
        self.held = kept
        return [by_slot[slot] for slot in taken]


def roles_of(trial: Trial) -> set[str]:
    """Return what the verdict needs a whole trial for: a family, tuned and default cross-entropy.

    The best of each family are its finalists, and all that they gain is told from cross-entropy.
    """
    roles = {trial.spec.base}
    if is_plain_cross_entropy(trial.spec.to_dict()):
        roles |= {"tuned cross-entropy"}
        roles |= {"default cross-entropy"} if trial.origin == "default" else set()
    return roles


def _rank(one: Ended) -> tuple[int, float, int]:
    """Sort those that came further first, then by what they did there."""
    last = one.passed[-1]
    return (-last.epoch, last.refined_log_loss, one.trial.slot)
