"""From a table to data that is ready for a search: read, divide, encode, and say what was done."""

from __future__ import annotations

import numpy as np
import torch

from autoloss.data.divide import Piece, divide
from autoloss.data.encode import TableEncoding
from autoloss.data.fingerprint import fingerprint, row_hashes, rows_digest
from autoloss.data.messages import listed, plural
from autoloss.data.notes import ambiguous_dates, class_notes, column_notes, repeated_notes
from autoloss.data.parts import DataOptions, LockedPart, Part, StudyData, count_classes
from autoloss.data.read import Source
from autoloss.data.sources import Sources, load_sources
from autoloss.data.target import make_task
from autoloss.data.values import label_of
from autoloss.errors import InputError
from autoloss.records import DataSummary
from autoloss.task import Task

_FEWEST_BINS, _ROWS_OF_A_BIN = 8, 200


def prepare(source: Source, options: DataOptions, *, bins: int = 16) -> StudyData:
    """Read a table, divide it into train, validation and locked test rows, and encode it.

    Only training rows decide how columns are encoded and which classes there are.

    Args:
        source: The table, as for `read_table`.
        options: The target, and how to divide.
        bins: Bins of the quantile edges in the encoding's schema, at most: one for 200 training
            rows.

    Raises:
        InputError: The data or an option is at fault; one line says what, where and what to do.
    """
    sources = load_sources(source, options)
    pieces, notes = divide(sources, options)
    task, keys, positive_note = _task(sources, pieces[0], options)
    kept = tuple(_known(piece, keys) for piece in pieces)
    notes += [positive_note] if positive_note else []
    notes += [note for _, note in kept if note]
    train, valid, test = (piece for piece, _ in kept)

    inputs = list(sources.roles.inputs)
    table = sources.main.table
    encoding = TableEncoding.fit(
        table.frame.iloc[train.rows][inputs],
        bins=_bins_for(len(train.rows), bins),
        seed=options.seed,
        label=table.label,
    )
    parts = [_encode(piece, encoding, keys) for piece in (train, valid, test)]
    counts = [count_classes(part.targets, task.n_classes) for part in parts]
    notes += class_notes(keys, counts)
    notes += column_notes(encoding) + ambiguous_dates(encoding)
    notes += repeated_notes((train, valid, test), inputs)
    said = (*sources.notes, *notes)
    frames = [table.frame, *(file.table.frame for file in sources.files.values())]
    locked_rows = test.source.table.frame.iloc[test.rows]
    return StudyData(
        task=task,
        encoding=encoding,
        train=parts[0],
        valid=parts[1],
        locked=LockedPart(
            len(parts[2]), counts[2], rows_digest(test.rows, row_hashes(locked_rows)), parts[2]
        ),
        class_counts=counts[0],
        summary=DataSummary(
            source=table.label,
            target=sources.roles.target,
            task=task.kind,
            classes=tuple(keys),
            class_counts=tuple(int(count) for count in sum(counts[1:], start=counts[0])),
            n_train=len(parts[0]),
            n_valid=len(parts[1]),
            n_test=len(parts[2]),
            columns=encoding.kinds,
            notes=said,
        ),
        notes=said,
        fingerprint=fingerprint((frame, row_hashes(frame)) for frame in frames),
    )


def _bins_for(n_rows: int, at_most: int) -> int:
    """Return how many bins of a numeric column so many training rows can fill: 8 or more."""
    return min(at_most, max(_FEWEST_BINS, n_rows // _ROWS_OF_A_BIN))


def _task(sources: Sources, train: Piece, options: DataOptions) -> tuple[Task, list[str], str]:
    """Return the task, its classes as text, and a note on the positive one."""
    target, labels = sources.roles.target, sources.main.labels
    trained = [str(key) for key in labels.keys.iloc[train.rows].unique()]
    if len(trained) < 2:
        raise InputError(
            f"Training rows must have at least two classes of {target!r}, but all are"
            f" {trained[0]!r}; divide the data in another way."
        )
    positive = None if options.positive is None else label_of(options.positive)
    return make_task(labels, trained, name=target, positive=positive)


def _known(piece: Piece, keys: list[str]) -> tuple[Piece, str]:
    """Return the rows whose class stands in train, and say which others were left out."""
    labels = piece.source.labels
    unknown = labels.codes(keys)[piece.rows] < 0
    if not unknown.any():
        return piece, ""
    names = sorted({str(key) for key in labels.keys.iloc[piece.rows[unknown]]})
    if unknown.all():
        raise InputError(
            f"The {piece.name} rows of {piece.source.table.label} must have labels that train has,"
            f" but all are others: {listed(names)}."
        )
    note = (
        f"{piece.name}: {plural(int(unknown.sum()), 'row')} left out, of labels unknown to train: "
    )
    return Piece(piece.name, piece.source, piece.rows[~unknown]), f"{note}{listed(names)}."


def _encode(piece: Piece, encoding: TableEncoding, keys: list[str]) -> Part:
    """Encode the rows of a piece."""
    table = piece.source.table
    codes = piece.source.labels.codes(keys)[piece.rows]
    return Part(
        inputs=encoding.transform(table.frame.iloc[piece.rows], label=table.label),
        targets=torch.tensor(np.asarray(codes), dtype=torch.int64),
        weights=None,
        rows=torch.tensor(piece.rows, dtype=torch.int64),
    )
