"""A file or table of predictions as a teacher: probabilities or logits, keyed by row or id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.arrays import BROKEN, read_arrays
from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data import Source, StudyData
from autoloss.data.class_table import check_label_names, places_of_classes
from autoloss.data.messages import listed, one_line, plural
from autoloss.data.read import load_table
from autoloss.data.values import label_of
from autoloss.experiment.teachers.teacher import FloatArray, TeacherSource, logits_of_probs
from autoloss.inference.predicting import OOD_SCORE, PREDICTION

ROW = "row"
"""The column of row numbers, from 0."""
_PROBS, _LOGITS = "probability_", "logit_"
_ARRAYS = ("probs", "logits", ROW, "classes")
_SUM = 1e-3


@dataclass(frozen=True, eq=False)
class _Scores:
    """Predictions as they were read.

    Args:
        label: Their name in messages.
        values: Numbers, a column for each class.
        names: The classes of the columns; None for the study's classes, in their order.
        are_logits: Whether they are logits; else probabilities.
        rows: The row of the data that each stands for; None for rows in order.
    """

    label: str
    values: FloatArray
    names: Sequence[str] | None
    are_logits: bool
    rows: NDArray[np.int64] | None


def of_predictions(given: Source, *, sha256: str = "") -> TeacherSource:
    """Return the predictions of a file, or of a DataFrame, as a teacher.

    A table has a column ``probability_CLASS`` for each class, as `autoloss predict` writes it,
    or ``logit_CLASS``, or a column of probabilities with the name of each class; of several labels
    one for each. A column ``row`` counts the rows of the data from 0; a column that the data have
    too, different in every row, is an id. Without either the rows stand in the order of the data.

    Of sequences a row of the table is a token, in the order of the data.

    An ``.npz`` archive has ``probs`` or ``logits``, and optionally ``row`` and ``classes``.

    Args:
        given: The path, or the DataFrame.
        sha256: Hash of the file.
    """
    is_archive = isinstance(given, str | Path) and Path(given).suffix.lower() == ".npz"

    def logits(data: StudyData) -> Tensor:
        scores = _of_archive(Path(str(given))) if is_archive else _of_table(given, data)
        return _logits(scores, data)

    return TeacherSource.known(logits, sha256=sha256)


def _of_table(given: Source, data: StudyData) -> _Scores:
    """Read the predictions of a table."""
    table = load_table(given, name="teacher")
    frame, label = table.frame, table.label
    columns, names = [str(name) for name in frame.columns], _names(data.task)
    for prefix in (_PROBS, _LOGITS):
        own = [name for name in columns if name.startswith(prefix)]
        if own:
            names = [name.removeprefix(prefix) for name in own]
            break
    else:
        prefix = ""
        if missing := [name for name in names if name not in columns]:
            raise InputError(
                f"{label} must have a column {_PROBS}CLASS or {_LOGITS}CLASS for each class, but"
                f" has {listed(columns)}: there is none for {listed(missing)}."
            )
        own = names
    others = [name for name in columns if name not in {*own, PREDICTION, OOD_SCORE}]
    rows = _rows(frame, others, data, label)
    values = frame[own].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    return _Scores(label, values, names, prefix == _LOGITS, rows)


def _of_archive(file: Path) -> _Scores:
    """Read the predictions of an archive of `numpy.savez`, without running code from it."""
    try:
        arrays = read_arrays(file, _ARRAYS.__contains__)
    except BROKEN as error:
        raise InputError(
            f"{file} must be an .npz archive of plain arrays, but it cannot be read:"
            f" {one_line(error)}."
        ) from error
    found = {key: array for key, array in arrays.items() if array is not None}
    keys = [key for key in _ARRAYS[:2] if key in found]
    if len(keys) != 1:
        raise InputError(
            f"{file} must have the key 'probs' or the key 'logits', but has {listed(arrays)}."
        )
    values = found[keys[0]]
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise InputError(
            f"{file}: {keys[0]} must be numbers (rows, classes), but got {values.dtype} of shape"
            f" {values.shape}."
        )
    rows = found.get(ROW)
    names = None
    if "classes" in found:
        names = [label_of(one) for one in found["classes"].reshape(-1).tolist()]
    if names is not None and len(names) != values.shape[1]:
        raise InputError(
            f"{file} must have a class for each of {values.shape[1]} columns, but has"
            f" {len(names)}."
        )
    if rows is not None and rows.shape != (len(values),):
        raise InputError(
            f"{file} must have {len(values)} row numbers, but has an array of shape {rows.shape}."
        )
    whole = None if rows is None else _whole(pd.Series(rows), str(file))
    return _Scores(str(file), values, names, keys[0] == "logits", whole)


def _rows(
    frame: pd.DataFrame, others: Sequence[str], data: StudyData, label: str
) -> NDArray[np.int64] | None:
    """Return the row of the data for each prediction, -1 for none; None for rows in order."""
    if ROW in others:
        return _whole(frame[ROW], label)
    shared = [name for name in others if name in data.table and name not in data.task.columns]
    if data.task.kind == "sequence":
        # An id names a sequence, not a token.
        shared = []
    for name in shared:
        own, theirs = _texts(data.table[name]), _texts(frame[name])
        if own.is_unique:
            if not theirs.is_unique:
                twice = theirs[theirs.duplicated()].iloc[0]
                raise InputError(
                    f"{label} must have each {name!r} once, but has {twice!r} more than once."
                )
            places: NDArray[np.int64] = pd.Index(own).get_indexer(pd.Index(theirs))
            if (places >= 0).any():
                return places
            raise InputError(
                f"{label} must name rows of the data by {name!r}, but none of its values is there,"
                f" such as {theirs.iloc[0]!r}."
            )
    return None


def _whole(column: pd.Series, label: str) -> NDArray[np.int64]:
    """Return row numbers, -1 for a cell that holds none.

    Raises:
        InputError: A number is not a row number.
    """
    numbers = pd.to_numeric(column, errors="coerce").fillna(-1).to_numpy(dtype=np.float64)
    # Beyond it float64 has no fractions, and no table has such a row.
    bad = (numbers != np.floor(numbers)) | (np.abs(numbers) > 2**52)
    if bad.any():
        raise InputError(
            f"{label} must count rows by whole numbers in {ROW!r}, but has"
            f" {numbers[int(bad.argmax())]:g}."
        )
    return numbers.astype(np.int64)


def _texts(series: pd.Series) -> pd.Series:
    return series.map(label_of)


def _logits(scores: _Scores, data: StudyData) -> Tensor:
    """Return the logits of all rows of the data, NaN for a row without a prediction.

    Raises:
        InputError: There are other classes or rows, or the numbers are not probabilities.
    """
    task, label, n_rows = data.task, scores.label, data.n_items
    noun = "token" if task.kind == "sequence" else "row"
    values, rows = scores.values[:, _order(scores, task)], scores.rows
    if rows is None:
        if len(values) != n_rows:
            raise InputError(
                f"{label} must have a prediction for each of {plural(n_rows, noun)}, or a column"
                f" {ROW!r} or an id of the data, but has {len(values):,}: "
                + (
                    f"{noun} {len(values)}, counted from 0, has none."
                    if len(values) < n_rows
                    else f"{noun} {n_rows}, counted from 0, is not in the data."
                )
            )
        rows = np.arange(n_rows)
    else:
        _check_rows(rows, n_rows, label)
    _check_numbers(values, scores, task)
    logits = torch.from_numpy(values).float()
    if not scores.are_logits:
        logits = logits_of_probs(values, task)
    known = torch.from_numpy(rows >= 0)
    found = torch.full((n_rows, values.shape[1]), float("nan"))
    found[torch.tensor(rows)[known]] = logits[known]
    return found


def _order(scores: _Scores, task: Task) -> list[int]:
    """Return the column of each class of a task."""
    label, names = scores.label, scores.names
    if names is None:
        if scores.values.shape[1] != task.n_outputs:
            raise InputError(
                f"{label} must have a column for each of {task.n_outputs} classes, but has"
                f" {scores.values.shape[1]}."
            )
        return list(range(task.n_outputs))
    if task.names:
        check_label_names(names, task, subject=label)
        return [list(names).index(name) for name in task.names]
    return places_of_classes(names, task, subject=label)


def _check_rows(rows: NDArray[np.int64], n_rows: int, label: str) -> None:
    """Check row numbers; -1 stands for a row that the data do not have."""
    known = rows[rows >= 0]
    if (rows >= n_rows).any():
        raise InputError(
            f"{label} must count {plural(n_rows, 'row')} from 0 in {ROW!r}, but has row"
            f" {int(rows.max())}."
        )
    if len(np.unique(known)) < len(known):
        twice = int(np.flatnonzero(np.bincount(known) > 1)[0])
        raise InputError(f"{label} must have each row once, but has row {twice} more than once.")


def _check_numbers(values: FloatArray, scores: _Scores, task: Task) -> None:
    """Check that numbers are finite logits, or probabilities."""
    label = scores.label
    bad = ~np.isfinite(values).all(1)
    if bad.any():
        raise InputError(
            f"{label} must have a finite number for each class, but row {int(bad.argmax())} of it,"
            " counted from 0, lacks one."
        )
    if scores.are_logits:
        return
    wrong = (values < 0).any(1) | (values > 1 + _SUM).any(1)
    sums: Any = values.sum(1)
    if not task.names:
        wrong |= np.abs(sums - 1.0) > _SUM
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"{label} must have probabilities, of classes with the sum 1, but those of row {row}"
            f" of it, counted from 0, are {one_line(np.round(values[row], 4).tolist())}: name the"
            f" columns {_LOGITS}CLASS, in .npz 'logits', if they are logits."
        )


def _names(task: Task) -> list[str]:
    return [label_of(one) for one in task.outputs]
