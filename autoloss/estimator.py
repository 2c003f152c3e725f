"""The search as a scikit-learn estimator."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from autoloss.api import search
from autoloss.core.errors import InputError
from autoloss.data.costs import check_costs, has_reject
from autoloss.data.estimator_input import (
    class_labels,
    feature_frame,
    has_several,
    is_blank,
    key_of,
    label_table,
)
from autoloss.data.exchange import Frame, is_frame
from autoloss.data.frames import as_text
from autoloss.data.target_column import LEAST_ROWS
from autoloss.data.values import label_of
from autoloss.search import SearchResult

_TARGET = "target"


class AutoLossClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose `fit` searches for the loss.

    Args:
        metric: The metric that decides. All arguments but `track` and `out` are those of
            `autoloss.search`.
        space: Name or file of the search space.
        trials: Candidates to train.
        time_limit: The most seconds of a fit.
        positive: The positive label of the two.
        class_weights: Weight of each class.
        class_similarity: Similarity of each pair of classes.
        cost_matrix: Cost of each decision for each true class; `predict` makes the cheapest.
        label_decision: The decision on several labels per row, as in `autoloss.search`.
        teacher: A teacher, whose probabilities are training targets, as in `autoloss.search`.
        trust_pickle: Whether a teacher may be a file of joblib or pickle, which runs any code.
        losses: Your own losses, which are searched too.
        metrics: Your own metrics, which every trial has.
        model: ``"auto"``, or your own network.
        columns: Kind of each column that the guess gets wrong, by name; an array has x0, x1, ...
        decimal: The decimal mark, if numbers that are text can be read either way.
        date_format: The format of dates, if they can be read either way.
        missing: Cells that mean missing, besides NaN and the like.
        classes: Whether each number of `y` is a class even if there are many numbers.
        lock: Whether to lock a fifth of the rows for the verdict even of fewer than 10 000.
        seed: Seed of the split, the settings and the training runs.
        device: Where to train.
        workers: Processes that train.
        executor: ``"local"`` or ``"ray"``; see `autoloss.search`.
        address: The address of the Ray cluster.
        ship: The model to ship: ``"verdict"``, ``"best"`` or ``"blend"``, as in `search`.
        refit: Whether it is trained again on all rows, as in `search`.
        track: ``"all"`` writes every trial to MLflow, ``"off"`` writes none.
        tracking_uri: MLflow's tracking URI.
        name: Name of the study; by default a free name.
        out: The folder of all studies; None keeps nothing on disk.

    Attributes:
        classes_: The labels as given, sorted, in the order of the columns of `predict_proba`; of
            several labels per row their names.
        result_: The `SearchResult` of the fit.
        n_features_in_: Number of columns in the fit.
        feature_names_in_: Their names, if `X` had names that are all text.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> classifier = AutoLossClassifier(space="quick", trials=4).fit(X, y)
        >>> classifier.predict_proba(X).shape
        (150, 3)
    """

    def __init__(
        self,
        *,
        metric: Any = None,
        space: str = "default",
        trials: int = 128,
        time_limit: float | None = None,
        positive: Any = None,
        class_weights: Any = None,
        class_similarity: Any = None,
        cost_matrix: Any = None,
        label_decision: str | int = "metric",
        teacher: Any = None,
        trust_pickle: bool = False,
        losses: Any = None,
        metrics: Any = None,
        model: Any = "auto",
        columns: Any = (),
        decimal: str | None = None,
        date_format: str | None = None,
        missing: Any = (),
        classes: bool = False,
        lock: bool = False,
        seed: int = 0,
        device: str = "auto",
        workers: int | str = "auto",
        executor: str = "local",
        address: str | None = None,
        ship: Any = "blend",
        refit: bool | None = None,
        track: str = "off",
        tracking_uri: str | None = None,
        name: str | None = None,
        out: str | Path | None = None,
    ) -> None:
        arguments = dict(locals())
        for parameter in self._get_param_names():
            setattr(self, parameter, arguments[parameter])

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: the estimator takes missing values, text and categories."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: ArrayLike | Frame, y: ArrayLike) -> Self:
        """Search on rows `X` with labels `y`.

        Args:
            X: Rows: an array, a frame of pandas, polars or another library, or a list of texts.
            y: The label of each row; for several labels per row a frame or an indicator
                matrix of 1, 0, and NaN where a label is missing.

        Raises:
            ValueError: Rows and labels do not match, or cannot be learnt from.
        """
        frame = feature_frame(self, X)
        # An array has no names, although the frame made from it has some.
        rows = frame if is_frame(X) else frame.to_numpy()
        validate_data(self, rows, reset=True, skip_check_array=True)
        self._columns = list(frame.columns)
        if has_several(y):
            return self._fit_labels(frame, y)
        labels = class_labels(self, y, len(frame))
        self.classes_ = np.unique(labels[~is_blank(labels)])
        if len(self.classes_) < 2:
            raise InputError(
                f"y must have at least two classes, but got one class, {self.classes_[0]!r}."
            )
        if len(frame) < LEAST_ROWS:
            raise InputError(
                f"X must have at least {LEAST_ROWS} rows, but got n_samples={len(frame)}."
            )
        # The inputs, whose names are stripped, may have a column of this name.
        target, taken = _TARGET, set(map(as_text, frame.columns))
        while target in taken:
            target += "_"
        frame[target] = labels.astype(np.float64) if labels.dtype.kind == "f" else labels
        self.result_ = self._search(frame, target)
        # The search puts the positive class last.
        known = {label_of(label): code for code, label in enumerate(self._model.task.classes)}
        self._order = np.array([known[key_of(label)] for label in self.classes_])
        return self

    def _fit_labels(self, frame: pd.DataFrame, y: Any) -> Self:
        """Search for several labels per row."""
        taken = list(map(as_text, frame.columns))
        labels = label_table(self, y, len(frame), taken)
        self.classes_ = np.array(labels.columns, dtype=object)
        frame = pd.concat([frame.reset_index(drop=True), labels], axis=1)
        self.result_ = self._search(frame, tuple(labels.columns))
        self._order = np.arange(len(self.classes_))
        return self

    def predict_proba(self, X: ArrayLike | Frame, *, force: bool = False) -> NDArray[np.float64]:
        """Return calibrated probabilities.

        Args:
            X: Rows with the columns of the fit. The columns of a frame are matched by name.
            force: As in `Classifier.predict_proba`.

        Raises:
            ValueError: The columns differ from the fit's.

        Shape:
            - output: ``(N, C)``, the classes in the order of `classes_`; of several labels the
              probability of each, ``(N, L)``
        """
        check_is_fitted(self)
        probs: NDArray[np.float64] = self._probs(X, force=force)[:, self._order]
        return probs

    def predict(self, X: ArrayLike | Frame, *, force: bool = False) -> NDArray[Any]:
        """Return the label of each row, ``(N,)``; for the arguments see `predict_proba`.

        Of several labels, 1 for each that a row has, else 0, ``(N, L)``.
        """
        check_is_fitted(self)
        codes: NDArray[Any] = self._model.decisions(self._probs(X, force=force))
        if self._model.task.names:
            return codes
        labels: NDArray[Any] = self.classes_[np.argsort(self._order)[codes]]
        return labels

    def _probs(self, X: ArrayLike | Frame, *, force: bool) -> NDArray[np.float64]:
        """Return probabilities, the classes in the order of the model."""
        frame = feature_frame(self, X)
        if is_frame(X) and set(frame.columns) == set(self._columns):
            frame = frame[self._columns]
        rows = frame if is_frame(X) else frame.to_numpy()
        validate_data(self, rows, reset=False, skip_check_array=True)
        frame.columns = pd.Index(self._columns)
        probs: NDArray[np.float64] = self._model.predict_proba(frame, force=force)
        return probs

    @property
    def _model(self) -> Any:
        return self.result_.model

    def _search(self, frame: pd.DataFrame, target: str | tuple[str, ...]) -> SearchResult:
        """Search with the parameters of the estimator; without a folder, in a temporary folder."""
        costs = check_costs(self.cost_matrix)
        if costs is not None and has_reject(costs):
            raise InputError(
                "cost_matrix must have no decision 'reject' here, because predict returns classes "
                "alone: use autoloss.search."
            )
        arguments = self.get_params(deep=False)
        arguments["track"] = "all" if arguments["track"] == "all" else "off"
        # Like scikit-learn's estimators, it is silent: each of many fits would show a bar.
        arguments["progress"] = False
        if arguments["out"] is not None:
            return search(frame, target, **arguments)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            return search(frame, target, **{**arguments, "out": folder})
