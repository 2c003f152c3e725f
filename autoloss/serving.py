"""A saved model behind MLflow's scoring server: what `mlflow.pyfunc` loads, without mlflow."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from autoloss.classifier import Classifier, load
from autoloss.data.categories import CategoryColumn
from autoloss.data.dates import DateColumn
from autoloss.data.numbers import NumericColumn

LOADER = "autoloss.serving"
_PINNED = ("autoloss", "numpy", "pandas", "safetensors", "scikit-learn", "scipy", "torch")


class ServedModel:
    """A classifier as `mlflow.pyfunc` calls it.

    Args:
        classifier: The classifier.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return the decision and the probability of every class, a row each."""
        probs = self.classifier.predict_proba(model_input)
        columns = {
            f"probability_{label}": probs[:, code]
            for code, label in enumerate(self.classifier.task.classes)
        }
        decided = self.classifier.classes[self.classifier.decisions(probs)]
        return pd.DataFrame({"prediction": decided, **columns})


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> ServedModel:
    """Return the model of a folder; the name is the one that MLflow calls."""
    return ServedModel(load(Path(path)))


def input_example(classifier: Classifier) -> pd.DataFrame:
    """Return a row to try the model with, made up from what was fitted: no row of the data."""
    columns = {one.name: one for m in classifier.members for one in m.encoding.columns}
    return pd.DataFrame({name: [_usual(column)] for name, column in columns.items()})


def requirements() -> list[str]:
    """Return what the model needs, with the versions that are installed here."""
    # A build's own mark, as in 2.10.0+cpu, is on no index.
    return [f"{name}=={version(name).partition('+')[0]}" for name in _PINNED]


def _usual(column: object) -> Any:
    """Return a cell of a column."""
    if isinstance(column, NumericColumn):
        return float(column.scale.center)
    if isinstance(column, CategoryColumn):
        return column.levels[0] if column.levels else ""
    return "2024-01-01" if isinstance(column, DateColumn) else "some text"
