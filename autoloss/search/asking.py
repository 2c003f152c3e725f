"""Hands out trials: lost ones again first, then new ones, each written before it is handed out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from optuna.trial import FrozenTrial, TrialState

from autoloss.search.edges import Tried, Tries, ends_of, widened_ranges
from autoloss.search.facts import Asked
from autoloss.search.journal import Ledger
from autoloss.search.lease import Lease
from autoloss.search.probes import next_probe
from autoloss.search.proposals import propose
from autoloss.search.quota import Plan, counted
from autoloss.search.slots import Slots, is_abandoned
from autoloss.search.space import Space
from autoloss.search.suggest import Direction, Suggester


@dataclass(frozen=True)
class Asker:
    """Hands out the trials of one study.

    Args:
        ledger: Where the trials are kept.
        space: The space, for the task at hand.
        plan: How the budget is shared out.
        budget: Trials of the whole study.
        seed: The seed.
        directions: Direction of each objective.
    """

    ledger: Ledger
    space: Space
    plan: Plan
    budget: int
    seed: int
    directions: Sequence[Direction]
    _ended: dict[int, Tried] = field(default_factory=dict, repr=False)

    def left(self) -> int:
        """Return how many trials can still be asked."""
        slots = Slots.of(self.ledger.trials())
        return len(slots.lost) + max(0, self.budget - slots.next)

    def reap(self) -> int:
        """End running trials that nobody works on any more, to be asked again; return how many."""
        attributes = self.ledger.attributes()
        abandoned = [t.number for t in self.ledger.trials() if is_abandoned(t, attributes)]
        return sum(self.ledger.end(number, TrialState.FAIL) for number in abandoned)

    def ask(self, n: int, lease: Lease, *, start: int = 0) -> list[FrozenTrial]:
        """Return at most `n` trials.

        Lost trials come alone, but for the rest of a batch whose writing was cut off: what is new
        is asked when they have been told, knowing as much as if nothing had been lost.

        Args:
            n: Trials wanted.
            lease: Under which they are trained.
            start: Epochs that the search has trained so far.
        """
        slots = Slots.of(self.ledger.trials())
        again = sorted(slots.lost)[:n]
        end = min(slots.next + n - len(again), self.budget)
        if again:
            last = Asked.of(slots.lost[again[-1]])
            end, start = min(end, last.batch_end), last.start
        with self.ledger.together():
            numbers = [self._again(slots.lost[slot], lease) for slot in again]
            if end > slots.next:
                # Those that were asked again run now, and are seen as such.
                slots = Slots.of(self.ledger.trials()) if again else slots
                numbers += self._new(slots, end, lease, start)
        return self._ours(numbers)

    def _again(self, trial: FrozenTrial, lease: Lease) -> int:
        """Write a lost trial again, with the same settings."""
        asked = asdict(Asked.of(trial)) | {"lease": lease.to_dict(), "retry_of": trial.number}
        return self.ledger.add(trial.params, trial.distributions, asked)

    def _new(self, slots: Slots, end: int, lease: Lease, start: int) -> list[int]:
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
            counts += counted([proposal.loss])
            family = str(proposal.loss["base"])
            # What a quota is drawn from does not grow.
            wider = ends_of(widened.get(family, {})) if proposal.origin == "sampler" else {}
            tried.setdefault(family, Tries()).append(
                Tried({**proposal.loss, **proposal.nuisance}, has_ended=False, widened=wider)
            )
            asked = Asked(
                slot=slot,
                batch_end=end,
                loss=proposal.loss,
                nuisance=proposal.nuisance,
                origin=proposal.origin,
                lease=lease.to_dict(),
                widened=wider,
                start=start,
            )
            numbers.append(self.ledger.add(proposal.params, proposal.distributions, asdict(asked)))
        return numbers

    def _ours(self, numbers: Sequence[int]) -> list[FrozenTrial]:
        """Return the trials that stand in their slot; give up where another was faster."""
        trials = self.ledger.trials()
        standing = {trial.number for trial in Slots.of(trials).standing.values()}
        for number in numbers:
            if number not in standing:
                self.ledger.end(number, TrialState.FAIL)
        return [trials[number] for number in numbers if number in standing]
