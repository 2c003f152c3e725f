"""The classes of a study: the classes of its training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data.divide import Divided, Piece
from autoloss.data.messages import listed, plural
from autoloss.data.options import DataOptions
from autoloss.data.resample import Division
from autoloss.data.sources import Sources
from autoloss.data.split import Rows
from autoloss.data.values import label_of
from autoloss.metrics.entities import entity_tags


def task_of(sources: Sources, train: Rows, options: DataOptions) -> tuple[Task, list[str], str]:
    """Return the task, its classes or labels as text, and a note on the positive class."""
    positive = None if options.positive is None else label_of(options.positive)
    found, keys, note = sources.main.labels.task(
        train, name=sources.roles.target, positive=positive
    )
    if not options.constrained:
        return found, keys, note
    known = entity_tags(found.tags) if found.kind == "sequence" else None
    if known is None or known.scheme == "IO":
        raise InputError(
            "constrained must be left out but for tags that begin and continue entities, such as"
            f" 'B-place' and 'I-place', but got {listed(found.outputs)}."
        )
    return replace(found, constrained=True), keys, note


def of_known_classes(
    divided: Divided, search: Sequence[Division], sources: Sources, keys: list[str]
) -> tuple[Divided, tuple[Division, ...], list[str]]:
    """Leave out validation and test rows whose class has no training row, with a note."""
    known: dict[str, Piece] = {}
    notes = []
    for piece in (divided.valid, divided.test):
        if piece is not None:
            known[piece.name], note = _known(piece, keys)
            notes += [note] if note else []
    divisions = []
    for division in search:
        if division.valid is not None:
            valid, note = _known(Piece("valid", sources.main, division.valid), keys)
            division = replace(division, valid=valid.rows)
            notes += [note] if note else []
        divisions.append(division)
    kept = replace(divided, valid=known.get("valid"), test=known.get("test"))
    return kept, tuple(divisions), notes


def _known(piece: Piece, keys: list[str]) -> tuple[Piece, str]:
    """Return the rows whose class has training rows, and a note on the labels of other rows."""
    unknown, names = piece.source.labels.unknown(keys, piece.rows)
    if not names:
        return piece, ""
    if not unknown.any():
        return (
            piece,
            f"{piece.name}: labels that no training row has do not count: {listed(names)}.",
        )
    if unknown.all():
        raise InputError(
            f"The {piece.name} rows of {piece.source.table.label} must have labels of the training"
            f" rows, but got only others: {listed(names)}."
        )
    note = (
        f"{piece.name}: {plural(int(unknown.sum()), 'row')} left out, with labels that no "
        "training row has: "
    )
    return Piece(piece.name, piece.source, piece.rows[~unknown]), f"{note}{listed(names)}."
