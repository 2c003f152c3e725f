"""Trials that left a race but may be needed for the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from autoloss.experiment.session import TrainedTrial
from autoloss.losses import LossSpec
from autoloss.search import Trial


@dataclass
class HeldBack:
    """Trials that left a race but may be needed for the verdict.

    For each role (see `roles_of`) without a trial trained to its end, the best trial that left is
    held back. It is trained to its end after all others, so that none is trained in vain.

    Args:
        filled: Roles with a trial that was trained to its end.
        trials: The best trial of every other role.
    """

    filled: set[str] = field(default_factory=set)
    trials: dict[str, TrainedTrial] = field(default_factory=dict)

    def fill(self, trials: Iterable[Trial]) -> None:
        """Mark the roles of trials that were trained to their end as filled."""
        self.filled |= {role for trial in trials for role in roles_of(trial)}

    def keep(self, left: Iterable[TrainedTrial]) -> list[TrainedTrial]:
        """Hold back the trials that the verdict needs; return the others."""
        every = {one.trial.slot: one for one in [*self.trials.values(), *left]}
        self.trials = {}
        for one in sorted(every.values(), key=_rank):
            for role in roles_of(one.trial) - self.filled:
                self.trials.setdefault(role, one)
        needed = {one.trial.slot for one in self.trials.values()}
        return [one for slot, one in every.items() if slot not in needed]

    def take(self, n: int) -> list[TrainedTrial]:
        """Release and return at most `n` of the trials."""
        by_slot = {one.trial.slot: one for one in self.trials.values()}
        taken = sorted(by_slot)[:n]
        self.trials = {
            role: one for role, one in self.trials.items() if one.trial.slot not in taken
        }
        return [by_slot[slot] for slot in taken]


def roles_of(trial: Trial) -> set[str]:
    """Return the roles of a trial: its family, tuned cross-entropy, default cross-entropy.

    The verdict needs a whole trial for each role: the best trial of each family is a finalist, and
    the gain of each finalist is measured from cross-entropy.
    """
    roles = {trial.spec.base}
    if trial.spec == LossSpec():
        roles |= {"tuned cross-entropy"}
        roles |= {"default cross-entropy"} if trial.origin == "default" else set()
    return roles


def _rank(one: TrainedTrial) -> tuple[int, float, int]:
    """Return the sort key: trials that trained longer come first, then better trials."""
    last = one.report.rungs[-1]
    return (-last.epoch, last.refined_log_loss, one.trial.slot)
