"""The prepared data of a study, with the folds of the search and of the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from autoloss.core.ragged import Labels, Ragged
from autoloss.core.task import Task
from autoloss.data.divide import Piece
from autoloss.data.folds import Encoder
from autoloss.data.glimpse import Glimpse
from autoloss.data.growing import growing_divisions
from autoloss.data.hints import as_hinted
from autoloss.data.input_kinds import InputKind, kind_of_encoding
from autoloss.data.parts import Fold, LockedPart, Part
from autoloss.data.resample import (
    Division,
    RowPool,
    covering_divisions,
    fresh_divisions,
    outer_divisions,
)
from autoloss.data.split import Rows, cut
from autoloss.records import DataSummary, Resampling

FEWEST_OF_CLASS = 5
"""Training rows that a class of more rows keeps where candidates are compared on fewer."""


@dataclass(frozen=True, eq=False)
class StudyDivisions:
    """The divisions of a study's rows before encoding.

    Args:
        pool: Rows that train and, without given validation rows, validate.
        valid: Validation rows that the user gives, or None if the pool is divided.
        search: Divisions on which candidates are compared.
        outer: Outer folds of nested cross-validation; none where rows are locked.
        outer_repeats: How often that is repeated.
        covering: Folds of the training runs that judge all rows; 0 with another judge.
        locked: Rows that the search locks; None if the user gives them, or none are locked.
    """

    pool: RowPool
    valid: Piece | None
    search: tuple[Division, ...]
    outer: tuple[Division, ...] = ()
    outer_repeats: int = 1
    covering: int = 0
    locked: Rows | None = None

    @property
    def is_fixed(self) -> bool:
        """Return whether only a single division exists: by time, or with given validation rows."""
        return self.valid is not None or self.pool.order is not None


@dataclass(frozen=True, eq=False)
class StudyData:
    """A table that is ready for a search.

    Args:
        task: The labels to predict.
        folds: Divisions on which candidates are compared, each with its own encoding.
        locked: Rows that only the confirmation may see; None if all rows are judged.
        resampling: How rows were divided, as plain values.
        summary: All of this as plain values; its numbers of rows refer to the first fold.
        notes: Notes for the user, a sentence each.
        fingerprint: Hash of the tables, whatever the options.
    """

    task: Task
    folds: tuple[Fold, ...]
    locked: LockedPart | None
    resampling: Resampling
    summary: DataSummary
    notes: tuple[str, ...]
    fingerprint: str
    _divisions: StudyDivisions = field(repr=False)
    _encoder: Encoder = field(repr=False)
    _seed: int = field(repr=False)

    @property
    def encoding(self) -> Any:
        """Return the encoding of the first fold."""
        return self.folds[0].encoding

    @property
    def kind(self) -> InputKind:
        """Return the kind of input."""
        return kind_of_encoding(self.encoding)

    @property
    def table(self) -> pd.DataFrame:
        """Return all rows and columns of the data as they were read."""
        return self._encoder.sources.main.table.frame

    @property
    def train(self) -> Part:
        """Return the training rows of the first fold."""
        return self.folds[0].train

    @property
    def valid(self) -> Part:
        """Return the validation rows of the first fold."""
        return self.folds[0].valid

    @property
    def class_counts(self) -> Tensor:
        """Return the training rows of each class, int64; their rounded mean over the folds.

        Shape:
            result (C,).
        """
        counts = torch.stack([fold.class_counts for fold in self.folds])
        return counts.double().mean(0).round().long()

    @property
    def n_rows(self) -> int:
        """Return the number of rows of all parts."""
        summary = self.summary
        return summary.n_train + summary.n_valid + summary.n_test

    def with_fewer_rows(self, folds: Sequence[Fold], rows: int, *, seed: int) -> tuple[Fold, ...]:
        """Return divisions with fewer training rows.

        Encodings are fitted on all training rows, so weights have the same shapes. Every class
        keeps its share and at least one row, five if it has more.

        Args:
            folds: The divisions.
            rows: The most training rows of each; 0 for all.
            seed: Seed of the draw.
        """
        return tuple(self._with_fewer(fold, rows, seed) for fold in folds)

    def _with_fewer(self, fold: Fold, rows: int, seed: int) -> Fold:
        numbers = fold.train.rows.cpu().numpy()
        if not 0 < rows < len(numbers):
            return fold
        codes = self._divisions.pool.codes
        left = cut(numbers, codes, size=len(numbers) - rows, seed=seed, spare=FEWEST_OF_CLASS)
        train = fold.train.take(torch.from_numpy(np.flatnonzero(~np.isin(numbers, left))))
        encoder = self._encoder
        counts = encoder.sources.main.labels.trained(encoder.count(train.targets))
        return replace(fold, train=train, class_counts=counts)

    def replicates(self, n: int, *, seed: int) -> tuple[Fold, ...]:
        """Divide the rows again, to train the finalists again; encoded at the call.

        Each holds out a quarter of the rows that are not locked, other rows than any fold before.
        Where the verdict is of all rows, the divisions hold out every row as often.
        By time, or where validation rows are given, there is one division: it is returned `n`
        times, and the training runs differ by their seeds alone.

        Args:
            n: How many.
            seed: Seed of the divisions, besides the seed of the data.

        Raises:
            InputError: A division cannot be learnt from.
        """
        if self._divisions.is_fixed:
            return (self.folds[-1],) * n
        known, seeds = self._divisions, (self._seed, seed)
        if known.covering:
            divisions = covering_divisions(known.pool, n, folds=known.covering, seeds=seeds)
        else:
            divisions = fresh_divisions(known.pool, n, seeds=seeds, before=known.search)
        return tuple(self._fold(division) for division in divisions)

    def outer(self, repeats: int | None = None) -> tuple[Fold, ...]:
        """Return the outer folds of nested cross-validation, repeat after repeat.

        Empty where rows are locked; encoded at the call.

        Args:
            repeats: How many repeats, where not all are wanted.

        Raises:
            InputError: A division cannot be learnt from.
        """
        divisions = self._divisions.outer
        if repeats is not None and repeats < self._divisions.outer_repeats:
            divisions = divisions[: repeats * (len(divisions) // self._divisions.outer_repeats)]
        return tuple(self._fold(division) for division in divisions)

    def growing(self, *, seed: int) -> tuple[Fold, ...]:
        """Return blocks of an order of the training rows, each with the rows before it divided.

        The order is that of time, else random with groups whole. Rows of a validation file, locked
        rows and the first block are in no test part. See `growing_divisions`.

        Args:
            seed: Seed of order and divisions.

        Raises:
            InputError: A division cannot be learnt from.
        """
        main, folds = self._encoder.sources.main, []
        for division in growing_divisions(self._divisions.pool, seed):
            assert division.test is not None
            fold = encoded_fold(self._encoder, division, None)
            # Labels that the rows before do not tell apart are coded too.
            test = self._encoder.part(Piece("test", main, division.test), fold.encoding)
            folds.append(replace(fold, test=test))
        return tuple(folds)

    def check_crossed(self, fold: Fold, parts: int, *, seed: int) -> None:
        """Check that the training rows of a division can be dealt; see `crossed`.

        Raises:
            InputError: There are too few groups or rows.
        """
        self._crossing(fold, parts, seed)

    def crossed(self, fold: Fold, parts: int, *, seed: int) -> tuple[Fold, ...]:
        """Deal the training rows of a division, and return a division of the others for each part.

        The part is the test part. A quarter of the others are validation rows. Rows of a group
        stay together, and time does not count.

        Args:
            fold: The division; its training rows are rows of the data.
            parts: How many; fewer where there are fewer groups.
            seed: Seed of deal and divisions.

        Raises:
            InputError: A division cannot be learnt from.
        """
        return tuple(self._fold(division) for division in self._crossing(fold, parts, seed))

    def _crossing(self, fold: Fold, parts: int, seed: int) -> tuple[Division, ...]:
        pool = self._divisions.pool
        rows = np.sort(fold.train.rows.cpu().numpy())
        within = RowPool(rows, pool.codes, pool.groups)
        return outer_divisions(within, folds=parts, repeats=1, seed=seed, is_given=False)

    def training_part(self, encoding: Any) -> Part:
        """Return all rows that train or are divided into training and validation rows.

        Args:
            encoding: Encodes the rows.
        """
        piece = Piece("train", self._encoder.sources.main, self._divisions.pool.rows)
        return self._encoder.part(piece, encoding)

    @property
    def is_in_time(self) -> bool:
        """Return whether rows are divided by time."""
        return self._divisions.pool.order is not None

    def whole(self, encoding: Any = None) -> Fold:
        """Return all rows as training rows, with no row held out.

        Test rows that the user gives are left out.

        Args:
            encoding: Encodes the rows; None for that of the rows themselves.
        """
        main, given = self._encoder.sources.main, self._divisions.valid
        pieces = [given] if given is not None and given.source is not main else []
        return self._encoder.whole([Piece("train", main, self.whole_rows), *pieces], encoding)

    @property
    def rows_in_use(self) -> Rows:
        """Return the rows of the data that train before the verdict, by number, ascending."""
        return self._divisions.pool.rows

    @property
    def whole_rows(self) -> Rows:
        """Return the rows of the data that `whole` has, by number, ascending."""
        divisions = self._divisions
        rows, given = divisions.pool.rows, divisions.valid
        if divisions.locked is not None:
            rows = np.union1d(rows, divisions.locked)
        if given is not None and given.source is self._encoder.sources.main:
            rows = np.union1d(rows, given.rows)
        return rows

    def share_of_whole(self, n_train: float) -> float:
        """Return the number of rows of `whole` relative to that of a training run."""
        divisions = self._divisions
        given = 0 if divisions.valid is None else len(divisions.valid.rows)
        locked = 0 if divisions.locked is None else len(divisions.locked)
        return (len(divisions.pool.rows) + locked + given) / n_train

    @property
    def has_given_file(self) -> bool:
        """Return whether validation rows come from another table."""
        given = self._divisions.valid
        return given is not None and given.source is not self._encoder.sources.main

    @property
    def inputs_in_table(self) -> bool:
        """Return whether the inputs are in the table, not beside it as images are."""
        return self._encoder.sources.main.beside is None

    def read_by(self, encoding: Any) -> Any:
        """Return the inputs of all rows of the data as a model with an encoding reads them.

        Args:
            encoding: The encoding, of inputs beside their table.

        Raises:
            InputError: It reads others.
        """
        main = self._encoder.sources.main
        self._encoder.check_like(encoding, self.encoding)
        every = np.arange(len(main.table.frame))
        return self._encoder.inputs(Piece("train", main, every), encoding)

    def by_row(self, values: Tensor) -> Labels:
        """Return values of all rows by row; for sequences, of all tokens by sequence.

        Shape:
            values ``(rows, ...)``, of sequences ``(tokens, ...)``.
        """
        if self.task.kind != "sequence":
            return values
        return Ragged(values, self.read_by(self.encoding).lengths)

    @property
    def n_items(self) -> int:
        """Return the number of rows of the data, of sequences that of their tokens."""
        is_sequence = self.task.kind == "sequence"
        return len(self.read_by(self.encoding).codes) if is_sequence else len(self.table)

    def plain(self, rows: Tensor) -> Any:
        """Return some rows of the data in the form of a custom program.

        Raises:
            InputError: There is no such form.
        """
        return self._encoder.plain(rows.numpy())

    def glimpses(self, table: str, rows: Sequence[int]) -> list[Glimpse]:
        """Return a report's excerpts of rows of the data, or of the test or validation table."""
        return self._encoder.glimpses(table, rows, self.encoding)

    def frame(self, part: Part) -> pd.DataFrame:
        """Return the input columns of a part's rows, of the kinds that the user says.

        Columns that the whole table shows to be useless are left out.
        """
        frame = self._encoder.frame(part.table, part.rows.cpu().numpy())
        return as_hinted(frame, self._encoder.sources.hints)

    def _fold(self, division: Division) -> Fold:
        return encoded_fold(self._encoder, division, self._divisions.valid)


def encoded_fold(encoder: Encoder, division: Division, given: Piece | None) -> Fold:
    """Return the fold of a division, or of its training rows and the given validation rows."""
    main = encoder.sources.main
    valid = given
    if division.valid is not None:
        valid = Piece("valid", main, division.valid)
    assert valid is not None
    test = None if division.test is None else Piece("test", main, division.test)
    return encoder.fold(Piece("train", main, division.train), valid, test)
