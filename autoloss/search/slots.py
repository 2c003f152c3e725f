"""The slots of a study: the trial that holds each, and the trials lost with their process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

from autoloss.records import REFINED_LOG_LOSS
from autoloss.search.edges import Tried, Tries
from autoloss.search.sampler import Observation
from autoloss.search.trial_facts import FACTS, Asked, is_lost

_SEEN: dict[TrialState, Literal["complete", "pruned", "running"]] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
}


@dataclass(frozen=True)
class Slots:
    """The trials of a study by slot.

    Args:
        standing: The trial that holds each slot: running, or ended with a result.
        lost: The last trial of each slot whose trials were all lost with their process.
    """

    standing: Mapping[int, FrozenTrial]
    lost: Mapping[int, FrozenTrial]

    @classmethod
    def of(cls, trials: Sequence[FrozenTrial]) -> Slots:
        """Return the slots of a study's trials, in order of number."""
        standing: dict[int, FrozenTrial] = {}
        lost: dict[int, FrozenTrial] = {}
        for trial in trials:
            slot = trial.user_attrs["slot"]
            if is_lost(trial):
                lost[slot] = trial
            else:
                # If two processes ask the same slot at once, the first trial counts.
                standing.setdefault(slot, trial)
        return cls(standing, {slot: one for slot, one in lost.items() if slot not in standing})

    @property
    def next(self) -> int:
        """Return the first slot that was never asked."""
        return max([-1, *self.standing, *self.lost]) + 1

    @property
    def records(self) -> list[FrozenTrial]:
        """Return the trials that count, in order of number."""
        trials = [*self.standing.values(), *self.lost.values()]
        return sorted(trials, key=lambda trial: trial.number)

    def losses(self) -> list[dict[str, Any]]:
        """Return the losses of all slots, in any order."""
        every = {**self.standing, **self.lost}
        return [trial.user_attrs["loss"] for trial in every.values()]

    def seen(self) -> list[Observation]:
        """Return the trials within the space that did not fail, as the sampler sees them."""
        return [
            Observation(
                slot=slot,
                params=trial.params,
                distributions=trial.distributions,
                state=_SEEN[trial.state],
                values=tuple(trial.values or ()),
                reported=max(trial.intermediate_values.items(), default=None),
            )
            for slot, trial in self.standing.items()
            if trial.state in _SEEN and trial.params
        ]

    def tried(
        self, families: Sequence[str], known: dict[int, Tried] | None = None
    ) -> dict[str, Tries]:
        """Return the trials of families by slot, which decide the growth of ranges.

        Args:
            families: The families.
            known: Ended trials of an earlier call, by number; trials that ended since are added.
        """
        known = {} if known is None else known
        found = {family: Tries() for family in families}
        every = {**self.standing, **self.lost}
        for slot in sorted(every):
            trial = every[slot]
            one = known.get(trial.number)
            if one is None:
                one = _tried(trial, Asked.of(trial))
                if one.has_ended:
                    known[trial.number] = one
            if (family := one.values["base"]) in found:
                found[family].append(one)
        return found


def _tried(trial: FrozenTrial, asked: Asked) -> Tried:
    is_complete = trial.state == TrialState.COMPLETE
    return Tried(
        values={**asked.loss, **asked.nuisance},
        has_ended=trial.state.is_finished() and not is_lost(trial),
        refined=trial.user_attrs[FACTS]["metrics"][REFINED_LOG_LOSS] if is_complete else None,
        widened=asked.widened,
    )
