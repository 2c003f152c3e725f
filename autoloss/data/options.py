"""The options for reading a table, and the hints for a column before its kind is inferred."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast, get_args

from autoloss.core.errors import InputError, closest
from autoloss.core.option import full_place, full_source, option, path_of
from autoloss.core.task import Label
from autoloss.data.messages import one_line

ColumnKind = Literal["number", "category", "text", "date", "drop"]
KINDS: tuple[str, ...] = get_args(ColumnKind)
Columns = Mapping[str, str] | Iterable[str]
DECIMALS = (".", ",")
LABELS_IN = ("columns", "list")
ISO = "ISO8601"


def _target(target: str | Iterable[str] | None) -> str | None:
    """Return a target as the command line names it: several names joined by commas."""
    return target if target is None or isinstance(target, str) else ",".join(map(str, target))


def _marks(missing: str | Iterable[str]) -> tuple[str, ...]:
    """Return marks of missing cells as a tuple."""
    marks = (missing,) if isinstance(missing, str) else missing
    return tuple(str(mark).strip() for mark in marks)


def _pairs(columns: Columns) -> tuple[str, ...]:
    """Return the kinds of columns as texts ``NAME=KIND``."""
    return tuple(f"{name}={kind}" for name, kind in _kinds(columns).items())


def _kinds(columns: Columns) -> dict[str, ColumnKind]:
    """Return the kinds of columns by name."""
    if isinstance(columns, Mapping):
        pairs = [(str(name), str(kind)) for name, kind in columns.items()]
    else:
        pairs = []
        for text in (columns,) if isinstance(columns, str) else columns:
            name, separator, kind = str(text).rpartition("=")
            if not separator:
                raise InputError(
                    f"column must be NAME=KIND, with a kind of {', '.join(KINDS)}, but got"
                    f" {one_line(text)!r}."
                )
            pairs.append((name, kind))
    found: dict[str, ColumnKind] = {}
    for name, kind in pairs:
        if kind not in KINDS:
            raise InputError(
                f"The kind of column {one_line(name)!r} must be one of {', '.join(KINDS)}, but got"
                f" {one_line(kind)!r}{closest(kind, KINDS)}"
            )
        if found.get(name, kind) != kind:
            raise InputError(
                f"Column {one_line(name)!r} must have one kind, but got {found[name]!r} and"
                f" {kind!r}."
            )
        found[name] = cast("ColumnKind", kind)
    return found


def _check_format(form: str) -> None:
    """Check that a date format can write and read a date."""
    moment = datetime(2024, 11, 23, 17, 45)
    try:
        text = moment.strftime(form)
        datetime.strptime(text, form)
        is_date = "%" in form
    except ValueError:
        is_date = False
    if not is_date and form != ISO:
        raise InputError(
            "date_format must be a format of dates such as '%d/%m/%Y' (day/month/year) or"
            f" 'ISO8601', but got date_format={one_line(form)!r}."
        )


# Larger images would not fit the memory of a training run.
_LARGEST = 512


@dataclass(frozen=True, eq=False)
class DataOptions:
    """The options for reading and dividing the data of a search.

    Args:
        target: Column of the class; names and patterns of the columns of several labels, joined
            by commas or in a sequence; None if the source names it itself (``sklearn:NAME``).
        labels_in: ``"columns"``, or ``"list"`` where `target` is a column of lists of labels.
        label_separator: The text between the labels of a cell; it implies ``labels_in="list"``.
        tokens: Column of the tokens of sequences, whose tags are the target; None for a table of
            rows.
        constrained: Whether tags of entities are decided so that each may follow the tag before.
        images: Column of images: paths relative to the file, encoded images, or arrays; None
            for a table of rows, and for a folder of images.
        image_size: The longest side in pixels at which images are read; by default that of the
            median image, 64 at most.
        skip_bad: Whether images that cannot be read are left out instead of refused.
        features: A frozen network that turns images, or texts of a column, into vectors:
            ``st:NAME``, ``hf:NAME``, ``timm:NAME``, ``torchvision:NAME`` or ``FILE.py:NAME``; None
            for pixels and columns as they are.
        valid: A table whose rows validate, instead of a share of the data.
        test: A table whose rows are locked, instead of a share of the data.
        ood: Out-of-distribution (OOD) rows, with the columns of the data.
        groups: Column of groups: rows with the same value stay in the same part; not an input.
        cost_column: Column of the cost of each row, by which the costs of its decisions are
            multiplied; not an input.
        split_by: Column of time: the latest rows are locked, the latest of the rest validate.
        drop: Columns to leave out.
        columns: Kind of each column that the inference gets wrong, by name or as ``NAME=KIND``.
        decimal: The decimal mark, ``"."`` or ``","``, for ambiguous cells.
        date_format: The format of dates, as in `strftime`, or ``"ISO8601"``.
        missing: Marks of missing cells, besides the usual marks; a string is a single mark.
        classes: Whether every number of the target is a class, however many there are.
        positive: The positive label of two.
        lock: Whether to lock rows for the verdict even of a table under 10 000 rows.
        seed: Seed of the division.
    """

    target: str | Iterable[str] | None = option(None, plain=_target)
    labels_in: str = "columns"
    label_separator: str | None = None
    tokens: str | None = None
    constrained: bool = False
    images: str | None = None
    image_size: int | None = None
    skip_bad: bool = False
    features: str | None = option(None, full=full_place)
    # A path, a frame, or an object of a program.
    valid: Any = option(None, plain=path_of, full=full_source, unkept="frames")
    test: Any = option(None, plain=path_of, full=full_source, unkept="frames")
    ood: Any = option(None, plain=path_of, full=full_source, unkept="frames")
    groups: str | None = None
    cost_column: str | None = None
    split_by: str | None = None
    drop: tuple[str, ...] = ()
    columns: Columns = option((), key="column", plain=_pairs)
    decimal: str | None = None
    date_format: str | None = None
    missing: str | Iterable[str] = option((), plain=_marks)
    classes: bool = False
    positive: Label | None = None
    lock: bool = False
    seed: int = 0

    def check(self) -> None:
        """Check all options that need no table to be checked.

        Raises:
            InputError: A kind, the mark or the format is invalid.
        """
        if self.labels_in not in LABELS_IN:
            raise InputError(
                f"labels_in must be {' or '.join(map(repr, LABELS_IN))}, but got"
                f" labels_in={one_line(self.labels_in)!r}."
            )
        if self.image_size is not None and not 1 <= self.image_size <= _LARGEST:
            raise InputError(
                f"image_size must be from 1 to {_LARGEST} pixels, but got"
                f" image_size={self.image_size}."
            )
        if self.images is not None and self.tokens is not None:
            raise InputError("images and tokens must not be given together; leave one out.")
        if self.features is not None and self.tokens is not None:
            raise InputError("features and tokens must not be given together; leave one out.")
        if self.features is not None and self.image_size is not None:
            raise InputError(
                "image_size must be left out with features, whose network sets the size."
            )
        mark = self.decimal
        if mark is not None and mark not in DECIMALS:
            raise InputError(f"decimal must be '.' or ',', but got decimal={one_line(mark)!r}.")
        if self.date_format is not None:
            _check_format(self.date_format)
        _kinds(self.columns)

    @property
    def has_own_features(self) -> bool:
        """Return whether a custom function computes the features."""
        return self.features is not None and ".py:" in self.features

    @property
    def has_lists(self) -> bool:
        """Return whether the target is a column of lists of labels."""
        return self.labels_in == "list" or self.label_separator is not None

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        """Return the kinds of columns by name."""
        return _kinds(self.columns)

    @property
    def pairs(self) -> tuple[str, ...]:
        """Return the kinds of columns as texts ``NAME=KIND``."""
        return _pairs(self.columns)

    @property
    def marks(self) -> tuple[str, ...]:
        """Return the marks of missing cells."""
        return _marks(self.missing)


@dataclass(frozen=True)
class Hints:
    """Facts on a column that are known before its kind is inferred from training rows.

    Args:
        kind: Its kind, if the user names it.
        style: Style of its numbers, if the whole file shows it; see `parse_numbers`.
        decimal: The decimal mark of the table, if known.
        date_format: The format of dates that the user names.
        marks: Marks of missing cells that the user names.
        reason: Why the column is left out, if the whole table shows it.
    """

    kind: ColumnKind | None = None
    style: str = "plain"
    decimal: str | None = None
    date_format: str | None = None
    marks: tuple[str, ...] = ()
    reason: str = ""


NO_HINTS = Hints()
NO_OPTIONS = DataOptions()
