"""Checks of an estimator's rows and labels that scikit-learn requires."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, column_or_1d

from autoloss.core.errors import InputError
from autoloss.data.cells import plain_writing
from autoloss.data.exchange import Frame, as_pandas, is_frame
from autoloss.data.frames import as_text
from autoloss.data.messages import plural
from autoloss.data.values import label_of


def feature_frame(estimator: Any, X: ArrayLike | Frame) -> pd.DataFrame:
    """Return a copy of the rows as a frame; columns of an array are named x0, x1, ...

    Args:
        estimator: The estimator, for messages.
        X: The rows; a sequence of texts is a column.

    Raises:
        TypeError: The rows are sparse.
        ValueError: They are not a table, or have no row or no column.
    """
    if is_frame(X):
        frame = as_pandas(X, name="X").copy()
        for count, what in zip(frame.shape, ("sample", "feature"), strict=True):
            if not count:
                raise InputError(
                    f"Found array with 0 {what}(s) (shape={frame.shape}) while a minimum of 1 is"
                    f" required by {type(estimator).__name__}."
                )
        return frame
    if isinstance(X, list | tuple) and X and _are_lists(X):
        raise InputError(
            "X must have as many columns in every row, but got lists of unequal length; for tags"
            " of sequences call autoloss.search with tokens= in place of the estimator."
        )
    if _are_texts(X):
        return pd.DataFrame({"x0": pd.Series(list(X), dtype="string")})
    axes = 2 if hasattr(X, "toarray") else np.asarray(X).ndim
    if axes != 2:
        raise InputError(
            f"X must have two axes, but got X.ndim={axes}. Reshape your data: one row an"
            " example, one column a feature."
        )
    array = check_array(X, dtype=None, ensure_all_finite=False, estimator=estimator)
    return pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])


def label_table(estimator: Any, y: Any, n_rows: int, taken: Collection[str]) -> pd.DataFrame:
    """Return several labels of each row as a frame, under names that no input has.

    Args:
        estimator: The estimator, for messages.
        y: A frame with a column for each label, or an indicator matrix, whose labels are named
            y0, y1, ...; 1, 0, and NaN where a label is missing.
        n_rows: How many rows there are.
        taken: The names of the inputs.

    Raises:
        ValueError: The number of labels differs from the number of rows.
    """
    frame = as_pandas(y, name="y").copy() if is_frame(y) else None
    if frame is None:
        array = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        frame = pd.DataFrame(array, columns=[f"y{place}" for place in range(array.shape[1])])
    if len(frame) != n_rows:
        raise InputError(
            f"y must have one row for each row of X, but got {len(frame)} for {n_rows} rows."
        )
    names = [as_text(name).replace(",", ";") for name in frame.columns]
    for place, name in enumerate(names):
        while name in taken or name in names[:place]:
            name += "_"
        names[place] = name
    frame.columns = pd.Index(names)
    return frame.reset_index(drop=True)


def has_several(y: Any) -> bool:
    """Return whether labels are a table of several columns.

    Raises:
        InputError: They are lists of labels.
    """
    is_column = getattr(y, "ndim", 2) == 1 and getattr(y, "dtype", None) == np.dtype(object)
    values = list(y) if is_column or isinstance(y, list | tuple) else []
    if _are_lists(values):
        raise InputError(
            "y must be a matrix or a frame with 1 and 0 of each label, but got lists of labels:"
            " sklearn.preprocessing.MultiLabelBinarizer makes the matrix; for tags of sequences"
            " call autoloss.search with tokens=."
        )
    shape = getattr(y, "shape", None)
    shape = np.asarray(y).shape if shape is None else shape
    return len(shape) == 2 and shape[1] > 1


def _are_lists(values: Sequence[Any]) -> bool:
    """Return whether values are lists of labels, which differ in length."""
    if not all(isinstance(one, list | tuple | set | frozenset) for one in values):
        return False
    return len({len(one) for one in values}) > 1


def _are_texts(given: Any) -> TypeGuard[Sequence[str | None]]:
    """Return whether rows are a sequence of texts, as scikit-learn's vectorizers read them."""
    is_sequence = isinstance(given, list | tuple | pd.Series | np.ndarray)
    if not is_sequence or getattr(given, "ndim", 1) != 1 or not len(given):
        return False
    # A missing text of pandas is a NaN or NA.
    texts = [one for one in given if isinstance(one, str) or not _is_missing(one)]
    return bool(texts) and all(isinstance(one, str) for one in texts)


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def class_labels(estimator: Any, y: ArrayLike | None, n_rows: int) -> NDArray[Any]:
    """Return labels as an array of one axis; a blank label is missing, as in a file.

    Args:
        estimator: The estimator, for messages.
        y: The labels; a column vector is accepted with a warning.
        n_rows: How many rows there are.

    Raises:
        ValueError: The number of labels differs from the number of rows, or a label is missing
            or not a class.

    Warns:
        sklearn.exceptions.DataConversionWarning: The labels are a column.
        UserWarning: Some labels are blank; the search leaves their rows out.
    """
    if y is None:
        raise InputError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    labels: NDArray[Any] = column_or_1d(np.asarray(y), warn=True)
    if len(labels) != n_rows:
        raise InputError(
            f"y must have one label per row of X, but got {len(labels)} labels for {n_rows} rows."
        )
    if labels.dtype.kind in "fc":
        assert_all_finite(labels, input_name="y")
    elif pd.isna(labels).any():
        raise InputError("Input y contains NaN.")
    check_classification_targets(labels)
    if blank := int(is_blank(labels).sum()):
        warnings.warn(f"y: {plural(blank, 'row')} with a blank label left out.", stacklevel=3)
    return labels


def is_blank(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which labels are empty text, ``(N,)``."""
    return np.array([isinstance(one, str) and not one.strip() for one in labels], dtype=bool)


def key_of(label: Any) -> str:
    """Return the text that represents a label in a search."""
    if isinstance(label, np.datetime64):
        return plain_writing(str(pd.Timestamp(label)))
    return label_of(float(label) if isinstance(label, np.floating) else label)
