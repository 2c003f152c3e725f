"""Makes a new study, or opens an existing study."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from autoloss.core.admitted import is_named, note_named
from autoloss.core.errors import InputError, StudyNotFoundError
from autoloss.core.files import check_inside, remove_parts, settle, writable
from autoloss.core.own_code import Origin
from autoloss.core.secrets import redacted
from autoloss.core.task import Task
from autoloss.losses import ClassFacts
from autoloss.losses.own import Losses, recall, take_in
from autoloss.losses.tuned import Counts, as_counts
from autoloss.metrics import (
    Metric,
    MetricFunction,
    Metrics,
    OwnMetrics,
    recall_metrics,
    resolve_metric,
    take_metrics,
)
from autoloss.records.ood import ood_names
from autoloss.search.config import StudyConfig, as_rows, as_tuple, folder_of
from autoloss.search.folders import has_trials
from autoloss.search.journal import Ledger, exists_error
from autoloss.search.naming import CONFIG, JOURNAL, check_name
from autoloss.search.quota import plan_families
from autoloss.search.sampler import Direction
from autoloss.search.shipped_spaces import usual_space
from autoloss.search.space import METRIC, Space
from autoloss.search.space_reader import load_space, read_space

BEGAN = "began"
"""The key of the time at which a study began or went on, on the clock of its storage."""
_CONFIG_KEY = "config"
# A lock, which `remove_parts` removes if it is left by a killed process.
_BEGINS = ".begins.part"


@dataclass(frozen=True)
class Opened:
    """An open study: its settings, metric, the custom metrics, storage and folder."""

    config: StudyConfig
    metric: Metric
    own: tuple[Metric, ...]
    ledger: Ledger
    folder: Path


def new_config(
    name: str,
    class_counts: Sequence[float] | torch.Tensor,
    *,
    task: Task | None,
    trials: int,
    space: str | Path | Space,
    overrides: Mapping[str, Any] | None,
    metric: str | MetricFunction | Metric | None,
    seed: int,
    storage: str | None,
    fingerprint: str,
    origin: Mapping[str, Any] | None,
    class_weights: Sequence[Any] | None,
    class_similarity: Sequence[Sequence[float]] | None,
    cost_matrix: Sequence[Sequence[float]] | None,
    sampling: Sequence[float] | None,
    provides: Collection[str],
    late: Sequence[str],
    losses: Losses | None,
    metrics: Metrics | None,
) -> tuple[StudyConfig, Metric, OwnMetrics]:
    """Return the settings of a new study, its metric and the custom metrics; see `Study`.

    Raises:
        InputError: If a setting is invalid.
    """
    check_name(name)
    task, counts = _task_and_counts(task, class_counts)
    numbers = torch.tensor(counts, dtype=torch.float64)
    known = ClassFacts(numbers, task=task.kind, names=task.tags, constrained=task.constrained)
    own_metrics = take_metrics(metrics, metric)
    resolved = resolve_metric(own_metrics.resolved(metric), facts=known, cost_matrix=cost_matrix)
    own = take_in(losses)
    given = {
        "class_weights" if class_weights is not None else "",
        "similarity" if class_similarity is not None else "",
    }
    provided = {*provides, *given}
    space = _whole_space(space, overrides, tuple(own), task, provided, tuple(own_metrics.origins))
    space.check_trainable(own, known)
    if seed < 0:
        raise InputError(f"seed must be at least 0, but got seed={seed}.")
    plan_families(space.bases, trials, space.targets, late=late)
    config = StudyConfig(
        name=name,
        task=task,
        class_counts=counts,
        trials=trials,
        space_name=space.name,
        space=space.to_dict(),
        metric=resolved.name,
        primary="log_loss" if metric is None and cost_matrix is None else resolved.name,
        is_own_metric=resolved.is_own,
        metrics=own_metrics.origins,
        seed=seed,
        storage=redacted(storage) if storage else None,
        needs_url=storage is not None and redacted(storage) != storage,
        fingerprint=fingerprint,
        losses=own,
        origin=dict(origin or {}),
        class_weights=None if class_weights is None else as_counts(class_weights),
        class_similarity=as_rows(class_similarity),
        cost_matrix=resolved.costs,
        sampling=as_tuple(sampling),
        late=tuple(late),
    )
    space.for_classes(config.facts).check_provided(provided)
    return config, resolved, own_metrics


def _whole_space(
    space: str | Path | Space,
    overrides: Mapping[str, Any] | None,
    own: tuple[str, ...],
    task: Task,
    provided: Collection[str],
    metrics: tuple[str, ...],
) -> Space:
    """Return the space of a study, with the custom losses.

    Where nobody chose the space, it lacks bases that the training loop cannot serve.
    """
    if not isinstance(space, Space):
        is_usual, space = space == "default", usual_space(space, task.kind)
        space = load_space(space, overrides=overrides, losses=own, metrics=metrics)
        space = space.served_by(provided) if is_usual else space
    elif overrides:
        raise InputError("overrides must come with a space's name or file, but got a Space.")
    return space.with_bases(own)


def create(
    config: StudyConfig, metric: Metric, own: OwnMetrics, *, out: Path, url: str | None
) -> Opened:
    """Make a new study.

    Raises:
        StudyExistsError: If a study has that name, or begins at the moment.
        InputError: If the folder or the storage cannot be written.
    """
    if url is not None:
        note_named("storage", redacted(url))
    with _new_folder(out / config.name, config.name) as folder:
        ledger = Ledger.create(
            config.name,
            folder=folder,
            url=url,
            directions=directions(stored_space(config), metric, own.metrics),
        )
        ledger.set_attribute(_CONFIG_KEY, config.to_dict())
        ledger.set_attribute(BEGAN, ledger.now())
        # Last, because a study has begun when it has this file.
        config.write(folder)
    return Opened(config, metric, own.metrics, ledger, folder)


def stored_space(config: StudyConfig) -> Space:
    """Return the space of a study, as it is stored."""
    name = config.space_name
    return read_space(config.space, name=name, label=name, metrics=tuple(config.metrics))


def find(
    name_or_folder: str | Path,
    *,
    out: Path,
    url: str | None,
    metric: str | MetricFunction | Metric | None,
    losses: Losses | None,
    metrics: Metrics | None,
) -> Opened:
    """Open an existing study; see `Study.open`."""
    folder = folder_of(name_or_folder, out)
    settle(folder)
    if url is not None:
        note_named("storage", redacted(url))
    if url is not None and not (folder / CONFIG).is_file():
        config, ledger = _from_database(check_name(str(name_or_folder)), folder=folder, url=url)
    else:
        config = StudyConfig.read(folder)
        check_inside(folder)
        if config.needs_url and url is None:
            raise InputError(
                "storage must be given for a study whose database needs a password, but got "
                f"storage=None for {config.storage}."
            )
        if url is None:
            _check_storage(config)
        ledger = Ledger.open(config.name, folder=folder, url=url or config.storage)
        _check_same(config, ledger, folder)
    try:
        own_metrics = recall_metrics(_known(config), metrics, metric, study=config.name)
        named = own_metrics.resolved(config.metric if metric is None else metric)
        resolved = resolve_metric(named, cost_matrix=config.cost_matrix)
        if resolved.name != config.metric:
            raise InputError(
                f"metric must be {config.metric!r}, but got metric={resolved.name!r}."
            )
        own = recall(config.losses, given=losses, study=config.name)
    except InputError:
        ledger.close()
        raise
    if own != config.losses or own_metrics.origins != config.metrics:
        # Stores the new path of a file that has moved.
        config = replace(config, losses=own, metrics=own_metrics.origins)
        config.write(folder)
    remove_parts(folder)
    return Opened(config, resolved, own_metrics.metrics, ledger, folder)


def _check_storage(config: StudyConfig) -> None:
    """Refuse a database that only the folder of a study names.

    Raises:
        InputError: This user has never named it.
    """
    if config.storage is not None and not is_named("storage", config.storage):
        raise InputError(
            "storage must be given for a study that you have not opened on this machine yet, but "
            f"got storage=None for {config.storage}: add --storage URL if you trust that database."
        )


def _known(config: StudyConfig) -> dict[str, Origin | None]:
    """Return the custom metrics of a study; an older study names the metric that decides."""
    return {**({config.metric: None} if config.is_own_metric else {}), **config.metrics}


def directions(space: Space, metric: Metric, own: Sequence[Metric] = ()) -> list[Direction]:
    """Return the direction of each objective as Optuna names it."""
    higher = {name for name, is_higher in ood_names().items() if is_higher}
    higher |= {one.name for one in own if not one.lower_is_better}
    if not metric.lower_is_better:
        higher.add(METRIC)
    return ["maximize" if name in higher else "minimize" for name in space.objectives]


def _task_and_counts(
    task: Task | None, class_counts: Sequence[float] | torch.Tensor
) -> tuple[Task, Counts]:
    """Return the kind of label with its names, and the counts that go with it.

    Raises:
        InputError: If the counts do not fit the classes, or each label.
    """
    if task is None and np.ndim(class_counts) == 2:
        # Only several labels have two counts each.
        names = tuple(map(str, range(len(class_counts))))
        task = Task("multilabel", ("no", "yes"), target="", names=names)
    if task is None or task.kind != "multilabel":
        counts = checked_counts(class_counts)
        task = Task.of_classes(len(counts)) if task is None else task
        if task.n_classes != len(counts):
            raise InputError(
                f"class_counts must be of the {task.n_classes} classes of the task, but got "
                f"class_counts={list(counts)}."
            )
        return task, counts
    counts = as_counts(torch.as_tensor(class_counts).tolist())
    if task.names and len(task.names) != len(counts):
        raise InputError(
            f"class_counts must be of the {len(task.names)} labels of the task, but got "
            f"class_counts={list(counts)}."
        )
    return task, counts


def checked_counts(class_counts: Sequence[float] | torch.Tensor) -> Counts:
    """Return class counts as plain numbers.

    Raises:
        InputError: If they are not counts of two or more classes.
    """
    counts = tuple(float(count) for count in class_counts)
    if len(counts) < 2 or any(not count >= 0 for count in counts) or not sum(counts) > 0:
        raise InputError(
            "class_counts must be the training rows of two or more classes, but got "
            f"class_counts={list(counts)}."
        )
    return counts


def _from_database(name: str, *, folder: Path, url: str) -> tuple[StudyConfig, Ledger]:
    """Open a study that began on another machine, and write its settings here."""
    ledger = Ledger.open(name, folder=folder, url=url)
    written = ledger.attributes().get(_CONFIG_KEY)
    if written is None:
        # Its first process is about to write them, or it is a study of another program.
        ledger.close()
        raise StudyNotFoundError(
            f"A study must have its settings to be opened, but got name={name!r}, which has none "
            f"in {redacted(url)}."
        )
    config = StudyConfig.from_dict(written)
    # The machine that began it may reach the database by another address.
    kept = redacted(url)
    config = replace(config, storage=kept, needs_url=kept != url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        config.write(folder)
    except OSError as error:
        ledger.close()
        raise InputError(
            f"The folder of a study must be writable, but got folder={str(folder)!r}: "
            f"{error.strerror or error}."
        ) from None
    return config, ledger


def _check_same(config: StudyConfig, ledger: Ledger, folder: Path) -> None:
    """Refuse a folder that is of another study of the same name."""
    known = ledger.attributes().get(_CONFIG_KEY, {})
    if known.get("created", config.created) != config.created:
        ledger.close()
        raise InputError(
            f"The folder of a study must be of the study in the database, but {folder} is of "
            f"another study named {config.name!r}: give another folder by --out."
        )


@contextmanager
def _new_folder(folder: Path, name: str) -> Iterator[Path]:
    """Yield the folder of a new study, which no other process can begin meanwhile."""
    check_free(folder, name)
    lock = FileLock(folder / _BEGINS)
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise exists_error(name, where=str(folder)) from None
        except NotImplementedError:
            # A file system without locks.
            pass
    try:
        check_free(folder, name)
        # Left by a process that was killed before its study had begun.
        (folder / JOURNAL).unlink(missing_ok=True)
        yield folder
    finally:
        lock.release()
        with suppress(OSError):
            (folder / _BEGINS).unlink()


def check_free(folder: Path, name: str) -> None:
    """Refuse the folder of a study that has begun.

    Raises:
        StudyExistsError: A study is in the folder.
    """
    if (folder / CONFIG).exists() or has_trials(folder / JOURNAL):
        raise exists_error(name, where=str(folder))
