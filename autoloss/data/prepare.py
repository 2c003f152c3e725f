"""Preparation of a table for a search: read it, divide its rows, encode them, and add notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.settings import ProtocolConfig
from autoloss.core.task import Task
from autoloss.data.classes import of_known_classes, task_of
from autoloss.data.divide import Divided, Piece, divide
from autoloss.data.fingerprint import fingerprint, row_hashes, rows_digest
from autoloss.data.folds import Encoder
from autoloss.data.input_kinds import KINDS
from autoloss.data.notes import repeated_notes
from autoloss.data.options import DataOptions
from autoloss.data.parts import Fold, LockedPart
from autoloss.data.protocol import resampling_of
from autoloss.data.read import Source
from autoloss.data.resample import Division, outer_divisions, search_divisions
from autoloss.data.sources import Sources, load_sources
from autoloss.data.split import Rows
from autoloss.data.study import StudyData, StudyDivisions, encoded_fold
from autoloss.data.text import TermLimits
from autoloss.records import DataSummary

_USUAL = ProtocolConfig()
_USUAL_TERMS = TermLimits()


def prepare(
    source: Source,
    options: DataOptions,
    *,
    bins: int = 16,
    terms: TermLimits = _USUAL_TERMS,
    protocol: ProtocolConfig = _USUAL,
    told: Callable[[str], object] = str,
) -> StudyData:
    """Read a table, lock test rows, divide the others into folds, and encode them.

    Only training rows decide how the columns of a fold are encoded and which classes there are.

    Args:
        source: The table, as for `read_table`.
        options: The target, and how to divide.
        bins: The most bins of the quantile edges in an encoding's schema; see `bins_of_columns`.
        terms: The most terms of free text in an encoding.
        protocol: How many folds, and whether nested cross-validation may take the place of
            locked rows where there are few.
        told: Called with a sentence on the progress of slow steps.

    Raises:
        InputError: The data or an option is at fault; one line has fault, place and remedy.
    """
    sources = load_sources(source, options, told)
    divided = divide(sources, options, protocol)
    kind, search = search_divisions(
        divided.pool, folds=protocol.folds, seed=options.seed, is_given=divided.valid is not None
    )
    task, keys, positive_note = task_of(sources, search[-1].train, options)
    divided, search, unknown_notes = of_known_classes(divided, search, sources, keys)
    divisions = StudyDivisions(
        divided.pool,
        divided.valid,
        search,
        _outer(divided, options, protocol),
        protocol.outer_repeats,
        protocol.outer_folds if divided.judge == "out_of_fold" else 0,
        None if divided.test is None or divided.is_test_given else divided.test.rows,
    )
    encoder = KINDS[sources.kind].encoder(sources, keys, options.groups, bins, terms)
    folds = tuple(encoded_fold(encoder, division, divided.valid) for division in search)
    locked = None if divided.test is None else _locked(divided.test, encoder, folds[0])
    total, held, n_rows = _counts(divisions, folds, locked, encoder)
    notes = (
        *sources.notes,
        *divided.notes,
        *([positive_note] if positive_note else []),
        *unknown_notes,
        *sources.main.labels.notes(keys, total, folds[0].class_counts, held),
        *encoder.notes(folds[0]),
        *_repeated(divisions, divided.test, sources),
    )
    aside = sources.aside(options)
    frames = [labelled.table.frame for labelled in sources.tables.values()]
    return StudyData(
        task=task,
        folds=folds,
        locked=locked,
        resampling=resampling_of(kind, divisions, divided.test, divided.judge, protocol),
        summary=_summary(
            encoder,
            task,
            folds[0],
            locked,
            counts=total,
            n_rows=n_rows,
            aside=aside,
            notes=notes,
        ),
        notes=notes,
        fingerprint=fingerprint((frame, row_hashes(frame)) for frame in frames),
        _divisions=divisions,
        _encoder=encoder,
        _seed=options.seed,
    )


def _summary(
    encoder: Encoder,
    task: Task,
    fold: Fold,
    locked: LockedPart | None,
    *,
    counts: Tensor,
    n_rows: int,
    aside: tuple[tuple[str, str], ...],
    notes: tuple[str, ...],
) -> DataSummary:
    """Return the data as plain values, with the numbers of rows of the first fold."""
    sources = encoder.sources
    return DataSummary(
        source=sources.main.table.label,
        target=sources.roles.target,
        task=task.kind,
        n_rows=n_rows,
        n_train=len(fold.train),
        n_valid=len(fold.valid),
        n_test=0 if locked is None else locked.n_rows,
        columns=fold.encoding.kinds,
        reasons=fold.encoding.reasons,
        aside=aside,
        notes=notes,
        cost_column=sources.roles.costs or "",
        **encoder.sources.main.labels.summary(encoder.keys, counts),
    )


def _outer(
    divided: Divided, options: DataOptions, protocol: ProtocolConfig
) -> tuple[Division, ...]:
    """Return the outer folds of nested cross-validation; none with another judge."""
    if divided.judge != "nested":
        return ()
    return outer_divisions(
        divided.pool,
        folds=protocol.outer_folds,
        repeats=protocol.outer_repeats,
        seed=options.seed,
        is_given=divided.valid is not None,
    )


def _locked(test: Piece, encoder: Encoder, fold: Fold) -> LockedPart:
    """Lock the test rows."""
    part = encoder.judged(test, fold.encoding, fold.class_counts)
    rows = test.source.table.frame.iloc[test.rows]
    return LockedPart(
        n_rows=len(part),
        # Labels that are judged nowhere count too.
        class_counts=encoder.count(test.source.labels.targets(encoder.keys, test.rows)),
        sha256=rows_digest(test.rows, row_hashes(rows)),
        _part=part,
        _encode=lambda encoding: encoder.judged(test, encoding, fold.class_counts),
    )


def _counts(
    divisions: StudyDivisions, folds: Sequence[Fold], locked: LockedPart | None, encoder: Encoder
) -> tuple[Tensor, dict[str, Tensor], int]:
    """Return the rows of each class: all, ever validated, and ever tested; and all rows."""
    main = encoder.sources.main
    n_all = len(main.table.frame)

    def stand(parts: Sequence[Rows | None]) -> NDArray[np.bool_]:
        stands = np.zeros(n_all, dtype=bool)
        for rows in parts:
            if rows is not None:
                stands[rows] = True
        return stands

    def count(parts: Sequence[Rows | None]) -> Tensor:
        rows = np.flatnonzero(stand(parts))
        return encoder.count(main.labels.targets(encoder.keys, rows))

    every = [part for division in divisions.search for part in (division.train, division.valid)]
    pool, n_rows = count(every), int(stand(every).sum())
    if divisions.valid is None:
        total, valid = pool, count([division.valid for division in divisions.search])
    else:
        valid = encoder.count(folds[0].valid.targets)
        total = pool + valid
        n_rows += len(folds[0].valid)
    if locked is None:
        # Training runs that judge all rows test on their validation rows.
        outer = count([fold.test for fold in divisions.outer]) if divisions.outer else valid
        return total, {"valid": valid, "test": outer}, n_rows
    held = {"valid": valid, "test": locked.class_counts}
    return total + locked.class_counts, held, n_rows + locked.n_rows


def _repeated(divisions: StudyDivisions, test: Piece | None, sources: Sources) -> list[str]:
    """Return notes on held-out rows that equal a training row of the first fold."""
    first = divisions.search[0]
    valid = divisions.valid
    if first.valid is not None:
        valid = Piece("valid", sources.main, first.valid)
    pieces = (Piece("train", sources.main, first.train), valid, test)
    present = [piece for piece in pieces if piece is not None]
    return repeated_notes(present, sources.compared or sources.roles.inputs)
