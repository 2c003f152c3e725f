"""The storage of a study: a journal file beside its report, or a database."""

from __future__ import annotations

import contextlib
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
from autoloss.search.journal_file import JournalFile
from autoloss.search.naming import JOURNAL
from autoloss.search.sampler import Direction, quiet


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
        return cls(study, storage, file)

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
        storage, file = _connect(folder, url)
        try:
            with quiet(), _reaching(url, folder):
                study = optuna.load_study(study_name=name, storage=storage)
        except KeyError:
            _disconnect(storage)
            raise missing from None
        return cls(study, storage, file)

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
        trial_id = self._storage.create_new_trial(self._id, template_trial=trial)
        written = self._storage.get_trial(trial_id)
        self._share(written)
        return written.number

    def _share(self, trial: FrozenTrial) -> None:
        """Let a trial share the distributions of other trials."""
        own = trial.distributions
        trial.distributions = self._distributions.setdefault(tuple(own.items()), own)

    def together(self) -> AbstractContextManager[None]:
        """Return a context that writes many entries, and syncs them to the disk at its end."""
        return nullcontext() if self._file is None else self._file.together()

    def note(self, number: int, key: str, value: Any) -> None:
        """Write a fact of a running trial."""
        self._storage.set_trial_user_attr(self._trial_id(number), key, value)

    def report(self, number: int, step: int, value: float) -> None:
        """Write the value of the objective of a running trial at a step."""
        self._storage.set_trial_intermediate_value(self._trial_id(number), step, float(value))

    def end(self, number: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """End a running trial; return False if another worker was faster."""
        trial = self.find(number)
        if trial.state.is_finished():
            return False
        if state == TrialState.PRUNED and trial.last_step is not None:
            values = [trial.intermediate_values[trial.last_step]]
        numbers = None if values is None else [float(value) for value in values]
        try:
            self._storage.set_trial_state_values(self._trial_id(number), state, numbers)
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
            return self._storage.get_trial(self._trial_id(number))
        except KeyError:
            raise InputError(f"A trial must be of this study, but got number={number}.") from None

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, number)

    def trials(self) -> list[FrozenTrial]:
        """Return all trials in order of number; they must not be changed."""
        return self._study.get_trials(deepcopy=False)

    def attributes(self) -> dict[str, Any]:
        """Return the facts of the study."""
        return self._study.user_attrs

    def set_attribute(self, key: str, value: Any) -> None:
        """Write a fact of the study."""
        self._study.set_user_attr(key, value)

    def close(self) -> None:
        """Close the storage."""
        _disconnect(self._storage)


def exists_error(name: str, *, where: str) -> StudyExistsError:
    """Return the error for a study that exists already, with the remedy."""
    return StudyExistsError(
        f"A study's name must be new, but got name={name!r}, which is in {where}; go on with it "
        f"by `autoloss resume {name}` (or Study.open), or give this one another --name."
    )


def _connect(folder: Path, url: str | None) -> tuple[BaseStorage, JournalFile | None]:
    with _reaching(url, folder):
        if url is not None:
            return RDBStorage(url), None
        file = JournalFile(folder / JOURNAL)
        return JournalStorage(file), file


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
