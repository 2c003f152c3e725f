"""Trials that left a race, and the ones among them that the verdict needs."""

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
    """A trial that ended, with the results of its training.

    Args:
        trial: The trial.
        trained: The results of its trainings.
        epochs: The epochs that it trained.
        left: Whether it left the race.
        passed: Its values at each rung that it reached.
    """

    trial: Trial
    trained: Trained
    epochs: int
    left: bool
    passed: tuple[CurvePoint, ...] = ()

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """Return its learning curve, up to the epoch where it diverged if it did."""
        curve = self.trained.curve
        if self.trained.state != "diverged":
            return curve
        return tuple(point for point in curve if point.epoch < self.epochs)


@dataclass
class Reserve:
    """Trials that left a race but may be needed for the verdict.

    For each role (see `roles_of`) without a trial trained to its end, the best trial that left is
    held. Held trials are trained to their end after all others, so that none is trained in vain.

    Args:
        filled: Roles with a trial that was trained to its end.
        held: The best trial of every other role.
    """

    filled: set[str] = field(default_factory=set)
    held: dict[str, Ended] = field(default_factory=dict)

    def fill(self, trials: Iterable[Trial]) -> None:
        """Mark the roles of trials that were trained to their end as filled."""
        self.filled |= {role for trial in trials for role in roles_of(trial)}

    def keep(self, left: Iterable[Ended]) -> list[Ended]:
        """Hold the trials that are needed among those that left; return the others."""
        every = {one.trial.slot: one for one in [*self.held.values(), *left]}
        self.held = {}
        for one in sorted(every.values(), key=_rank):
            for role in roles_of(one.trial) - self.filled:
                self.held.setdefault(role, one)
        needed = {one.trial.slot for one in self.held.values()}
        return [one for slot, one in every.items() if slot not in needed]

    def take(self, n: int) -> list[Ended]:
        """Release and return at most `n` of the held trials."""
        by_slot = {one.trial.slot: one for one in self.held.values()}
        taken = sorted(by_slot)[:n]
        kept = {role: one for role, one in self.held.items() if one.trial.slot not in taken}
        self.held = kept
        return [by_slot[slot] for slot in taken]


def roles_of(trial: Trial) -> set[str]:
    """Return the roles of a trial: its family, tuned cross-entropy, default cross-entropy.

    The verdict needs a whole trial for each role: the best trial of each family is a finalist, and
    the gain of each finalist is measured from cross-entropy.
    """
    roles = {trial.spec.base}
    if is_plain_cross_entropy(trial.spec.to_dict()):
        roles |= {"tuned cross-entropy"}
        roles |= {"default cross-entropy"} if trial.origin == "default" else set()
    return roles


def _rank(one: Ended) -> tuple[int, float, int]:
    """Return the sort key: trials that trained longer come first, then the better ones."""
    last = one.passed[-1]
    return (-last.epoch, last.refined_log_loss, one.trial.slot)
