"""Hands out trials: first the lost trials again, then new trials, each stored before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from optuna.trial import FrozenTrial, TrialState

from autoloss.search.edges import Tried, Tries, widened_ranges
from autoloss.search.growth import ends_of
from autoloss.search.journal import Ledger
from autoloss.search.lease import Lease, is_abandoned
from autoloss.search.probes import next_probe
from autoloss.search.proposals import propose
from autoloss.search.quota import FamilyPlan, counted
from autoloss.search.sampler import Direction, Suggester
from autoloss.search.slots import Slots
from autoloss.search.space import Space
from autoloss.search.trial_facts import Asked


@dataclass(frozen=True)
class Asker:
    """Hands out the trials of one study.

    Args:
        ledger: The storage of the trials.
        space: The space, for the task at hand.
        plan: The shares of the families in the budget.
        budget: Trials of the whole study.
        seed: The seed.
        directions: Direction of each objective.
    """

    ledger: Ledger
    space: Space
    plan: FamilyPlan
    budget: int
    seed: int
    directions: Sequence[Direction]
    _ended: dict[int, Tried] = field(default_factory=dict, repr=False)

    def left(self) -> int:
        """Return the number of trials that the budget has left."""
        slots = Slots.of(self.ledger.trials())
        return len(slots.lost) + max(0, self.budget - slots.next)

    def reap(self) -> int:
        """End running trials without a worker, to be asked again; return their number."""
        known, now = self.ledger.attributes(), self.ledger.now()
        abandoned = [t.number for t in self.ledger.trials() if is_abandoned(t, known, now)]
        return sum(self.ledger.end(number, TrialState.FAIL) for number in abandoned)

    def ask(self, n: int, lease: Lease, until: int | None = None) -> list[FrozenTrial]:
        """Return at most `n` trials; none at the end of the budget alone, or at `until`.

        Lost trials come first, with the rest of a group that was not fully written. New trials are
        asked after these have been told, so that the sampler knows as much as if nothing had been
        lost.

        Args:
            n: Trials wanted.
            lease: The lease of their worker.
            until: The first slot that is not asked; None for the end of the budget.
        """
        ends = self.budget if until is None else min(until, self.budget)
        with self.ledger.alone():
            while numbers := self._written(n, lease, ends):
                # Another worker may have been faster at every slot.
                if trials := self._ours(numbers, lease):
                    return trials
        return []

    def _written(self, n: int, lease: Lease, ends: int) -> list[int]:
        """Write at most `n` trials of slots before `ends`, and return their numbers."""
        slots = Slots.of(self.ledger.trials())
        again = sorted(slot for slot in slots.lost if slot < ends)[:n]
        end = min(slots.next + n - len(again), ends)
        if again:
            end = min(end, Asked.of(slots.lost[again[-1]]).batch_end)
        with self.ledger.together():
            numbers = [self._again(slots.lost[slot], lease) for slot in again]
            if end > slots.next:
                # The sampler must see the trials that were asked again as running.
                slots = Slots.of(self.ledger.trials()) if again else slots
                numbers += self._new(slots, end, lease)
        return numbers

    def _again(self, trial: FrozenTrial, lease: Lease) -> int:
        """Write a lost trial again, with the same settings."""
        asked = asdict(Asked.of(trial)) | {"lease": lease.to_dict(), "retry_of": trial.number}
        return self.ledger.add(trial.params, trial.distributions, asked)

    def _new(self, slots: Slots, end: int, lease: Lease) -> list[int]:
        families = self.plan.families
        tried = slots.tried(families, self._ended)
        widened = widened_ranges(tried, self.space, quota=self.plan.quota)
        suggester = Suggester(
            self.space,
            families,
            slots.seen(),
            seed=self.seed,
            directions=self.directions,
            widened=widened,
        )
        counts = counted(slots.losses())
        numbers = []
        for slot in range(slots.next, end):
            probe = None
            if widened and self.plan.may_probe(slot):
                probe = next_probe(tried, self.space, widened, seed=self.seed, slot=slot)
            proposal = propose(
                slot,
                space=self.space,
                plan=self.plan,
                suggester=suggester,
                counts=counts,
                probe=probe,
            )
            family, loss = proposal.spec.base, proposal.spec.to_dict()
            counts += counted([loss])
            # The ranges of a quota do not grow.
            wider = ends_of(widened.get(family, {})) if proposal.origin == "sampler" else {}
            tried.setdefault(family, Tries()).append(
                Tried({**loss, **proposal.nuisance}, has_ended=False, widened=wider)
            )
            asked = Asked(
                slot=slot,
                batch_end=end,
                loss=loss,
                nuisance=proposal.nuisance,
                origin=proposal.origin,
                lease=lease.to_dict(),
                widened=wider,
            )
            numbers.append(self.ledger.add(proposal.params, proposal.distributions, asdict(asked)))
        return numbers

    def _ours(self, numbers: Sequence[int], lease: Lease) -> list[FrozenTrial]:
        """Return the trials that hold their slot; end trials whose slot another worker took.

        A database that did not answer may have written a trial, and the repetition another trial.
        """
        trials = self.ledger.trials()
        slots = {trials[number].user_attrs["slot"] for number in numbers}
        standing = Slots.of(trials).standing
        ours = [
            trial
            for slot, trial in standing.items()
            if slot in slots and trial.user_attrs["lease"]["worker"] == lease.worker
        ]
        kept = {trial.number for trial in ours}
        for number in numbers:
            if number not in kept:
                self.ledger.end(number, TrialState.FAIL)
        return sorted(ours, key=lambda trial: trial.number)
