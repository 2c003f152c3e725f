"""Predictions with labels, checked, from arrays, tensors, lists or frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.messages import listed
from autoloss.records.diagnosis import Kind

LEAST_ROWS = 20
# From this many numbers on, single precision is enough and takes half the memory.
_SINGLE_FROM = 1 << 22
# A probability of 0 would have an infinite log loss; this probability has 27.6 nats.
_LEAST_PROB = 1e-12


@dataclass(frozen=True, eq=False)
class ItemLabels:
    """The label of several, and the row, that each prediction is of.

    Args:
        names: The names of the labels.
        numbers: The number of the label of each prediction.
        rows: Its row in the file, from 0.

    Shape:
        numbers and rows ``(N,)``.
    """

    names: tuple[str, ...]
    numbers: Tensor
    rows: Tensor


@dataclass(frozen=True, eq=False)
class LabelledPredictions:
    """Predictions and labels of the same rows.

    Args:
        log_probs: Log probabilities as the model reports them.
        logits: Inputs of the loss in training, from each of R training runs.
        targets: Classes, int64.
        weights: Weights of the rows, mean 1, float64; None for equal weights.
        classes: Names of the classes.
        kind: Form in which they were passed.
        notes: Notes for the reader, a sentence each.
        items: The labels of the predictions; None for one label a row.
        clusters: The row that each prediction is of where a row has several, which are not
            independent; None where all are.
        places: The place of each prediction in its sequence, the cluster; None for rows.

    Shape:
        log_probs ``(N, C)``, logits ``(R, N, C)``, targets, weights, clusters and places ``(N,)``.
    """

    log_probs: Tensor
    logits: Tensor
    targets: Tensor
    weights: Tensor | None
    classes: tuple[str, ...]
    kind: Kind
    notes: tuple[str, ...] = ()
    items: ItemLabels | None = None
    clusters: Tensor | None = None
    places: Tensor | None = None

    @property
    def n_rows(self) -> int:
        """Return the number of rows N."""
        return len(self.targets)

    @property
    def row_weights(self) -> Tensor:
        """Return the weights of the rows, 1 by default, ``(N,)``, float64."""
        if self.weights is not None:
            return self.weights
        return torch.ones(self.n_rows, dtype=torch.float64)

    @property
    def counts(self) -> Tensor:
        """Return the weighted count of labels in each class, ``(C,)``, float64."""
        return torch.bincount(self.targets, self.row_weights, len(self.classes))


def checked_predictions(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    kind: Kind,
    weights: ArrayLike | None = None,
    classes: Sequence[object] | NDArray[Any] | None = None,
    where: str = "",
) -> LabelledPredictions:
    """Check logits or probabilities with their labels.

    Args:
        scores: Logits or probabilities ``(N, C)``, or ``(N,)`` of class 1 of two classes.
        labels: Classes 0 .. C-1, ``(N,)``.
        kind: ``"logits"`` or ``"probabilities"``.
        weights: Weights of the rows, ``(N,)``, in any unit.
        classes: Names of the C classes; their numbers by default.
        where: Prefix of messages, such as ``"FILE: "``.

    Raises:
        InputError: If an argument is invalid.
    """
    name = "logits" if kind == "logits" else "probs"
    notes: list[str] = []
    table = _table(scores, name, where)
    targets = _targets(labels, len(table), where)
    _check_rows(table, name, where)
    tensor = _as_scores(table, kind, where, notes)
    _check_labels(targets, tensor.shape[1], where)
    log_probs = torch.cat([part.log_softmax(-1) for part in torch.split(tensor, 1 << 16)])
    return LabelledPredictions(
        log_probs=log_probs,
        logits=tensor.unsqueeze(0),
        targets=torch.from_numpy(targets),
        weights=_weights(weights, len(targets), where),
        classes=_classes(classes, tensor.shape[1], where),
        kind=kind,
        notes=tuple(notes),
    )


def checked_scores(scores: ArrayLike, *, kind: Kind, where: str = "") -> Tensor:
    """Return the logits, or log probabilities, of rows without labels, ``(1, N, C)``.

    Args:
        scores: Logits or probabilities, as for `checked_predictions`.
        kind: ``"logits"`` or ``"probabilities"``.
        where: Prefix of messages.

    Raises:
        InputError: If they are not a table of finite numbers.
    """
    name = "logits" if kind == "logits" else "probs"
    return _as_scores(_table(scores, name, where), kind, where, []).unsqueeze(0)


def _as_scores(table: NDArray[Any], kind: Kind, where: str, notes: list[str]) -> Tensor:
    """Return the scores of each class, log probabilities for probabilities, ``(N, C)``."""
    if kind == "probabilities":
        table = _probabilities(table, where, notes)
        return torch.from_numpy(np.ascontiguousarray(table)).clamp_min(_LEAST_PROB).log()
    table = np.column_stack([np.zeros_like(table), table]) if table.shape[1] == 1 else table
    if _looks_like_probabilities(table):
        notes.append(
            "The logits of every row are positive and sum to 1, like probabilities: save "
            "probabilities under probs."
        )
    return torch.from_numpy(np.ascontiguousarray(table))


def as_array(values: Any) -> NDArray[Any]:
    """Return a tensor, list, frame or array as an array, without a copy where possible."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return np.asarray(values.float() if values.dtype == torch.bfloat16 else values)
    return np.asarray(values)


def _table(scores: Any, name: str, where: str) -> NDArray[Any]:
    """Return finite scores as a table of numbers."""
    try:
        found = as_array(scores)
    except ValueError as error:
        raise InputError(f"{where}{name} must be a table of numbers, but got {error}.") from error
    if found.dtype.kind not in "fiub":
        raise InputError(f"{where}{name} must hold numbers, but got dtype={found.dtype}.")
    if found.ndim not in (1, 2) or 0 in found.shape[1:]:
        raise InputError(f"{where}{name} must have shape (N, C) or (N,), but got {found.shape}.")
    single = found.dtype.itemsize < 4 or found.dtype == np.float32 or found.size > _SINGLE_FROM
    whole = found.dtype.kind in "iub" and found.size <= _SINGLE_FROM
    table = found.astype(np.float32 if single and not whole else np.float64, copy=False)
    table = table[:, None] if table.ndim == 1 else table
    # A finite sum needs no look at single numbers.
    with np.errstate(invalid="ignore", over="ignore"):
        fits = bool(np.isfinite(table.sum(dtype=np.float64)))
    if not fits and not (good := np.isfinite(table).all(1)).all():
        row = int(np.argmin(good))
        raise InputError(
            f"{where}{name} must be finite, but {int((~good).sum()):,} of {len(good):,} rows are "
            f"not, the first is row {row}: remove them, or write -1e4 for -inf."
        )
    return table


def _targets(labels: Any, n_rows: int, where: str) -> NDArray[np.int64]:
    """Return labels as whole numbers."""
    found = as_array(labels)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1:
        raise InputError(
            f"{where}labels must have shape (N,), or that of the predictions for several labels a "
            f"row, but got {found.shape}: turn one-hot labels into classes by labels.argmax(1)."
        )
    if len(found) != n_rows:
        raise InputError(
            f"{where}labels must have a label for each of {n_rows:,} rows of predictions, but got "
            f"{len(found):,}."
        )
    if found.dtype.kind not in "fiub":
        raise InputError(
            f"{where}labels must be the numbers of the classes, 0 to C-1, but got "
            f"dtype={found.dtype}: numpy.unique(labels, return_inverse=True) gives them."
        )
    if found.dtype.kind == "f" and not (whole := np.isfinite(found) & (found % 1 == 0)).all():
        row = int(np.argmin(whole))
        raise InputError(
            f"{where}labels must be whole numbers, but got labels[{row}]={found[row]:g}."
        )
    return found.astype(np.int64)


def _check_rows(table: NDArray[Any], name: str, where: str) -> None:
    if len(table) < LEAST_ROWS:
        raise InputError(
            f"{where}{name} must have at least {LEAST_ROWS} rows, but got {len(table)}."
        )


def _check_labels(targets: NDArray[np.int64], n_classes: int, where: str) -> None:
    """Check that labels are classes, of at least two classes."""
    fits = (targets >= 0) & (targets < n_classes)
    if not fits.all():
        row = int(np.argmin(fits))
        raise InputError(
            f"{where}labels must lie in 0 to {n_classes - 1}, the columns of the predictions, "
            f"but {int((~fits).sum()):,} do not, the first is labels[{row}]={targets[row]}: "
            "leave rows without a label out."
        )
    if (targets == targets[0]).all():
        raise InputError(
            f"{where}labels must be of two classes or more, but all are {targets[0]}."
        )


def _probabilities(table: NDArray[Any], where: str, notes: list[str]) -> NDArray[Any]:
    """Return probabilities that sum to 1."""
    if (table < 0).any() or (table > 1 + 1e-3).any():
        row = int(np.argmax(((table < 0) | (table > 1 + 1e-3)).any(1)))
        raise InputError(
            f"{where}probs must lie in 0 to 1, but row {row} does not: save scores before the "
            "softmax under logits."
        )
    if table.shape[1] == 1:
        table = table.clip(0, 1)
        return np.column_stack([1 - table, table])
    total = table.sum(1, dtype=np.float64)
    # Half precision keeps three digits.
    off = np.abs(total - 1) > 5e-3
    if off.any():
        row = int(np.argmax(off))
        raise InputError(
            f"{where}probs must sum to 1 in every row, but {int(off.sum()):,} rows do not, the "
            f"first is row {row} with {total[row]:.4g}: save scores before the softmax under "
            "logits; several labels per row need labels of the same shape."
        )
    zeros = int((table <= _LEAST_PROB).sum())
    if zeros:
        notes.append(f"{zeros:,} probabilities are 0; {_LEAST_PROB:g} takes their place.")
    normed: NDArray[Any] = table / total[:, None].astype(table.dtype)
    return normed


def _looks_like_probabilities(table: NDArray[Any]) -> bool:
    return bool((table[:1000] >= 0).all()) and bool(
        (np.abs(table.sum(1, dtype=np.float64) - 1) < 1e-4).all() and (table >= 0).all()
    )


def _weights(weights: Any, n_rows: int, where: str) -> Tensor | None:
    """Return the weights, scaled to mean 1."""
    if weights is None:
        return None
    found = as_array(weights)
    if found.shape != (n_rows,) or found.dtype.kind not in "fiub":
        raise InputError(
            f"{where}weights must be a number for each of {n_rows:,} rows, but got "
            f"shape={found.shape}, dtype={found.dtype}."
        )
    found = found.astype(np.float64)
    if not (np.isfinite(found).all() and (found >= 0).all() and found.sum() > 0):
        raise InputError(f"{where}weights must be finite, 0 or more, and not all 0.")
    return torch.from_numpy(found / found.mean())


def _classes(classes: Any, n_classes: int, where: str) -> tuple[str, ...]:
    """Return names of the classes."""
    if classes is None:
        return tuple(map(str, range(n_classes)))
    names = tuple(str(one) for one in as_array(classes).reshape(-1).tolist())
    if len(names) != n_classes or len(set(names)) != n_classes:
        raise InputError(
            f"{where}classes must be {n_classes} different names, but got {listed(names)}."
        )
    return names
