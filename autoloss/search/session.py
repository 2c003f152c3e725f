"""The work of one process on a study: its lease, asking and telling."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from autoloss.core.errors import InputError
from autoloss.core.settings import Numbers
from autoloss.records import CurvePoint, Edge, TrialRecord
from autoloss.search.asking import Asker
from autoloss.search.edges import edges
from autoloss.search.examples import ExampleFiles
from autoloss.search.journal import CLOSING_SECONDS
from autoloss.search.lease import Heartbeat, Lease, is_abandoned, lease_key
from autoloss.search.opening import BEGAN, Opened, directions, stored_space
from autoloss.search.quota import FamilyPlan, plan_families
from autoloss.search.scoring import Scorer
from autoloss.search.shelf import SteadyShelf
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
        self.shelf = _shelf(opened)
        self.examples = ExampleFiles(opened.folder, self.shelf)
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
        self._lease = Lease.new(now=opened.ledger.now())
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
            known = self.opened.ledger.settle(LIMITED, {"trials": trials, "epochs": epochs})
            self._take_up(known["trials"], known["epochs"])

    def embed_numbers(self, numbers: Numbers) -> None:
        """Fix the embedding of numbers, also for processes that resume the study."""
        with self._lock:
            self._embed(self.opened.ledger.settle(NUMBERS, numbers))

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
            self._compare_on(self.opened.ledger.settle(ROWS, rows))

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
            Their numbers, or the numbers that another process has fixed before.
        """
        with self._lock:
            return tuple(self.opened.ledger.settle(TEACHERS, list(numbers)))

    @property
    def teachers(self) -> tuple[int, ...] | None:
        """Return the trials that teach the late trials; None if they are not fixed yet."""
        found = self.opened.ledger.attributes().get(TEACHERS)
        return None if found is None else tuple(found)

    def ask(self, n: int, until: int | None = None) -> list[FrozenTrial]:
        """Return at most `n` trials, written as running under the lease of this process.

        Args:
            n: Trials wanted.
            until: The first slot that is not asked; None for the end of the budget.
        """
        with self._lock:
            self._live()
            return self._asker.ask(n, self._lease, until)

    def _live(self) -> None:
        """Renew the lease, now and from a thread."""
        self._lease = self._lease.renewed(now=self.opened.ledger.now())
        if self._heart is None:
            self._heart = Heartbeat(self, _renew)

    def claim(self, name: str) -> Lease | None:
        """Take a task that one worker alone does for the study.

        Args:
            name: The task.

        Returns:
            The lease of the living worker that has it; None if this worker has it.
        """
        ledger = self.opened.ledger
        with self._lock:
            self._live()
            self._write(self._lease)
            while True:
                worker = ledger.holder(name)
                if worker == self._lease.worker:
                    return None
                if (other := self._living(worker)) is not None:
                    return other
                if ledger.take(name, self._lease.worker, before=worker):
                    return None

    def claimed(self, name: str) -> Lease | None:
        """Return the lease of another living worker that has a task; None if none has it."""
        with self._lock:
            worker = self.opened.ledger.holder(name)
            return None if worker == self._lease.worker else self._living(worker)

    def _living(self, worker: str | None) -> Lease | None:
        """Return the lease of a worker that lives."""
        if worker is None:
            return None
        ledger = self.opened.ledger
        written = ledger.attributes().get(lease_key(worker))
        lease = None if written is None else Lease.from_dict(written)
        return lease if lease is not None and lease.is_held(ledger.now()) else None

    def reap(self) -> int:
        """End the running trials of dead processes; return their number."""
        with self._lock:
            return self._asker.reap()

    def elsewhere(self) -> int:
        """Return the number of trials that other living processes train."""
        with self._lock:
            ledger = self.opened.ledger
            trials, known, now = ledger.trials(), ledger.attributes(), ledger.now()
        return sum(
            trial.state == TrialState.RUNNING
            and trial.user_attrs["lease"]["worker"] != self._lease.worker
            and not is_abandoned(trial, known, now)
            for trial in trials
        )

    @property
    def lease(self) -> Lease:
        """Return the lease of this worker."""
        return self._lease

    def attributes(self) -> dict[str, Any]:
        """Return the facts of the study."""
        with self._lock:
            return self.opened.ledger.attributes()

    def settle(self, key: str, value: Any) -> Any:
        """Write a fact of the study unless it is known; return the fact that is known then."""
        with self._lock:
            return self.opened.ledger.settle(key, value)

    def note(self, key: str, value: Any) -> None:
        """Write a fact of the study in place of an earlier fact."""
        with self._lock:
            self.opened.ledger.set_attribute(key, value)

    def restart(self) -> None:
        """Count the time of the study from now on."""
        with self._lock:
            self.opened.ledger.set_attribute(BEGAN, self.opened.ledger.now())

    def age(self) -> float:
        """Return the seconds since the study began or went on, on the clock of its storage."""
        with self._lock:
            now = self.opened.ledger.now()
            return max(0.0, now - float(self.opened.ledger.attributes().get(BEGAN, now)))

    def are_ours(self, numbers: Sequence[int]) -> list[bool]:
        """Return whether each trial still runs, and was not given to another worker."""
        with self._lock:
            trials = self.opened.ledger.trials()
        return [trials[number].state == TrialState.RUNNING for number in numbers]

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
            ledger = self.opened.ledger
            if self._heart is not None:
                self._heart.stop()
                self._heart = None
                self._lease.give_up()
                ledger.steady.patience = CLOSING_SECONDS
                # If the database is away or the disk is full, the lease ends by itself.
                with suppress(InputError):
                    self._write(replace(self._lease, until=0.0))
                    self._asker.reap()
            ledger.close()

    def _write(self, lease: Lease) -> None:
        self.opened.ledger.set_attribute(lease_key(lease.worker), lease.to_dict())


def _renew(session: StudySession) -> None:
    """Write a later end of a session's lease, a single line for all of its running trials.

    It does not wait for a database that is away, because others wait for the lock meanwhile.
    """
    with session._lock:
        if session._heart is not None:
            ledger = session.opened.ledger
            session._lease = session._lease.renewed(now=ledger.try_now())
            ledger.try_attribute(lease_key(session._lease.worker), session._lease.to_dict())


def _shelf(opened: Opened) -> SteadyShelf | None:
    """Return the files that machines without a shared folder read; None for a journal."""
    ledger = opened.ledger
    return None if ledger.shared is None else SteadyShelf(ledger.shared, ledger.steady)
