"""Untuned gradient boosting of scikit-learn on the same rows, for comparison."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from autoloss.data import Part, StudyData
from autoloss.data.messages import listed
from autoloss.experiment.boosting_inputs import BoostingInputs
from autoloss.experiment.session import SearchSession
from autoloss.readout import Items
from autoloss.records import Comparison, Reference
from autoloss.search import StudySnapshot
from autoloss.verdict.comparisons import NamedMetric, compare
from autoloss.verdict.metric_rows import metric_on_rows
from autoloss.verdict.phrases import difference_words, interval_words
from autoloss.verdict.pooled import PooledRows

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
_POINTS, _SHARE = 0.02, 0.1
_SHARES = ("error", "balanced_error")


@dataclass(frozen=True, eq=False)
class Boosted:
    """The predictions of gradient boosting for the test rows.

    Args:
        log_probs: Log probabilities of all classes; (N, C).
        notes: A sentence for each thing that was left out, with the reason.
    """

    log_probs: FloatArray
    notes: tuple[str, ...] = ()


def gradient_boosting(
    train: pd.DataFrame | npt.NDArray[Any] | Callable[[IntArray], pd.DataFrame],
    targets: IntArray,
    test: pd.DataFrame | npt.NDArray[Any],
    *,
    n_classes: int,
    seed: int = 0,
    weights: FloatArray | None = None,
) -> Boosted | None:
    """Train scikit-learn's gradient boosting with its defaults, and predict the test rows.

    The training rows alone decide the types of columns, as for the network. Numbers and dates are
    numbers; other columns have a code for each of their 254 most frequent levels, and one for all
    rarer and unseen levels. Free text is left out. Training takes about half a minute at most: it
    samples many rows, and runs fewer iterations for many classes.

    Args:
        train: Columns of all rows but the test rows, as they were read; or a function that
            returns some of the rows, to avoid a copy of a large table.
        targets: The classes of these rows.
        test: The same columns of the test rows.
        n_classes: Classes C; a class that training lacks gets almost no probability.
        seed: Seed of the sample and of the training.
        weights: Weights of the training rows; None for equal weights.

    Returns:
        The predictions; None if every column is free text.

    Shape:
        train (n, F), targets (n,), test (N, F), weights (n,).
    """
    test = _frame(test)
    targets = np.asarray(targets)
    sample, notes = _sample(targets, test.shape[1], n_classes, seed)
    train = train(sample) if callable(train) else _frame(train).iloc[sample]
    targets = targets[sample]
    inputs = BoostingInputs.fit(train)
    if inputs.is_empty:
        return None
    if inputs.texts:
        notes.append(f"Gradient boosting does without the free text of {listed(inputs.texts)}.")
    every = np.zeros((len(test), n_classes))
    present, counts = np.unique(targets, return_counts=True)
    if len(present) < 2:
        every[:, present] = 1.0
    else:
        values, is_level = inputs.of(train)
        iterations = int(np.clip(_MOST_TREES // n_classes, 10, _ITERATIONS))
        if iterations < _ITERATIONS:
            notes.append(f"Gradient boosting learnt {iterations} trees a class, not 100.")
        model = _model(counts, iterations=iterations, is_level=is_level, seed=seed)
        model.fit(values, targets, sample_weight=None if weights is None else weights[sample])
        every[:, present] = model.predict_proba(inputs.of(test)[0])
    # The same bound as for the shipped model: no row costs more than ln((n + 1) * C) nats.
    mix = 1.0 / (len(targets) + 1.0)
    return Boosted(np.log((1.0 - mix) * every + mix / n_classes), tuple(notes))


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


def boost(session: SearchSession, train: Sequence[Part], test: Part) -> Boosted | None:
    """Train gradient boosting on some parts and predict another.

    Args:
        session: The search.
        train: The parts to train on.
        test: The part to predict.

    Returns:
        The predictions; None if every column is free text, or if it would probably take longer
        than the time limit allows.
    """
    data, deadline = session.opened.data, session.timetable.reference_by
    if data.task.kind == "multilabel":
        return None
    n_rows = sum(map(len, train))
    if deadline is not None:
        columns, classes = len(data.summary.columns), data.task.n_classes
        if time.monotonic() + boosting_seconds(n_rows, columns, classes) > deadline:
            return None
    return gradient_boosting(
        lambda rows: _rows_of(data, train, rows),
        np.concatenate([part.targets.cpu().numpy() for part in train]),
        data.frame(test),
        n_classes=data.task.n_classes,
        seed=session.study.seed,
    )


def boost_folds(
    session: SearchSession, folds: Sequence[tuple[Sequence[Part], Part]]
) -> Boosted | None:
    """Train gradient boosting on each fold and predict its held-out rows.

    Args:
        session: The search.
        folds: The parts to train on and the part to predict, of each fold.

    Returns:
        The predictions in the order of the rows, a mean for a row that several folds predict;
        None as for `boost`.
    """
    found = []
    for train, test in folds:
        boosted = boost(session, train, test)
        if boosted is None:
            return None
        found.append(boosted)
    tests = [test for _, test in folds]
    pooled = PooledRows.of(
        torch.cat([test.rows.cpu() for test in tests]).numpy(),
        torch.cat([test.targets.cpu() for test in tests]).numpy(),
    )
    return Boosted(pooled.mean([one.log_probs for one in found]), found[-1].notes)


def _rows_of(data: StudyData, parts: Sequence[Part], rows: IntArray) -> pd.DataFrame:
    """Return rows of parts as they were read, by their position in the joined parts."""
    found, first = [], 0
    for part in parts:
        own = rows[(rows >= first) & (rows < first + len(part))] - first
        found.append(data.frame(replace(part, rows=part.rows[torch.from_numpy(own)])))
        first += len(part)
    return pd.concat(found, ignore_index=True)


def boosting_seconds(n_rows: int, n_columns: int, n_classes: int) -> float:
    """Return the longest time of gradient boosting, in seconds on two cores."""
    trees = 1 if n_classes == 2 else n_classes
    most = max(_MOST_WORK // (trees * max(n_columns, 16)), 5_000)
    work = min(n_rows, _MOST_ROWS, most) * max(n_columns, 16) * trees
    return _LEAST_SECONDS + _MOST_SECONDS * min(1.0, work / _MOST_WORK)


def reference_record(
    boosted: Boosted,
    shipped: FloatArray,
    targets: IntArray,
    *,
    metric: NamedMetric,
    class_counts: IntArray | None = None,
    clusters: npt.NDArray[Any] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Reference:
    """Compare gradient boosting with the shipped model, on the rows of the verdict.

    It is far ahead if the interval of the difference does not cover zero and the difference is
    above a tenth of the shipped model's distance from the best value of the metric, 0 or 1. A
    difference in a metric that is a share must be above two points too.

    Args:
        boosted: The predictions of gradient boosting.
        shipped: Log probabilities of the shipped model.
        targets: Classes of the rows.
        metric: The study's metric.
        class_counts: Training rows of each class, which balanced error needs for its decisions.
        clusters: The cluster of each row; None for independent rows.
        resamples: Resamples of the paired bootstrap.
        seed: Its seed.

    Shape:
        shipped (N, C), targets (N,), clusters (N,).
    """
    tested = compare(
        boosted.log_probs,
        shipped,
        targets,
        metric=metric,
        class_counts=class_counts,
        clusters=clusters,
        resamples=resamples,
        seed=seed,
    )
    one = tested[metric.name].comparison
    is_far_ahead = _is_far_ahead(one)
    return Reference(
        name=NAME,
        metric=one.challenger,
        log_loss=tested["log_loss"].comparison.challenger,
        difference=one.difference,
        low=one.low,
        high=one.high,
        is_far_ahead=is_far_ahead,
        text=" ".join([_text(one, is_far_ahead), *boosted.notes]),
    )


def compared(
    boosted: Boosted | None,
    study: StudySnapshot,
    shipped: Tensor,
    items: Items,
) -> Reference | None:
    """Compare gradient boosting with the shipped model of a study; None without boosting.

    Args:
        boosted: The predictions of gradient boosting for the rows of the verdict.
        study: The study.
        shipped: Log probabilities of the shipped model.
        items: The items of the rows.

    Shape:
        shipped (M, C).
    """
    if boosted is None:
        return None
    return reference_record(
        boosted,
        shipped.numpy(),
        items.labels.numpy(),
        metric=metric_on_rows(study.metric, study.facts, items),
        class_counts=study.class_counts.numpy(),
        clusters=items.cluster_numbers,
        seed=study.seed,
    )


def _frame(table: pd.DataFrame | npt.NDArray[Any]) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        return table
    values = np.asarray(table)
    return pd.DataFrame(values.reshape(len(values), -1)).rename(columns=str)


def _sample(
    targets: IntArray, n_columns: int, n_classes: int, seed: int
) -> tuple[IntArray, list[str]]:
    """Return the rows to learn from, in order, and a note if some are left out."""
    trees = 1 if n_classes == 2 else n_classes
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


def _is_far_ahead(one: Comparison) -> bool:
    """Return whether a difference is certain, and large relative to the possible gain."""
    ahead = one.difference if not one.lower_is_better else -one.difference
    if one.covers_zero or ahead <= 0.0:
        return False
    both = (one.challenger, one.baseline)
    if one.lower_is_better:
        is_share, left = one.metric in _SHARES, abs(one.baseline)
    else:
        is_share = 0.0 <= min(both) <= max(both) <= 1.0
        left = 1.0 - one.baseline if is_share else abs(one.baseline)
    return ahead > max(_POINTS if is_share else 0.0, _SHARE * left)


def _text(one: Comparison, is_far_ahead: bool) -> str:
    has = f"Gradient boosting, untuned, has {difference_words(one)} than what ships"
    if is_far_ahead:
        says = "the model is what holds this back, not the loss"
    elif one.covers_zero:
        says = "the two cannot be told apart"
    elif (one.difference < 0.0) == one.lower_is_better:
        says = "it is ahead, but not so far that the model would be the problem"
    else:
        says = "the model is not what holds this back"
    return f"{has} ({interval_words(one)}): {says}."
