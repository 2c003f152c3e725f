"""The work of one process on a study: its lease, asking and telling."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from optuna.trial import FrozenTrial, TrialState

from autoloss.core.settings import Numbers
from autoloss.records import CurvePoint, Edge, TrialRecord
from autoloss.search.asking import Asker
from autoloss.search.edges import edges
from autoloss.search.examples import ExampleFiles
from autoloss.search.lease import Heartbeat, Lease, is_abandoned, lease_key
from autoloss.search.opening import Opened, directions, stored_space
from autoloss.search.quota import FamilyPlan, plan_families
from autoloss.search.scoring import Scorer
from autoloss.search.slots import Slots
from autoloss.search.telling import Teller
from autoloss.search.trial_facts import facts_of, record_of

LIMITED = "limited"
"""The key of the trials and epochs that fit into a time limit."""
NUMBERS, ROWS = "numbers", "rows"
"""The keys of the embedding of numbers and of the rows of the search, if the search chose them."""
TEACHERS = "teachers"
"""The key of the numbers of the trials that teach the late trials."""


@dataclass(frozen=True)
class Ascent:
    """A trial that ended, with the rungs of a race that it reached.

    Args:
        number: Its number.
        rungs: Its best epoch so far at each rung.
    """

    number: int
    rungs: tuple[CurvePoint, ...]


class StudySession:
    """Works on a study; its lease is renewed as long as this object lives.

    Args:
        opened: The study.
        on_told: Called with the record of every trial that ends.
    """

    def __init__(self, opened: Opened, *, on_told: Callable[[TrialRecord], None] | None) -> None:
        config = opened.config
        whole = stored_space(config)
        self.opened = opened
        self.space = whole.for_classes(config.facts)
        self.plan = self._planned(config.trials)
        self.asked_epochs = self.space.training.max_epochs
        self.limited: tuple[int, int] | None = None
        self.examples = ExampleFiles(opened.folder)
        self.facts = config.facts
        self._lock = threading.RLock()
        self._asker = Asker(
            ledger=opened.ledger,
            space=self.space,
            plan=self.plan,
            budget=config.trials,
            seed=config.seed,
            directions=directions(self.space, opened.metric, opened.own),
        )
        self.teller = Teller(
            ledger=opened.ledger,
            examples=self.examples,
            scorer=Scorer(config.search_facts, opened.metric, config.seed, opened.own),
            objectives=self.space.objectives,
            lock=self._lock,
            on_told=on_told,
        )
        self._lease = Lease.new()
        weakref.finalize(self, self._lease.give_up).atexit = False
        self._heart: Heartbeat | None = None
        known = opened.ledger.attributes()
        if LIMITED in known:
            self._take_up(known[LIMITED]["trials"], known[LIMITED]["epochs"])
        if NUMBERS in known:
            self._embed(known[NUMBERS])
        if ROWS in known:
            self._compare_on(known[ROWS])

    def limit(self, *, trials: int, epochs: int) -> None:
        """Plan for fewer trials or epochs, also in processes that resume the study."""
        with self._lock:
            self.opened.ledger.set_attribute(LIMITED, {"trials": trials, "epochs": epochs})
            self._take_up(trials, epochs)

    def embed_numbers(self, numbers: Numbers) -> None:
        """Fix the embedding of numbers, also for processes that resume the study."""
        with self._lock:
            self.opened.ledger.set_attribute(NUMBERS, numbers)
            self._embed(numbers)

    def _embed(self, numbers: Numbers) -> None:
        network = replace(self.space.network, numbers=numbers)
        self.space = replace(self.space, network=network)
        self._asker = replace(self._asker, space=self.space)

    def compare_on(self, rows: int) -> None:
        """Fix the training rows that candidates are compared on, also for a resumed study.

        Args:
            rows: Of each division; 0 for all.
        """
        with self._lock:
            self.opened.ledger.set_attribute(ROWS, rows)
            self._compare_on(rows)

    def _compare_on(self, rows: int) -> None:
        self.space = replace(self.space, protocol=replace(self.space.protocol, rows=rows))
        self._asker = replace(self._asker, space=self.space)

    def _take_up(self, trials: int, epochs: int) -> None:
        self.limited = trials, epochs
        training = replace(self.space.training, max_epochs=epochs)
        self.space = replace(self.space, training=training)
        self.plan = self._planned(trials)
        self._asker = replace(self._asker, space=self.space, plan=self.plan)

    def _planned(self, trials: int) -> FamilyPlan:
        space = self.space
        return plan_families(space.bases, trials, space.targets, late=self.opened.config.late)

    def teach_by(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """Fix the trials that teach the late trials, also for processes that resume the study.

        Args:
            numbers: Their numbers.

        Returns:
            Their numbers, or those that another process has fixed before.
        """
        with self._lock:
            if self.teachers is None:
                self.opened.ledger.set_attribute(TEACHERS, list(numbers))
            found = self.teachers
        assert found is not None
        return found

    @property
    def teachers(self) -> tuple[int, ...] | None:
        """Return the trials that teach the late trials; None if they are not fixed yet."""
        found = self.opened.ledger.attributes().get(TEACHERS)
        return None if found is None else tuple(found)

    def ask(self, n: int) -> list[FrozenTrial]:
        """Return at most `n` trials, written as running under the lease of this process."""
        with self._lock:
            self._lease = self._lease.renewed()
            if self._heart is None:
                self._heart = Heartbeat(self, _renew)
            return self._asker.ask(n, self._lease)

    def reap(self) -> int:
        """End the running trials of dead processes; return their number."""
        with self._lock:
            return self._asker.reap()

    def elsewhere(self) -> int:
        """Return the number of trials that other living processes train."""
        with self._lock:
            trials, known = self.opened.ledger.trials(), self.opened.ledger.attributes()
        return sum(
            trial.state == TrialState.RUNNING
            and trial.user_attrs["lease"]["worker"] != self._lease.worker
            and not is_abandoned(trial, known)
            for trial in trials
        )

    def ascents(self) -> list[Ascent]:
        """Return the trials that ended at or after a rung of a race, in order of number."""
        with self._lock:
            slots = Slots.of(self.opened.ledger.trials())
        facts = ((trial.number, facts_of(trial)) for trial in slots.records)
        return [Ascent(number, own.report.rungs) for number, own in facts if own is not None]

    def left(self) -> int:
        """Return the number of trials that the budget has left."""
        with self._lock:
            return self._asker.left()

    def records(self) -> tuple[TrialRecord, ...]:
        """Return the trials that count, in order of number."""
        with self._lock:
            slots = Slots.of(self.opened.ledger.trials())
        return tuple(record_of(trial) for trial in slots.records)

    def edges(self) -> tuple[Edge, ...]:
        """Return the settings whose best value lies at an end of the searched range."""
        with self._lock:
            slots = Slots.of(self.opened.ledger.trials())
        return edges(slots.tried(self.plan.families), self.space)

    def trials(self) -> list[FrozenTrial]:
        """Return all trials in Optuna's form."""
        with self._lock:
            return self.opened.ledger.trials()

    def close(self) -> None:
        """End the lease and the running trials under it, and close the storage."""
        with self._lock:
            if self._heart is not None:
                self._heart.stop()
                self._heart = None
                self._lease.give_up()
                self._write(replace(self._lease, until=0.0))
                self._asker.reap()
            self.opened.ledger.close()

    def _write(self, lease: Lease) -> None:
        self.opened.ledger.set_attribute(lease_key(lease.worker), lease.to_dict())


def _renew(session: StudySession) -> None:
    """Write a later end of a session's lease, a single line for all of its running trials."""
    with session._lock:
        if session._heart is not None:
            session._lease = session._lease.renewed()
            session._write(session._lease)
