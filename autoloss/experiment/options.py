"""The options of a search as one plain value, kept with the study so that it can go on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd

from autoloss.core.errors import InputError
from autoloss.core.task import Label
from autoloss.data import DataOptions, Source, StudyData, prepare
from autoloss.data.exchange import as_pandas, is_frame, not_a_table
from autoloss.search import Space
from autoloss.tracking.uri import redacted

Track = Literal["all", "pareto", "off"]
_A_FRAME = "a DataFrame"
NO_FILE = "FILE.py:NAME"
"""Stands for a network given as a function, as DATA stands for a DataFrame."""
_LISTS = ("drop", "column", "missing", "losses", "frames", "objects")
_OUT = Path("reports")
_WRITTEN = ("space", "trials", "seed")
_GIVEN = ("class_weights", "class_similarity", "cost_matrix", "teacher")


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables of a search as the user gave them.

    Args:
        paths: The paths, by name: ``source``, ``valid``, ``test``.
        frames: The DataFrames, by name.
    """

    paths: Mapping[str, str]
    frames: Mapping[str, pd.DataFrame]

    @classmethod
    def of(cls, source: Source | None, valid: Source | None, test: Source | None) -> Self:
        """Return the given tables.

        Raises:
            InputError: A table is neither a path nor a DataFrame.
        """
        paths: dict[str, str] = {}
        frames: dict[str, pd.DataFrame] = {}
        for key, table in (("source", source), ("valid", valid), ("test", test)):
            name = "data" if key == "source" else key
            if isinstance(table, str | Path):
                paths[key] = str(table)
            elif is_frame(table):
                frames[key] = as_pandas(table, name=name)
            elif table is not None:
                raise not_a_table(table, name=name)
        return cls(paths, frames)

    def named_in(self, options: SearchOptions) -> SearchOptions:
        """Return the options with the paths of these tables instead of their own."""
        return replace(
            options,
            source=self.paths.get("source", options.source),
            valid=self.paths.get("valid", options.valid),
            test=self.paths.get("test", options.test),
            frames=options.frames or tuple(self.frames),
        )

    def read(self, options: SearchOptions, space: Space) -> StudyData:
        """Return the data of a search, divided and encoded.

        Args:
            options: The options of the search; they name the tables that are missing here.
            space: The space; it has the number of folds and bins.

        Raises:
            InputError: The data or an option is wrong, or a DataFrame is missing.
        """
        named = self.named_in(options)
        table = named.table(self.frames)
        return prepare(
            table,
            named.data_options(self.frames),
            bins=max(space.network.bins, 1),
            protocol=space.protocol,
        )


@dataclass(frozen=True)
class SearchOptions:
    """The request of a search; every value can be written as JSON.

    Args:
        source: Path of the data, ``sklearn:NAME``, or None for a DataFrame, which is not kept.
        valid: Path of the validation rows; None for a part of the data.
        test: Path of the test rows; None for a part of the data.
        frames: Which of ``source``, ``valid`` and ``test`` came as a DataFrame.
        class_weights: Path of the class weights, None where they came otherwise or not at all;
            `class_similarity`, `cost_matrix` and `teacher` likewise.
        losses: Paths of the files of the user's own losses.
        model: ``"auto"``, or the user's own network as ``"FILE.py:NAME"``: literally so if it was
            given as a function, which the study does not keep.
        objects: The arguments that came as objects, which `resume` needs again.
        column: Kinds of columns, as ``NAME=KIND``.

    The others are as in `autoloss.search`; `metric` is None if the user named no metric.
    """

    source: str | None = None
    target: str | None = None
    metric: str | None = None
    space: str = "default"
    trials: int = 128
    time_limit: float | None = None
    valid: str | None = None
    test: str | None = None
    groups: str | None = None
    split_by: str | None = None
    drop: tuple[str, ...] = ()
    column: tuple[str, ...] = ()
    decimal: str | None = None
    date_format: str | None = None
    missing: tuple[str, ...] = ()
    classes: bool = False
    positive: Label | None = None
    seed: int = 0
    device: str = "auto"
    track: Track = "all"
    register: str | None = None
    class_weights: str | None = None
    class_similarity: str | None = None
    cost_matrix: str | None = None
    teacher: str | None = None
    losses: tuple[str, ...] = ()
    model: str = "auto"
    frames: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()

    def data_options(self, frames: Mapping[str, pd.DataFrame]) -> DataOptions:
        """Return the options for reading and dividing the data.

        Args:
            frames: The DataFrames, by name of the option.
        """
        return DataOptions(
            target=self.target,
            test=frames.get("test", self.test),
            valid=frames.get("valid", self.valid),
            groups=self.groups,
            split_by=self.split_by,
            drop=self.drop,
            positive=self.positive,
            seed=self.seed,
            columns=self.column,
            decimal=self.decimal,
            date_format=self.date_format,
            missing=self.missing,
            classes=self.classes,
        )

    def table(self, frames: Mapping[str, pd.DataFrame]) -> Source:
        """Return the data, or their path.

        Raises:
            InputError: The search began with DataFrames, and they are missing now.
        """
        missing = [name for name in self.frames if name not in frames]
        if missing:
            wanted = " and ".join("data" if name == "source" else name for name in missing)
            raise InputError(
                f"{wanted} must be given to go on, because the study began with {_A_FRAME}: call "
                f"autoloss.resume(name, {wanted}=...)."
            )
        table: Source = frames.get("source", self.source or "")
        return table

    def check_objects(self, **given: object) -> None:
        """Check that the arguments that a study does not keep are given again.

        Raises:
            InputError: An argument is missing.
        """
        for name in self.objects:
            if given.get(name) is None:
                raise InputError(
                    f"{name} must be given to go on, because the study began with one that is not "
                    f"kept: call autoloss.resume(name, {name}=...)."
                )

    def command(
        self,
        *,
        name: str | None = None,
        out: Path | None = None,
        storage: str | None = None,
        tracking_uri: str | None = None,
    ) -> str:
        """Return the command line that repeats the study; DATA stands for a DataFrame.

        It always has space, trials and seed, because another version may have other defaults.

        Args:
            name: The study's name as the user gave it; None for the default.
            out: The folder of all studies; None for the default.
            storage: URL of the study's database, whose password is left out; None for the default.
            tracking_uri: MLflow's tracking URI, treated like `storage`.
        """
        words = ["autoloss", "search", self.source or "DATA"]
        for field in fields(self):
            value = getattr(self, field.name)
            is_default = value in (None, field.default) and field.name not in _WRITTEN
            if field.name in ("source", "frames", "objects") or is_default:
                continue
            option = "--" + field.name.replace("_", "-")
            if value is True:
                words.append(option)
                continue
            for one in value if isinstance(value, tuple) else (value,):
                words += [option, f"{one:.12g}" if isinstance(one, float) else str(one)]
        places = {
            "name": name,
            "out": None if out in (None, _OUT) else str(out),
            "storage": storage and redacted(storage),
            "tracking-uri": tracking_uri and redacted(tracking_uri),
        }
        for option, place in places.items():
            words += [] if place is None else ["--" + option, place]
        return shlex.join(words)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON values, paths in full."""
        lists = {name: list(getattr(self, name)) for name in _LISTS}
        values = asdict(self) | lists
        for name in ("source", "valid", "test", "space", *_GIVEN):
            values[name] = _in_full(values[name])
        values["losses"] = [_in_full(path) for path in self.losses]
        file, separator, name = self.model.rpartition(":")
        values["model"] = f"{_in_full(file)}{separator}{name}" if separator else self.model
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SearchOptions:
        """Return the options that `to_dict` wrote."""
        lists = {name: tuple(values.get(name, ())) for name in _LISTS}
        return cls(**{**values, **lists})


def _in_full(path: str | None) -> str | None:
    """Return the full path of a file or folder, and any other text unchanged."""
    return str(Path(path).resolve()) if path and Path(path).exists() else path
