"""The settings of a study, which suffice to resume it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from autoloss.core.documents import parsed_json
from autoloss.core.errors import InputError, StudyNotFoundError
from autoloss.core.files import writable, write_whole
from autoloss.core.own_code import Origin
from autoloss.core.task import Task
from autoloss.data.messages import one_line
from autoloss.losses import ClassFacts
from autoloss.losses.tuned import Counts, as_counts
from autoloss.search.naming import CONFIG, check_name, nearest_study

SCHEMA_VERSION = 1
_PLAIN = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}


@dataclass(frozen=True)
class StudyConfig:
    """The settings of a study, as stored in its study.json and its storage.

    Args:
        name: Its name.
        task: The kind of label, with the names of the classes.
        class_counts: Training rows of each class; for several labels the rows without and with
            each label.
        trials: The budget.
        space_name: The name of the space.
        space: The space in full, as `Space.to_dict`.
        metric: Name of the metric.
        primary: The metric of the verdict: the requested metric, else log loss; empty in older
            studies.
        is_own_metric: Whether the metric is a function of the user, which is not stored.
        metrics: Names of the custom metrics, each with the file that declares it, or None if
            it was given as an object.
        seed: The seed.
        storage: URL of the database, without a password; None for the journal in the folder.
        needs_url: Whether the URL had a password and must be given again.
        fingerprint: Fingerprint of the data.
        class_weights: The user's class weights, of several labels for no and yes of each, or
            None.
        class_similarity: The user's class similarity, a row for each class, or None.
        cost_matrix: Cost of each decision (column) for each true class (row), or None.
        sampling: Share of each class's rows that the search trains on; None for all rows.
        late: Targets whose trials come after the quotas of all others.
        losses: Names of the custom losses, each with the file that declares it, or None if it
            was given as an object.
        origin: The caller's record: the command and its options.
        created: Time of the start, seconds since the epoch.
        version: Version of autoloss.
        schema_version: Version of this layout.
    """

    name: str
    task: Task
    class_counts: Counts
    trials: int
    space_name: str
    space: dict[str, Any]
    metric: str = "error"
    primary: str = ""
    is_own_metric: bool = False
    metrics: dict[str, Origin | None] = field(default_factory=dict)
    seed: int = 0
    storage: str | None = None
    needs_url: bool = False
    fingerprint: str = ""
    class_weights: Counts | None = None
    class_similarity: tuple[tuple[float, ...], ...] | None = None
    cost_matrix: tuple[tuple[float, ...], ...] | None = None
    sampling: tuple[float, ...] | None = None
    late: tuple[str, ...] = ()
    losses: dict[str, Origin | None] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    version: str = field(default_factory=lambda: installed_version())
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        own = {"task": self.task.to_dict(), "class_counts": list(self.class_counts)}
        return {**asdict(self), **own}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StudyConfig:
        """Return the settings that `to_dict` wrote.

        Raises:
            InputError: If a later version of autoloss wrote them, or they are not settings.
        """
        written = values.get("schema_version") if isinstance(values, Mapping) else None
        if written != SCHEMA_VERSION:
            raise InputError(
                f"A study must be of layout {SCHEMA_VERSION} to be opened by this version of "
                f"autoloss, but got schema_version={written!r:.40}."
            )
        try:
            _check_plain(values)
            check_name(values["name"])
            counts, task = as_counts(values["class_counts"]), values.get("task")
            lists = {
                # Older studies have counts of classes alone.
                "task": Task.from_dict(task) if task else Task.of_classes(len(counts)),
                "class_counts": counts,
                "class_weights": None
                if values.get("class_weights") is None
                else as_counts(values["class_weights"]),
                "class_similarity": as_rows(values.get("class_similarity")),
                "cost_matrix": as_rows(values.get("cost_matrix")),
                "sampling": as_tuple(values.get("sampling")),
                "late": tuple(values.get("late", ())),
                **{
                    key: {name: one and Origin(**one) for name, one in values.get(key, {}).items()}
                    for key in ("losses", "metrics")
                },
            }
            return cls(**{**values, **lists, "space": _judged(values["space"])})
        except InputError:
            raise
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise InputError(
                f"A study's settings must be complete, but got: {one_line(error)}."
            ) from None

    @property
    def verdict_metric(self) -> str:
        """Return the name of the metric of the verdict."""
        return self.primary or ("log_loss" if self.metric == "error" else self.metric)

    @property
    def facts(self) -> ClassFacts:
        """Return the facts of the classes that losses know."""
        knowledge = (self.class_weights, self.class_similarity)
        weights, similarity = (
            None if one is None else torch.tensor(one, dtype=torch.float64) for one in knowledge
        )
        counts = torch.tensor(self.class_counts, dtype=torch.float64)
        return ClassFacts(
            counts,
            task=self.task.kind,
            weights=weights,
            similarity=similarity,
            names=self.task.tags,
            constrained=self.task.constrained,
        )

    @property
    def search_facts(self) -> ClassFacts:
        """Return the facts of the classes in the search, which may leave out rows."""
        if self.sampling is None:
            return self.facts
        return self.facts.thinned(torch.tensor(self.sampling, dtype=torch.float64))

    def write(self, folder: Path) -> None:
        """Write study.json, whole or not at all.

        Raises:
            UnwritableError: The folder cannot be written.
        """
        with writable(folder):
            write_whole(folder / CONFIG, json.dumps(self.to_dict(), indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> StudyConfig:
        """Read study.json.

        Raises:
            StudyNotFoundError: If there is no study.json.
            InputError: If it is not a study's.
        """
        path = folder / CONFIG
        try:
            return cls.from_dict(parsed_json(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise StudyNotFoundError(
                f"A study must have a {CONFIG}, but got folder={str(folder)!r}"
                f"{nearest_study(folder, folder.parent)}"
            ) from None
        except (OSError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{path} must be a study's settings, but got: {one_line(error)}."
            ) from None


def _check_plain(values: Mapping[str, Any]) -> None:
    """Check the types of the texts and numbers among settings.

    Raises:
        TypeError: A value has another type.
    """
    for one in fields(StudyConfig):
        kind, value = _PLAIN.get(str(one.type)), values.get(one.name)
        if kind is not None and one.name in values and type(value) not in kind:
            raise TypeError(f"{one.name} is {value!r:.40}")


def _judged(space: dict[str, Any]) -> dict[str, Any]:
    """Return a stored space; one without a judge is of a version that knew no other rule."""
    return {"protocol.judge": "nested", **space}


def as_tuple(values: Iterable[float] | None) -> tuple[float, ...] | None:
    """Return numbers as a tuple; None for None."""
    return None if values is None else tuple(map(float, values))


def as_rows(values: Iterable[Iterable[float]] | None) -> tuple[tuple[float, ...], ...] | None:
    """Return the rows of a matrix as tuples; None for None."""
    return None if values is None else tuple(tuple(map(float, row)) for row in values)


def folder_of(name_or_folder: str | Path, out: str | Path) -> Path:
    """Return the folder of a study: ``out/name``, or a given folder."""
    path = Path(name_or_folder)
    return path if (path / CONFIG).is_file() else Path(out) / path


def installed_version() -> str:
    """Return the version of autoloss."""
    try:
        return metadata.version("autoloss")
    except metadata.PackageNotFoundError:
        return "0"
