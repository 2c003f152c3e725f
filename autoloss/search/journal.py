"""The storage of a study: a journal file beside its report, or a database.

Every access of a database is repeated until it answers. None does harm if it is done twice: a
trial that was written twice holds its slot once.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from autoloss.core.errors import InputError, StudyExistsError, StudyNotFoundError
from autoloss.core.secrets import redacted
from autoloss.data.messages import one_line
from autoloss.search.database import SharedTables, why_no_study
from autoloss.search.journal_file import BrokenJournal, JournalFile
from autoloss.search.naming import JOURNAL
from autoloss.search.sampler import Direction, quiet
from autoloss.search.steady import Steady

CLOSING_SECONDS = 5.0
"""Seconds that closing a study waits for its database; the lease of the process ends anyway."""

# Optuna does not check the entries of a journal that it replays.
_REPLAYING = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Ledger:
    """The trials of a study, written through to its storage.

    Args:
        study: Optuna's study.
        storage: Its storage.
        file: The journal file of the storage; None for a database.
    """

    def __init__(
        self, study: optuna.Study, storage: BaseStorage, file: JournalFile | None
    ) -> None:
        self._study = study
        self._storage = storage
        self._file = file
        self._id = storage.get_study_id_from_name(study.study_name)
        self.steady = Steady()
        # The tables beside Optuna's; None for a journal.
        self.shared = _tables(storage, self._id)
        # Trials share a few sets of distributions, which saves memory.
        self._distributions: dict[Any, dict[str, BaseDistribution]] = {}
        for trial in self.trials():
            self._share(trial)

    @classmethod
    def create(
        cls, name: str, *, folder: Path, url: str | None, directions: Sequence[Direction]
    ) -> Ledger:
        """Make a new study.

        Args:
            name: Its name.
            folder: Its folder.
            url: A database instead of a journal in the folder.
            directions: ``"minimize"`` or ``"maximize"``, of each objective.

        Raises:
            StudyExistsError: If a study has that name.
            InputError: If the storage cannot be reached or written.
        """
        storage, file = _connect(folder, url)
        try:
            with quiet(), _reaching(url, folder):
                study = optuna.create_study(
                    study_name=name, storage=storage, directions=list(directions)
                )
        except DuplicatedStudyError:
            _disconnect(storage)
            raise exists_error(name, where=redacted(url) if url else str(folder)) from None
        with _reaching(url, folder):
            ledger = cls(study, storage, file)
            if ledger.shared is not None:
                ledger.shared.create()
                ledger.shared.clear()
                ledger.shared.create()
        return ledger

    @classmethod
    def open(cls, name: str, *, folder: Path, url: str | None) -> Ledger:
        """Open a study again.

        Raises:
            StudyNotFoundError: If there is no such study.
            InputError: If the storage cannot be reached.
        """
        where = redacted(url) if url else str(folder)
        missing = StudyNotFoundError(
            f"A study must exist to be opened, but got name={name!r}, which is not in {where}."
        )
        if url is None and not (folder / JOURNAL).is_file():
            raise missing
        with _reaching(url, folder):
            why = why_no_study(url, _connection(url)) if url else ""
        if why:
            raise StudyNotFoundError(
                f"storage must be the database of a study, but got storage={where!r}: {why}."
            )
        storage, file = _connect(folder, url)
        try:
            with quiet(), _reaching(url, folder):
                study = optuna.load_study(study_name=name, storage=storage)
        except KeyError:
            _disconnect(storage)
            raise missing from None
        with _reaching(url, folder):
            ledger = cls(study, storage, file)
            if ledger.shared is not None:
                ledger.shared.create()
        return ledger

    def add(
        self,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, Any],
    ) -> int:
        """Write a running trial, whole or not at all, and return its number."""
        trial = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs=dict(attributes),
        )

        def write() -> int:
            trial_id = self._storage.create_new_trial(self._id, template_trial=trial)
            written = self._storage.get_trial(trial_id)
            self._share(written)
            return written.number

        return self.steady(write)

    def _share(self, trial: FrozenTrial) -> None:
        """Let a trial share the distributions of other trials."""
        own = trial.distributions
        trial.distributions = self._distributions.setdefault(tuple(own.items()), own)

    def together(self) -> AbstractContextManager[None]:
        """Return a context that writes many entries, and syncs them to the disk at its end."""
        return nullcontext() if self._file is None else self._file.together()

    def note(self, number: int, key: str, value: Any) -> None:
        """Write a fact of a running trial."""
        trial = self._trial_id(number)
        self.steady(lambda: self._storage.set_trial_user_attr(trial, key, value))

    def report(self, number: int, step: int, value: float) -> None:
        """Write the value of the objective of a running trial at a step."""
        trial = self._trial_id(number)
        self.steady(lambda: self._storage.set_trial_intermediate_value(trial, step, float(value)))

    def end(self, number: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """End a running trial; return False if another worker was faster."""
        trial = self.find(number)
        if trial.state.is_finished():
            return False
        if state == TrialState.PRUNED and trial.last_step is not None:
            values = [trial.intermediate_values[trial.last_step]]
        numbers = None if values is None else [float(value) for value in values]
        own = self._trial_id(number)
        try:
            self.steady(lambda: self._storage.set_trial_state_values(own, state, numbers))
        except UpdateFinishedTrialError:
            return False
        return True

    def find(self, number: int) -> FrozenTrial:
        """Return a trial, which must not be changed.

        Raises:
            InputError: No trial has that number.
        """
        try:
            if number < 0:
                raise KeyError(number)
            own = self._trial_id(number)
            return self.steady(lambda: self._storage.get_trial(own))
        except KeyError:
            raise InputError(f"A trial must be of this study, but got number={number}.") from None

    def _trial_id(self, number: int) -> int:
        find = self._storage.get_trial_id_from_study_id_trial_number
        return self.steady(lambda: find(self._id, number))

    def trials(self) -> list[FrozenTrial]:
        """Return all trials in order of number; they must not be changed."""
        return self.steady(lambda: self._study.get_trials(deepcopy=False))

    def attributes(self) -> dict[str, Any]:
        """Return the facts of the study."""
        return self.steady(lambda: self._study.user_attrs)

    def set_attribute(self, key: str, value: Any) -> None:
        """Write a fact of the study."""
        self.steady(lambda: self._study.set_user_attr(key, value))

    def try_attribute(self, key: str, value: Any) -> None:
        """Write a fact of the study; an error of the storage is raised at once."""
        self._study.set_user_attr(key, value)

    def settle(self, key: str, value: Any) -> Any:
        """Write a fact of the study unless it is known; return the fact that is known then."""
        with self.alone() if self._file is None else self._file.alone():
            known = self.attributes()
            if key not in known:
                self.set_attribute(key, value)
            return known.get(key, value)

    def now(self) -> float:
        """Return the time that all processes of the study read: the database's, or this host's."""
        return self.steady(self.try_now)

    def try_now(self) -> float:
        """Return the same time; an error of the storage is raised at once."""
        return time.time() if self.shared is None else self.shared.now()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process at a time ask trials of a database.

        Slots are right without it too, because the first trial of a slot counts; with it nothing
        is asked in vain. A journal needs none: a claim lost to another process costs little.
        """
        if (shared := self.shared) is None:
            yield
            return
        with contextlib.ExitStack() as stack:
            self.steady(lambda: stack.enter_context(shared.alone()))
            yield

    def holder(self, name: str) -> str | None:
        """Return the worker that took a claim, which may have died; None if none did."""
        if (shared := self.shared) is None:
            found: str | None = self.attributes().get(_claim_key(name))
            return found
        return self.steady(lambda: shared.holder(name))

    def take(self, name: str, worker: str, *, before: str | None) -> bool:
        """Take a claim, unless its holder has changed since it was read as `before`."""
        if (shared := self.shared) is not None:
            # A repeated write finds its own.
            return self.steady(
                lambda: shared.take(name, worker, before=before) or shared.holder(name) == worker
            )
        assert self._file is not None
        with self._file.alone():
            if self.attributes().get(_claim_key(name)) != before:
                return False
            self.set_attribute(_claim_key(name), worker)
            return True

    def close(self) -> None:
        """Close the storage."""
        _disconnect(self._storage)


def _claim_key(name: str) -> str:
    return f"claim:{name}"


def exists_error(name: str, *, where: str) -> StudyExistsError:
    """Return the error for a study that exists already, with the remedy."""
    return StudyExistsError(
        f"A study's name must be new, but got name={name!r}, which is in {where}; continue with "
        f"it by `autoloss resume {name}` (or Study.open), or give this one another --name."
    )


def _connect(folder: Path, url: str | None) -> tuple[BaseStorage, JournalFile | None]:
    with _reaching(url, folder):
        if url is not None:
            return _database(url), None
        file = JournalFile(folder / JOURNAL)
        try:
            with _uncollected():
                return JournalStorage(file), file
        except _REPLAYING as error:
            kind = "" if isinstance(error, BrokenJournal) else f"{type(error).__name__} "
            raise InputError(
                f"{folder / JOURNAL} must have the lines that the study wrote, but"
                f" {one_line(f'{kind}{error}')}: correct it, or restore the folder from a copy."
            ) from error


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Pause the search for garbage, which takes a third of the time of opening a long study."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _tables(storage: BaseStorage, study_id: int) -> SharedTables | None:
    """Return the tables beside Optuna's; None for a journal."""
    if not isinstance(storage, RDBStorage):
        return None
    return SharedTables(storage.engine, study_id)


def _database(url: str) -> RDBStorage:
    """Open a database; several processes may make its tables at the same time."""
    from sqlalchemy.exc import SQLAlchemyError

    for delay in (0.5, 1.0, 2.0):
        try:
            return RDBStorage(url, engine_kwargs=_connection(url))
        except (SQLAlchemyError, StorageInternalError) as error:
            texts = f"{error} {error.__cause__}".lower()
            if not any(words in texts for words in ("already exists", "duplicate")):
                raise
        time.sleep(delay)
    return RDBStorage(url, engine_kwargs=_connection(url))


def _connection(url: str) -> dict[str, Any]:
    """Return the options by which a driver notices that the machine of its server is gone."""
    from sqlalchemy.engine import make_url

    if not make_url(url).drivername.startswith("postgresql+psycopg"):
        return {}
    seconds = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10}
    return {"connect_args": {**seconds, "keepalives_count": 3, "tcp_user_timeout": 60_000}}


def _disconnect(storage: BaseStorage) -> None:
    storage.remove_session()
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()


@contextlib.contextmanager
def _reaching(url: str | None, folder: Path) -> Iterator[None]:
    """Turn the errors of a storage into an InputError of one line."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except OSError as error:
        raise InputError(
            f"The folder of a study must be writable, but got folder={str(folder)!r}: "
            f"{error.strerror or error}."
        ) from None
    except (SQLAlchemyError, StorageInternalError, ImportError, RuntimeError) as error:
        if url is None:
            raise
        if isinstance(error, ImportError):
            raise _no_driver(url) from None
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise InputError(
            "storage must be the URL of a database that can be reached, but got "
            f"storage={redacted(url)!r}: {reason}"
        ) from None


def _no_driver(url: str) -> InputError:
    """Return the error for a database whose driver is not installed, with the remedy."""
    from sqlalchemy.engine import make_url

    kind = make_url(url).get_backend_name()
    remedy = f"install a driver of SQLAlchemy for {kind}"
    if known := {"postgresql": "psycopg", "mysql": "pymysql"}.get(kind):
        remedy = f"pip install 'autoloss[{kind}]' and begin the URL with {kind}+{known}://"
    return InputError(
        "storage must be the URL of a database with a driver that is installed, but got "
        f"storage={redacted(url)!r}: {remedy}."
    )
