"""The arguments of a custom metric, and the check of its values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autoloss.core.errors import InputError

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray, Judged


class OwnFunction(Protocol):
    """A custom metric, such as `resolve.Metric`."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def function(self) -> Callable[..., float] | None:
        """Return the function."""

    @property
    def of(self) -> str:
        """Return the argument that it judges: probabilities, logits or the model."""

    @property
    def independent(self) -> bool:
        """Return whether the order of the rows changes nothing."""


_ORDERS = 8
"""Orders to try: a metric of one class of two may be equal in half of them by chance."""
_EQUAL = 1e-6
"""Values that differ by less, relative to their size, are equal but for rounding."""


def own_values(metric: OwnFunction, judged: Judged) -> FloatArray:
    """Return a custom metric for each candidate, (K,).

    It is NaN for a candidate without finite predictions.

    Args:
        metric: The metric, of probabilities or logits.
        judged: The predictions.

    Raises:
        InputError: If the function fails or returns no number.
    """
    values = np.full(len(judged.scores), np.nan)
    for k, arguments in _arguments(metric, judged):
        values[k] = called(metric, *arguments)
    return values


def called(metric: OwnFunction, *arguments: Any) -> float:
    """Return the value of a metric's function, which must be one number.

    Raises:
        InputError: If it fails or returns anything else.
    """
    assert metric.function is not None
    try:
        value = metric.function(*arguments)
    except InputError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [""])[0].rstrip(".")
        raise InputError(
            f"A metric must return one number, but {metric.name} gave"
            f" {type(error).__name__}: {first}."
        ) from error
    shape = getattr(value, "shape", ())
    try:
        if len(shape) == 0:
            return float(value)
    except (TypeError, ValueError):
        pass
    shown = f"an array of shape {tuple(shape)}" if len(shape) else repr(value)
    raise InputError(f"A metric must return one number, but got {metric.name}={shown}.")


def check_values(metric: OwnFunction, judged: Judged) -> None:
    """Check once that a metric is a finite number that does not depend on the order of the rows.

    Args:
        metric: The metric, of probabilities or logits.
        judged: The predictions of candidates, the first of which is looked at.

    Raises:
        InputError: If it does not.
    """
    found = next(_arguments(metric, judged), None)
    if found is None:
        return
    predicted, targets = found[1]
    value = called(metric, predicted, targets)
    if not math.isfinite(value):
        raise InputError(
            f"A metric must be finite on the held-out rows, but got {metric.name}={value}."
        )
    if not metric.independent:
        return
    rng = np.random.default_rng(0)
    for _ in range(_ORDERS):
        order = rng.permutation(len(targets))
        other = called(metric, _taken(predicted, order), _taken(targets, order))
        if not abs(value - other) <= _EQUAL * max(1.0, abs(value)):
            raise InputError(
                "A metric must not depend on the order of the rows, but got "
                f"{metric.name}={value:.6g} and {other:.6g} in another order: if its rows are not "
                f"independent, set {metric.name}.independent = False, so that whole training runs "
                "are compared."
            )


def _taken(values: Any, order: NDArray[np.int64]) -> Any:
    """Return rows in another order, of an array or of a list of arrays."""
    return [values[i] for i in order] if isinstance(values, list) else values[order]


def _arguments(metric: OwnFunction, judged: Judged) -> Iterator[tuple[int, tuple[Any, Any]]]:
    """Yield the predictions and targets of each candidate with finite predictions."""
    arranged = _arrangement(judged)
    classes = judged.classes.cpu().numpy()
    if judged.places is None:
        targets = arranged(classes)
    else:
        targets = arranged(classes.astype(np.float64))
        if not np.isnan(targets).any():
            targets = targets.astype(np.int64)
    for k in judged.is_finite.nonzero().flatten().tolist():
        yield k, (arranged(_predicted(metric, judged, k)), targets)


def _predicted(metric: OwnFunction, judged: Judged, k: int) -> NDArray[Any]:
    """Return the predictions of a candidate for the items, (M, C); of several labels (M,)."""
    if metric.of == "logits":
        logits: NDArray[Any] = judged.log_probs[k].cpu().numpy()
        return logits if judged.places is None else logits[:, 1] - logits[:, 0]
    scores = judged.scores[k]
    probs: NDArray[Any] = (scores.exp() if judged.are_logs else scores).cpu().numpy()
    return probs if judged.places is None else probs[:, 1]


def _arrangement(judged: Judged) -> Callable[[NDArray[Any]], Any]:
    """Return the map from values of the items to rows.

    Items of one label a row are rows. Several labels are a matrix, with NaN where a label is
    missing. Tokens are a list of arrays, one for each sequence.
    """
    if judged.places is not None:
        numbers, n_labels = judged.places.numbers, judged.places.n_labels
        rows = _numbered(judged.places.rows, numbers)

        def matrix(values: NDArray[Any]) -> NDArray[Any]:
            found = np.full((int(rows.max(initial=-1)) + 1, n_labels), np.nan)
            found[rows, numbers] = values
            return found

        return matrix
    if judged.tokens is not None:
        places = judged.tokens.places
        rows = _numbered(judged.tokens.rows, places)
        order = np.lexsort((places, rows))
        ends = np.cumsum(np.bincount(rows))[:-1]
        return lambda values: np.split(values[order], ends)
    return lambda values: values


def _numbered(rows: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of each item's row, (M,); a resample's copies of a row are rows too."""
    order = np.lexsort((places, rows))
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (np.diff(rows[order]) != 0) | (np.diff(places[order]) != 0)
    firsts = np.flatnonzero(is_new)
    copies = np.empty(len(order), dtype=np.int64)
    copies[order] = np.arange(len(order)) - np.repeat(firsts, np.diff([*firsts, len(order)]))
    keys = rows * (int(copies.max(initial=0)) + 1) + copies
    numbers: NDArray[np.int64] = np.unique(keys, return_inverse=True)[1]
    return numbers
