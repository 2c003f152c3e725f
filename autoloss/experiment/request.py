"""The request of a search: all that the user asks for, as one value that the study keeps."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.option import (
    Writing,
    full_path,
    full_place,
    full_source,
    option,
    path_of,
    writing_of,
)
from autoloss.core.secrets import redacted
from autoloss.data import DataOptions, Source, StudyData, prepare
from autoloss.data.exchange import as_pandas, is_frame, not_a_table
from autoloss.data.tensors.given import is_given
from autoloss.data.text import TermLimits
from autoloss.executors import Workers
from autoloss.experiment.knowledge import KnowledgeOptions
from autoloss.metrics import Metric, MetricFunction
from autoloss.models.custom.own import AUTO
from autoloss.search import Space, load_space
from autoloss.search.shipped_spaces import DEFAULT

Track = Literal["all", "pareto", "off"]
Ship = Literal["verdict", "best", "blend"]
# The order in which a command names these options; the others follow in the order of the parts.
_FIRST = ("data", "target", "metric", "space", "trials", "time_limit")
# Options that a command always names, because another version may have other defaults.
_ALWAYS = ("space", "trials", "seed")
_TABLES = ("data", "valid", "test", "ood")


def _shown(uri: str | None) -> str | None:
    """Return a URI without its password."""
    return uri and redacted(uri)


@dataclass(frozen=True, eq=False, kw_only=True)
class Budget:
    """The options of the search itself, as in `autoloss.search`.

    Args:
        metric: The metric that decides; None for the default.
        space: Name of a search space, or path of a TOML file.
        trials: Candidates to train.
        time_limit: The most seconds for everything; None for no limit.
        device: Where to train.
        workers: Processes that train; ``"auto"`` for one on each free core.
        executor: ``"local"`` for this machine, ``"ray"`` for a Ray cluster; None in values that
            are given again and change nothing.
        address: The address of the cluster; None for a cluster that is started here.
    """

    metric: str | MetricFunction | Metric | None = option(None, full=full_place)
    space: str | Path = option("default", plain=str, full=full_path)
    trials: int = 128
    time_limit: float | None = None
    device: str = "auto"
    workers: Workers = "auto"
    executor: str | None = "local"
    address: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Output:
    """The options for the shipped model, and for the places of a study.

    Args:
        ship: The policy for the shipped model.
        refit: Whether its members are trained again on all rows; None to decide by the rows.
        code_length: Whether networks of growing parts of the rows code the training labels.
        examples: Whether the report shows texts or images of rows on which finalists disagree.
        track: The trials that MLflow gets.
        register: Name in MLflow's model registry; None registers nothing.
        name: The study's name; None for a free name after the data.
        out: The folder of all studies.
        storage: URL of a database in place of the journal file.
        tracking_uri: MLflow's tracking URI; None for that of the environment.
    """

    ship: Ship = "blend"
    refit: bool | None = None
    code_length: bool = False
    examples: bool = True
    track: Track = "all"
    register: str | None = None
    name: str | None = option(None, in_study=False)
    out: str | Path = option("reports", plain=str, in_study=False)
    storage: str | None = option(None, plain=_shown, in_study=False)
    tracking_uri: str | None = option(None, plain=_shown, in_study=False)


OUTPUT = frozenset(one.name for one in fields(Output))
"""The options that the plan of a search does not need."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Request(KnowledgeOptions, Output, Budget, DataOptions):
    """The request of a search: data, search, output, and knowledge of the classes.

    Its parts declare each option once: default, type, and form in the study's file.

    Args:
        data: The data; None if they were not a file, which the study does not keep.
        frames: Data that were not a file, such as a DataFrame: ``source``, ``valid``, ``test``,
            ``ood``.
        objects: Other options that the study does not keep.
    """

    data: Source | None = option(
        None, key="source", plain=path_of, full=full_source, unkept="frames"
    )
    frames: tuple[str, ...] = option((), in_study=False)
    objects: tuple[str, ...] = option((), in_study=False)

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Self:
        """Return the request of a call, before all checks.

        Args:
            arguments: The arguments of a public function by name, its `locals`. The function
                handles arguments that are not options.
        """
        values = {}
        for one in fields(cls):
            if one.name in arguments:
                value = arguments[one.name]
                values[one.name] = _several(value) if one.default == () else value
        return cls(**values)

    def checked(self) -> Self:
        """Return the request with DataFrames of pandas, after the checks of its data options.

        Raises:
            InputError: A table is neither a path nor a DataFrame, or as in `DataOptions.check`.
        """
        tables: dict[str, Any] = {name: _table(getattr(self, name), name) for name in _TABLES}
        self.check()
        return replace(self, **tables)

    def completed(self, again: Request) -> Self:
        """Return the request of a study with the values that are given again.

        Args:
            again: Their request; its defaults change nothing.
        """
        changes: dict[str, Any] = {
            one.name: value
            for one in fields(self)
            if (value := getattr(again, one.name)) is not None and value is not one.default
        }
        return replace(self, **changes)

    def check_objects(self) -> None:
        """Check that the objects that a study does not keep are given again.

        Raises:
            InputError: An object is missing.
        """
        for name in self.objects:
            if getattr(self, name) is None:
                raise InputError(
                    f"{name} must be given to continue, because the study began with one that it "
                    f"does not store: call autoloss.resume(name, {name}=...)."
                )

    def missing_tables(self) -> list[str]:
        """Return the tables that the study does not keep and that are not given again."""
        names = _names()
        return [names[key] for key in self.frames if getattr(self, names[key]) is None]

    def read(self, space: Space, told: Callable[[str], object] = str) -> StudyData:
        """Return the data of the search, divided and encoded.

        Args:
            space: The space; it has the number of folds, bins and terms.
            told: Called with a sentence on the progress of slow steps.

        Raises:
            InputError: The data or an option is wrong, or a DataFrame is missing.
        """
        if missing := self.missing_tables():
            tables = " and ".join(missing)
            raise InputError(
                f"{tables} must be given to continue, because the study began with data that no "
                f"file holds, such as a DataFrame: call autoloss.resume(name, {tables}=...)."
            )
        source = "" if self.data is None else self.data
        network = space.network
        return prepare(
            source,
            self,
            bins=max(network.bins, 1),
            terms=TermLimits(network.terms, self._terms_alone(space)),
            protocol=space.protocol,
            told=told,
        )

    def _terms_alone(self, space: Space) -> int:
        """Return the most terms where free text is the only input, which may decide the space."""
        is_open = self.space == space.name == DEFAULT and self.model == AUTO
        return (load_space("text") if is_open else space).network.terms

    def command(self) -> str:
        """Return the command line that repeats the study; DATA stands for a DataFrame.

        Passwords in URLs are left out.
        """
        words = ["autoloss", "search", path_of(self.data) or "DATA"]
        for one, writing, value in self._written():
            is_default = value in (None, one.default) and one.name not in _ALWAYS
            if one.name == "data" or is_default:
                continue
            option_name = "--" + writing.key.replace("_", "-")
            if isinstance(value, bool):
                words.append(option_name if value else option_name.replace("--", "--no-", 1))
                continue
            for single in value if isinstance(value, tuple) else (value,):
                text = f"{single:.12g}" if isinstance(single, float) else str(single)
                words += [option_name, text]
        return shlex.join(words)

    def to_dict(self) -> dict[str, Any]:
        """Return the request for the study's file as JSON values, paths in full.

        The metric must be a name.
        """
        unkept = {"frames": list(self.frames), "objects": list(self.objects)}
        values: dict[str, Any] = {}
        for one, writing, plain in self._written():
            if writing.in_study:
                values[writing.key] = writing.for_study(plain)
            value, names = getattr(self, one.name), unkept.get(writing.unkept, [])
            if value is not None and path_of(value) is None and writing.key not in names:
                names.append(writing.key)
        return {**values, **unkept}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the request that `to_dict` wrote; an option that is not there has its default."""
        names = _names()
        if unknown := [key for key in values if key not in names]:
            raise InputError(
                "A study must be of this version of autoloss or of an earlier version, but its "
                f"request has the option {unknown[0]!r}: continue with the version that began it."
            )
        options: dict[str, Any] = {
            names[key]: tuple(value) if isinstance(value, list) else value
            for key, value in values.items()
            # An empty list is the default, whatever its form.
            if value != []
        }
        return cls(**options)

    def _written(self) -> Iterator[tuple[Field[Any], Writing, Any]]:
        """Yield the options in the order of a command: field, form, and plain value."""

        def place(one: Field[Any]) -> tuple[int, bool]:
            rank = _FIRST.index(one.name) if one.name in _FIRST else len(_FIRST)
            return rank, not writing_of(one).in_study

        for one in sorted(fields(self), key=place):
            if one.name not in ("frames", "objects"):
                writing = writing_of(one)
                yield one, writing, writing.plain(getattr(self, one.name))


def _names() -> dict[str, str]:
    """Return the names of the options by their keys in a study's file."""
    return {writing_of(one).key: one.name for one in fields(Request)}


def _several(value: Any) -> Any:
    """Return a mapping unchanged, a single text or None as a tuple, and a series as a tuple."""
    if isinstance(value, Mapping):
        return value
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _table(table: Source | None, name: str) -> Source | None:
    """Return a table as a path or as a DataFrame of pandas; inputs alone as ``(inputs,)``."""
    if is_frame(table):
        return as_pandas(table, name=name)
    if name == "ood" and isinstance(table, Tensor | np.ndarray | Mapping):
        return (table,)
    if table is not None and not isinstance(table, str | Path) and not is_given(table):
        raise not_a_table(table, name=name)
    return table
