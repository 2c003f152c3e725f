"""The division of a study's rows, as the options and the tables say, or by a seeded draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.data.messages import listed, plural
from autoloss.data.parts import DataOptions
from autoloss.data.roles import TEST, TRAIN, VALID, group_codes, parts_named, times
from autoloss.data.sources import Labelled, Sources
from autoloss.data.split import cut, part_size
from autoloss.errors import InputError

Rows = NDArray[np.int64]
NAMES = ("train", "valid", "test")


@dataclass(frozen=True)
class Piece:
    """Rows of one part, not yet encoded.

    Args:
        name: ``"train"``, ``"valid"`` or ``"test"``.
        source: The table that they stand in.
        rows: Their numbers in that table, ascending.
    """

    name: str
    source: Labelled
    rows: Rows


def divide(sources: Sources, options: DataOptions) -> tuple[tuple[Piece, Piece, Piece], list[str]]:
    """Divide the rows that have a target into train, validation and test rows.

    A part is taken from its file, else from the split column, else cut off the rest: 20 % to test,
    and a quarter of what is left to validate.

    Args:
        sources: The tables.
        options: How to divide.

    Returns:
        The three pieces, and what should be said about them.

    Raises:
        InputError: Options contradict the data, or a part would be empty.
    """
    table, labels = sources.main.table, sources.main.labels
    usable = labels.keys.notna().to_numpy()
    codes = pd.factorize(labels.keys)[0].astype(np.int64)
    named = np.full(len(codes), TRAIN)
    if sources.roles.split is not None:
        named = parts_named(table, sources.roles.split)
    groups, order, notes = _ways(sources, options, usable)
    rest = np.flatnonzero(usable & (named == TRAIN))
    taken: dict[str, Piece] = {}
    for name, number, spare in (("test", TEST, 2), ("valid", VALID, 1)):
        own = np.flatnonzero(usable & (named == number))
        if name in sources.files:
            taken[name] = _from_file(name, sources, len(own))
        elif len(own):
            taken[name] = Piece(name, sources.main, own)
        elif len(rest) < 2:
            raise InputError(
                f"{table.label} must have rows left for the {name} part, but has too few."
            )
        else:
            size = part_size(len(rest), test=number == TEST)
            chosen = cut(
                rest, codes, size=size, seed=options.seed, spare=spare, groups=groups, order=order
            )
            taken[name] = Piece(name, sources.main, chosen)
            rest = np.setdiff1d(rest, chosen, assume_unique=True)
    if len(rest) == 0:
        raise InputError(f"{table.label} must have rows to train on, but none has a target.")
    pieces = (Piece("train", sources.main, rest), taken["valid"], taken["test"])
    if options.groups is not None:
        _check_groups(pieces, options.groups)
    return pieces, notes


def _ways(
    sources: Sources, options: DataOptions, usable: NDArray[np.bool_]
) -> tuple[Rows | None, NDArray[np.float64] | None, list[str]]:
    """Return the groups and times of all rows, where asked for, and how rows are divided."""
    table = sources.main.table
    groups = order = None
    notes = []
    if sources.roles.split is not None:
        notes.append(f"The column {sources.roles.split!r} names the parts of the rows.")
    if options.groups is not None:
        name = options.groups
        groups, _, n_alone = group_codes(table, name)
        notes.append(f"Rows of the same {name!r} stay in one part; it is not learnt from.")
        if n_alone:
            notes.append(f"{plural(n_alone, 'row')} without {name!r}: each a group of its own.")
    if options.split_by is not None:
        name = options.split_by
        order = times(table, name)
        notes.append(f"Divided by {name!r}: the latest rows are locked.")
        n_missing = int(np.isnan(order[usable]).sum())
        if n_missing:
            notes.append(f"{plural(n_missing, 'row')} without {name!r} count as the past.")
    return groups, order, notes


def _from_file(name: str, sources: Sources, n_named: int) -> Piece:
    """Return a part that has a file of its own."""
    source = sources.files[name]
    if n_named:
        raise InputError(
            f"{name} must be given once, but the column {sources.roles.split!r} names"
            f" {plural(n_named, 'row')} for it besides {source.table.label}; leave one out."
        )
    return Piece(name, source, np.flatnonzero(source.labels.keys.notna().to_numpy()))


def _check_groups(pieces: tuple[Piece, ...], name: str) -> None:
    """Refuse groups that stand in two parts, by a split column or a file."""
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
                f"Rows of one {name!r} must stay in one part, but {listed(both, shown=3)} stand in"
                f" {one} and {other}; correct the parts, or leave groups out."
            )
