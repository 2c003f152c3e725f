"""Untuned logistic regression on the words of free text, the reference where there is no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from autoloss.data.values import values_of

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]

NAME = "logistic regression on words"
MOST_ROWS = 20_000
"""Rows to learn from: some ten seconds for a few classes."""
_TERMS = 50_000
# The usual strength for text: scikit-learn's default of 1 is too weak for weights of norm 1.
_INVERSE_PENALTY = 10.0


def word_regression(
    train: pd.DataFrame,
    targets: IntArray,
    test: pd.DataFrame,
    *,
    texts: Sequence[str],
    n_classes: int,
    seed: int = 0,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Train logistic regression on TF-IDF of words and pairs of words; predict the test rows.

    Args:
        train: The training rows, as they were read.
        targets: Their classes, at least two.
        test: The test rows.
        texts: The columns of free text.
        n_classes: Classes C; a class that training lacks gets no probability.
        seed: Seed of the draw of `MOST_ROWS` rows from more.
        weights: Weights of the training rows; None for equal weights.

    Returns:
        The probabilities.

    Shape:
        train (n, F), targets (n,), test (N, F), weights (n,); result (N, C).
    """
    from sklearn.linear_model import LogisticRegression

    if len(targets) > MOST_ROWS:
        drawn = np.random.default_rng(seed).permutation(len(targets))[:MOST_ROWS]
        train, targets = train.iloc[drawn], targets[drawn]
        weights = None if weights is None else weights[drawn]
    inputs, others = _inputs(train, test, texts)
    model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=200, tol=1e-3)
    model.fit(inputs, targets, sample_weight=weights)
    probs = np.zeros((len(test), n_classes))
    probs[:, model.classes_] = model.predict_proba(others)
    return probs


def _inputs(train: pd.DataFrame, test: pd.DataFrame, texts: Sequence[str]) -> tuple[Any, Any]:
    """Return the TF-IDF of training and test rows, the columns side by side."""
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer

    found: tuple[list[Any], list[Any]] = ([], [])
    for name in texts:
        words = TfidfVectorizer(
            ngram_range=(1, 2),
            token_pattern=r"(?u)\b\w+\b",
            min_df=2,
            max_features=_TERMS,
            sublinear_tf=True,
        )
        words.fit(_documents(train[name]))
        for own, frame in zip(found, (train, test), strict=True):
            own.append(words.transform(_documents(frame[name])))
    return sparse.hstack(found[0], format="csr"), sparse.hstack(found[1], format="csr")


def _documents(series: pd.Series) -> list[str]:
    """Return the cells as text, an empty one for a missing cell."""
    return [str(cell) for cell in values_of(series).text.fillna("")]
