"""The untuned reference of scikit-learn, which reads a table as it was read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from autoloss.core.task import Task
from autoloss.data.messages import listed
from autoloss.experiment.boosting_inputs import BoostingInputs
from autoloss.experiment.word_regression import MOST_ROWS as MOST_TEXTS
from autoloss.experiment.word_regression import NAME as WORDS
from autoloss.experiment.word_regression import word_regression

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]

NAME = "gradient boosting"
_MOST_ROWS = 200_000
# Rows x columns x trees of an iteration, and trees in total: half a minute on two cores.
_MOST_WORK = 20_000_000
_MOST_TREES = 2_000
_LEAST_SECONDS, _MOST_SECONDS = 0.5, 30.0
_ITERATIONS = 100
# scikit-learn's fewest rows of a leaf: the leaves of a class with fewer rows grow without bound.
_FEW = 20


@dataclass(frozen=True, eq=False)
class Boosted:
    """The predictions of the reference for the test rows.

    Args:
        log_probs: Log probabilities of all classes; (N, C).
        notes: A sentence for each thing that was left out, with the reason.
        name: The reference: gradient boosting, or logistic regression on words.
    """

    log_probs: FloatArray
    notes: tuple[str, ...] = ()
    name: str = NAME


def gradient_boosting(
    train: pd.DataFrame | npt.NDArray[Any] | Callable[[IntArray], pd.DataFrame],
    targets: IntArray,
    test: pd.DataFrame | npt.NDArray[Any],
    *,
    n_classes: int,
    seed: int = 0,
    weights: FloatArray | None = None,
    models: int = 1,
) -> Boosted:
    """Train scikit-learn's gradient boosting with its defaults, and predict the test rows.

    The training rows alone decide the types of columns, as for the network. Numbers and dates are
    numbers; other columns have a code for each of their 254 most frequent levels, and one for all
    rarer and unseen levels. Free text is left out; if there is nothing else, logistic regression
    on its words takes the place of gradient boosting. Training takes about half a minute at most:
    it samples many rows, and runs fewer iterations for many classes.

    Args:
        train: Columns of all rows but the test rows, as they were read; or a function that
            returns some of the rows, to avoid a copy of a large table.
        targets: The classes of these rows.
        test: The same columns of the test rows.
        n_classes: Classes C; a class that training lacks gets almost no probability.
        seed: Seed of the sample and of the training.
        weights: Weights of the training rows; None for equal weights.
        models: So many models, of as many labels, share the time.

    Returns:
        The predictions.

    Shape:
        train (n, F), targets (n,), test (N, F), weights (n,).
    """
    test = _frame(test)
    targets = np.asarray(targets)
    sample, notes = _sample(targets, test.shape[1], n_classes, seed, models)
    own = None if weights is None else weights[sample]
    train = train(sample) if callable(train) else _frame(train).iloc[sample]
    targets = targets[sample]
    inputs = BoostingInputs.fit(train)
    if inputs.texts and not inputs.is_empty:
        notes.append(f"Gradient boosting does without the free text of {listed(inputs.texts)}.")
    every: FloatArray = np.zeros((len(test), n_classes))
    present, counts = np.unique(targets, return_counts=True)
    if len(present) < 2:
        every[:, present] = 1.0
    elif inputs.is_empty:
        if len(targets) > MOST_TEXTS:
            notes = [f"Logistic regression learnt from {MOST_TEXTS:,} rows, drawn at random."]
        every = word_regression(
            train,
            targets,
            test,
            texts=inputs.texts,
            n_classes=n_classes,
            seed=seed,
            weights=own,
        )
    else:
        values, is_level = inputs.of(train)
        iterations = int(np.clip(_MOST_TREES // (n_classes * models), 10, _ITERATIONS))
        if iterations < _ITERATIONS:
            notes.append(f"Gradient boosting learnt {iterations} trees a class, not 100.")
        model = _model(counts, iterations=iterations, is_level=is_level, seed=seed)
        model.fit(values, targets, sample_weight=own)
        every[:, present] = model.predict_proba(inputs.of(test)[0])
    # The same bound as for the shipped model: no row costs more than ln((n + 1) * C) nats.
    mix = 1.0 / (len(targets) + 1.0)
    name = WORDS if inputs.is_empty else NAME
    return Boosted(np.log((1.0 - mix) * every + mix / n_classes), tuple(notes), name)


def _model(counts: IntArray, *, iterations: int, is_level: list[bool], seed: int) -> Any:
    """Return gradient boosting, untrained, for classes with these numbers of rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=iterations,
        categorical_features=is_level,
        l2_regularization=0.0 if counts.min() >= _FEW else 1.0,
        # The tenth held out for early stopping must have rows of every class.
        early_stopping="auto" if counts.sum() >= 20 * len(counts) else False,
        random_state=seed,
    )


def boosting_seconds(n_rows: int, n_columns: int, task: Task) -> float:
    """Return the longest time of gradient boosting, in seconds on two cores."""
    trees = 1 if task.kind == "binary" else task.n_outputs
    most = max(_MOST_WORK // (trees * max(n_columns, 16)), 5_000)
    work = min(n_rows, _MOST_ROWS, most) * max(n_columns, 16) * trees
    least = _LEAST_SECONDS * max(1, len(task.names))
    return least + _MOST_SECONDS * min(1.0, work / _MOST_WORK)


def _frame(table: pd.DataFrame | npt.NDArray[Any]) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        return table
    values = np.asarray(table)
    return pd.DataFrame(values.reshape(len(values), -1)).rename(columns=str)


def _sample(
    targets: IntArray, n_columns: int, n_classes: int, seed: int, models: int
) -> tuple[IntArray, list[str]]:
    """Return the rows to learn from, in order, and a note if some are left out."""
    trees = models * (1 if n_classes == 2 else n_classes)
    most = min(_MOST_ROWS, max(_MOST_WORK // (trees * max(n_columns, 16)), 5_000))
    rows, sentences = np.arange(len(targets)), []
    if len(rows) > most:
        drawn = np.random.default_rng(seed).choice(len(rows), most, replace=False)
        rows = np.sort(drawn)
        sentences = [
            f"Gradient boosting learnt from {most:,} of {len(targets):,} rows, drawn at random."
        ]
    # The part held out for early stopping has a row of every class, so a class needs two.
    _, inverse, counts = np.unique(targets[rows], return_inverse=True, return_counts=True)
    several = counts[inverse] > 1
    return (rows[several] if several.any() else rows), sentences
