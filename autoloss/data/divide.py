"""The locked rows, the validation rows that the user gives, and the rows left to divide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.core.settings import Judge, ProtocolConfig
from autoloss.data.label_columns import LabelColumns
from autoloss.data.messages import listed, plural
from autoloss.data.options import DataOptions
from autoloss.data.resample import LARGE, RowPool
from autoloss.data.roles import TEST, TRAIN, VALID, group_codes, parts_named, times
from autoloss.data.sequences.tags import TagColumn
from autoloss.data.sources import Labelled, Sources
from autoloss.data.split import Codes, Rows, cut, part_size
from autoloss.data.target_column import TargetColumn

FEW = 1_000
"""The number of rows under which a locked part would show nothing."""
RARE = 100
"""The number of rows of a class under which a locked part would show little of it."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Rows of a part before encoding.

    Args:
        name: ``"train"``, ``"valid"`` or ``"test"``.
        source: The table that holds them.
        rows: Their numbers in that table, ascending.
    """

    name: str
    source: Labelled
    rows: Rows


@dataclass(frozen=True, eq=False)
class Divided:
    """The rows of a study that have a target.

    Args:
        pool: Rows that train and, without given validation rows, validate.
        valid: Validation rows that the user gives, or None if the pool is divided.
        test: Locked rows; None if all rows are judged.
        notes: Notes for the user.
        judge: The rows of the verdict.
        is_test_given: Whether the user gives the locked rows.
    """

    pool: RowPool
    valid: Piece | None
    test: Piece | None
    notes: tuple[str, ...]
    judge: Judge = "locked"
    is_test_given: bool = False


def divide(sources: Sources, options: DataOptions, protocol: ProtocolConfig) -> Divided:
    """Set aside the given parts of the rows that have a target, and lock 20 % of the rest.

    With few rows nothing is locked, except given test rows or the latest rows by time.

    Args:
        sources: The tables.
        options: How to divide.
        protocol: The rows of the verdict, where nothing else determines them.

    Raises:
        InputError: Options contradict the data, or a part would be empty.
    """
    table, labels = sources.main.table, sources.main.labels
    usable = labels.known
    named = np.full(len(usable), TRAIN)
    if sources.roles.split is not None:
        named = parts_named(table, sources.roles.split)
    codes = labels.strata(named == TEST)
    groups, order, notes = _ways(sources, options, usable)
    rest = np.flatnonzero(usable & (named == TRAIN))
    test = _given("test", sources, np.flatnonzero(usable & (named == TEST)))
    valid = _given("valid", sources, np.flatnonzero(usable & (named == VALID)))
    if valid is None and len(rest) < 2:
        raise InputError(f"{table.label} must have rows left to validate on, but has too few.")
    judge: Judge = "locked"
    is_test_given = test is not None
    if test is None:
        if options.split_by is None and protocol.outer_folds > 0 and not options.lock:
            judge, rare = _judge(protocol.judge, rest, codes, labels, is_given=valid is not None)
            notes += [rare] if rare else []
        if judge == "locked":
            test = _locked(RowPool(rest, codes, groups, order), sources, options.seed)
            rest = np.setdiff1d(rest, test.rows, assume_unique=True)
    if len(rest) == 0:
        raise InputError(f"{table.label} must have rows to train on, but none has a target.")
    if options.groups is not None:
        pieces = (Piece("train", sources.main, rest), valid, test)
        _check_groups([piece for piece in pieces if piece is not None], options.groups)
    pool = RowPool(rest, codes, groups, order)
    return Divided(pool, valid, test, tuple(notes), judge, is_test_given)


def _given(name: str, sources: Sources, named: Rows) -> Piece | None:
    """Return a part that a file or the split column gives."""
    if name not in sources.files:
        return Piece(name, sources.main, named) if len(named) else None
    source = sources.files[name]
    if len(named):
        raise InputError(
            f"{name} must be given once, but the column {sources.roles.split!r} names"
            f" {plural(len(named), 'row')} for it besides {source.table.label}; leave one out."
        )
    return Piece(name, source, np.flatnonzero(source.labels.known))


def _judge(
    asked: Judge,
    rows: Rows,
    codes: Codes,
    labels: TargetColumn | LabelColumns | TagColumn,
    *,
    is_given: bool,
) -> tuple[Judge, str]:
    """Return the rows of the verdict if none are given, and a note on a rare class.

    Args:
        asked: The judge of the protocol.
        rows: The rows that train and validate.
        codes: Class of every row of the table.
        labels: Its target.
        is_given: Whether validation rows are given: then no training run holds out other rows.
    """
    if asked == "locked":
        return asked, ""
    few, rare = _too_few(rows, codes, labels)
    if asked == "out_of_fold" and not is_given and len(rows) < LARGE:
        return asked, ""
    return "nested" if few else "locked", rare


def _too_few(
    rows: Rows, codes: Codes, labels: TargetColumn | LabelColumns | TagColumn
) -> tuple[bool, str]:
    """Return whether there are too few rows to lock some, and a note on a rare class."""
    if len(rows) == 0:
        return False, ""
    what, name, count = labels.rarest(rows, codes)
    if count >= RARE:
        return len(rows) < FEW, ""
    note = (
        f"{what.capitalize()} {name!r} has only {plural(count, 'row')}; some are locked because "
        f"there are more than {LARGE:,} rows in all, but they show little of that {what}."
    )
    return (True, "") if len(rows) <= LARGE else (False, note)


def _locked(pool: RowPool, sources: Sources, seed: int) -> Piece:
    """Cut off the test rows."""
    if len(pool.rows) < 2:
        label = sources.main.table.label
        raise InputError(f"{label} must have rows left to test on, but has too few.")
    size = part_size(len(pool.rows), test=True)
    chosen = cut(
        pool.rows,
        pool.codes,
        size=size,
        seed=seed,
        spare=2,
        groups=pool.groups,
        order=pool.order,
    )
    return Piece("test", sources.main, chosen)


def _ways(
    sources: Sources, options: DataOptions, usable: NDArray[np.bool_]
) -> tuple[Codes | None, NDArray[np.float64] | None, list[str]]:
    """Return the requested groups and times of all rows, and a note on the split."""
    table = sources.main.table
    groups = order = None
    notes = []
    if sources.roles.split is not None:
        notes.append(f"The column {sources.roles.split!r} names the parts of the rows.")
    if options.groups is not None:
        name = options.groups
        groups, _, n_alone = group_codes(table, name)
        notes.append(f"Rows of the same {name!r} stay in one part; the column is not an input.")
        if n_alone:
            notes.append(f"{plural(n_alone, 'row')} without {name!r}: each is its own group.")
    if options.split_by is not None:
        name = options.split_by
        order = times(table, name, date_format=options.date_format)
        notes.append(f"Divided by {name!r}: the latest rows are locked.")
        n_missing = int(np.isnan(order[usable]).sum())
        if n_missing:
            notes.append(f"{plural(n_missing, 'row')} without {name!r} count as the past.")
    return groups, order, notes


def _check_groups(pieces: list[Piece], name: str) -> None:
    """Refuse groups that a split column or a file puts into two parts."""
    seen: dict[str, set[str]] = {}
    for piece in pieces:
        table = piece.source.table
        if name not in table.frame.columns:
            continue
        codes, keys, _ = group_codes(table, name)
        own = np.unique(codes[piece.rows])
        seen[piece.name] = {keys[code] for code in own if code < len(keys)}
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        both = sorted(seen.get(one, set()) & seen.get(other, set()))
        if both:
            raise InputError(
                f"Rows of one {name!r} must stay in one part, but {listed(both, shown=3)} are in"
                f" both {one} and {other}; correct the parts, or leave groups out."
            )
