"""Text: searches on two sets of short texts, beside logistic regression on their words.

    python -m benchmarks.text --data DIR [--sets sms_spam trec] [--time-limit SECONDS]

DIR holds ``sms_spam/sms_spam.parquet`` and ``trec/trec.parquet``. A quarter of the messages is
tested, drawn at random with equal shares of the classes; the questions have a test part. A search
reads the other rows alone until its verdict. Each set prints a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

import autoloss
from autoloss.experiment.word_regression import word_regression

TARGETS = {"sms_spam": "label", "trec": "coarse"}


def parts(folder: Path, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of the search and the test rows, text and target alone."""
    frame = pd.read_parquet(folder / name / f"{name}.parquet")
    target = TARGETS[name]
    if "split" in frame:
        is_test = (frame["split"] == "test").to_numpy()
    else:
        rows = np.arange(len(frame))
        _, test = train_test_split(rows, test_size=0.25, stratify=frame[target], random_state=0)
        is_test = np.isin(rows, test)
    frame = frame[["text", target]]
    return frame[~is_test].reset_index(drop=True), frame[is_test].reset_index(drop=True)


def regression_error(train: pd.DataFrame, test: pd.DataFrame, target: str) -> float:
    """Return the error of logistic regression on words."""
    classes, codes = np.unique(train[target], return_inverse=True)
    probs = word_regression(train, codes, test, texts=["text"], n_classes=len(classes))
    return float((classes[probs.argmax(1)] != test[target]).mean())


def searched(folder: Path, name: str, **options: Any) -> dict[str, Any]:
    """Search a set; return the errors on its test rows."""
    train, test = parts(folder, name)
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as out:
        started = time.monotonic()
        # The model is trained again on all rows of the search, as the regression is.
        result = autoloss.search(
            train, target, test=test, track="off", out=out, refit=True, **options
        )
        seconds = time.monotonic() - started
        model = result.model
        assert model is not None
        shipped = float((model.predict(test) != test[target]).mean())
    (error,) = [one for one in result.verdict.comparisons if one.metric == "error"]
    return {
        "set": name,
        "rows": [len(train), len(test)],
        "decision": result.verdict.decision,
        "tuned_cross_entropy": error.baseline,
        "challenger": error.challenger,
        "shipped": shipped,
        "regression": regression_error(train, test, target),
        "trials": len(result.trials),
        "seconds": seconds,
        "options": options,
    }


def main() -> None:
    """Print the figures of each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--trials", type=int, default=128)
    given = parser.parse_args()
    for name in given.sets:
        figures = searched(
            given.data, name, time_limit=given.time_limit, trials=given.trials, seed=0
        )
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
