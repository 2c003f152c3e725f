"""Teachers that predict: a saved model, a fitted classifier, a module of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from autoloss.core.errors import InputError
from autoloss.core.task import Label, Task
from autoloss.data import StudyData
from autoloss.data.class_table import check_label_names, places_of_classes
from autoloss.data.messages import one_line
from autoloss.data.values import label_of
from autoloss.experiment.teachers.teacher import FloatArray, TeacherSource, logits_of_probs
from autoloss.inference.classifier import Classifier
from autoloss.models.custom.of_tensors import placed

_AT_ONCE = 1024
LEAK = (
    "The teacher may have seen the rows that it teaches: then it is overconfident on them,"
    " and locked rows may leak into the verdict. The teacher boosting and a file of out-of-fold"
    " probabilities have no such leak."
)
_INSTEAD = "give a file of its probabilities"


@runtime_checkable
class Estimator(Protocol):
    """A fitted classifier with scikit-learn's interface."""

    classes_: Any

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities: a row for each example, a column for each class of `classes_`."""


def of_predictor(
    predictor: Classifier | Estimator | nn.Module, *, sha256: str = ""
) -> TeacherSource:
    """Return a model, a fitted classifier or a module as a teacher."""
    logits: Callable[[StudyData], Tensor]
    if isinstance(predictor, Classifier):
        model = predictor
        logits = lambda data: _model_logits(model, data)  # noqa: E731
    elif isinstance(predictor, Estimator):
        fitted = predictor
        logits = lambda data: _estimator_logits(fitted, data)  # noqa: E731
    else:
        module = predictor
        logits = lambda data: _module_logits(module, data)  # noqa: E731
    return TeacherSource.known(logits, note=LEAK, sha256=sha256)


def _model_logits(model: Classifier, data: StudyData) -> Tensor:
    """Return the logits of a saved model for all rows of the data."""
    task, own = data.task, model.encodings[0]
    if task.names:
        if not model.task.names:
            raise InputError("teacher must have several labels per row, but it has one.")
        check_label_names([str(one) for one in model.classes], task, subject="teacher")
        order = [list(model.classes).index(name) for name in task.names]
    else:
        order = _places(list(model.task.classes), task)
    if type(own) is not type(data.encoding):
        raise InputError(
            "teacher must read the same kind of input as the study, but it was trained on another"
            f" kind: {_INSTEAD}."
        )
    if data.inputs_in_table and task.kind != "sequence":
        probs = model.predict_proba(data.table)
    else:
        rows = [data.read_by(encoding) for encoding in model.encodings]
        probs = model.shown_probs(model.encoded_log_probs(model.by_member(rows)))
    return logits_of_probs(probs[:, order], task)


def _estimator_logits(fitted: Estimator, data: StudyData) -> Tensor:
    """Return the log probabilities of a fitted classifier for all rows of the data."""
    if data.task.kind == "sequence":
        raise InputError(
            "teacher must be a model of sequences, a file with a row for each token, or self, but"
            f" {type(fitted).__name__} is a classifier of rows."
        )
    return estimator_logits(fitted, data.table, data.task)


def estimator_logits(fitted: Estimator, rows: pd.DataFrame, task: Task) -> Tensor:
    """Return the log probabilities of a fitted classifier for rows, in the order of the classes.

    Args:
        fitted: The classifier.
        rows: The rows, with the columns that it was trained on.
        task: The kind of label and the classes; the classifier must know the same classes.

    Shape:
        - output: ``(N, C)``; of several labels ``(N, L)``

    Raises:
        InputError: It has other classes, or cannot read the rows.
    """
    columns = getattr(fitted, "feature_names_in_", None)
    with _guarded("read the training rows", type(fitted).__name__):
        inputs = (
            rows.drop(columns=list(task.columns), errors="ignore")
            if columns is None
            else rows[list(columns)]
        )
        found = fitted.predict_proba(inputs)
    if task.names:
        return logits_of_probs(_of_labels(found, task), task)
    probs = np.asarray(found)
    return logits_of_probs(probs[:, _places(list(fitted.classes_), task)], task)


def _of_labels(found: Any, task: Task) -> FloatArray:
    """Return the probabilities of yes for several labels, from both forms of scikit-learn."""
    if isinstance(found, list):
        found = np.stack([np.asarray(one)[:, -1] for one in found], 1)
    probs: FloatArray = np.asarray(found)
    if probs.ndim != 2 or probs.shape[1] != len(task.names):
        raise InputError(
            f"teacher must have a probability for each of {len(task.names)} labels, but has"
            f" probabilities of shape {probs.shape}."
        )
    return probs


def _module_logits(module: nn.Module, data: StudyData) -> Tensor:
    """Return the logits of a module for all rows of the data, in eval mode."""
    name, n_rows, was_training = type(module).__name__, len(data.table), module.training
    first = next(module.parameters(), torch.zeros(0))
    parts = []
    module.eval()
    try:
        with torch.no_grad(), _guarded("read the rows", name):
            for start in range(0, n_rows, _AT_ONCE):
                rows = torch.arange(start, min(start + _AT_ONCE, n_rows))
                places, names = placed(data.plain(rows), module)
                found = module(
                    *(one.to(first.device) for one in places),
                    **{key: one.to(first.device) for key, one in names.items()},
                )
                parts.append(torch.as_tensor(found).float().cpu())
    finally:
        module.train(was_training)
    shape = (n_rows, data.task.n_outputs)
    if {tuple(one.shape[1:]) for one in parts} != {shape[1:]} or sum(map(len, parts)) != n_rows:
        raise InputError(
            f"teacher must return logits {shape}, an output for each class in the order"
            f" {', '.join(map(str, data.task.outputs))}, but {name} returned"
            f" {(sum(map(len, parts)), *parts[0].shape[1:])}."
        )
    return torch.cat(parts)


def _places(known: Sequence[Label], task: Task) -> list[int]:
    """Return the place of each class of a task among the classes of a teacher."""
    return places_of_classes([label_of(one) for one in known], task, subject="teacher")


@contextmanager
def _guarded(rule: str, name: str) -> Iterator[None]:
    """Turn an error of the user's code into one line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        line = one_line(str(error).strip().partition("\n")[0]).rstrip(".")
        raise InputError(f"teacher must be able to {rule}, but {name} says: {line}.") from error
