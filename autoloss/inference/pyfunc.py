"""A saved model behind MLflow's scoring server: what `mlflow.pyfunc` loads, without mlflow.

A pyfunc with ``loader_module="autoloss.serving"`` and the folder of a saved model as its data is
served by ``mlflow models serve``; nothing of it is pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.inference.classifier import Classifier, load
from autoloss.inference.inputs import InputColumn, example_of, input_columns
from autoloss.inference.predictions import PREDICTION, probability_names, table_of

LOADER = "autoloss.serving"
# What decides the numbers that come out, and what reads the files.
_PINNED = (
    "autoloss",
    "numpy",
    "pandas",
    "pyarrow",
    "safetensors",
    "scikit-learn",
    "scipy",
    "torch",
)
# As "boolean" MLflow would silently make a missing flag a false one.
_TYPES = {"number": "double", "flag": "any"}


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
        """Return the decision and the probability of every class, a row each.

        Args:
            model_input: Rows with the columns that the model was trained on.
            params: None are known.

        Raises:
            InputError: Columns are missing, one that mattered is unusable in most rows, or a
                parameter was given.
        """
        if params:
            raise InputError(f"params must be empty, but got {sorted(params)[0]!r}.")
        if not isinstance(model_input, pd.DataFrame):
            raise InputError(
                "the rows must come with the names of their columns (dataframe_split or "
                f"dataframe_records), but got a {type(model_input).__name__}."
            )
        return table_of(self.classifier, self.classifier.predict_proba(model_input))


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> ServedModel:
    """Return the model of a folder; the name is the one that MLflow calls."""
    if model_config:
        raise InputError(f"model_config must be empty, but got {sorted(model_config)[0]!r}.")
    return ServedModel(load(Path(path)))


def input_types(classifier: Classifier) -> list[tuple[str, str]]:
    """Return name and MLflow type of every column that is read, for a signature.

    Whole numbers are ``double`` too, since a gap among them makes them floats.
    """
    return [(column.name, _type(column)) for column in input_columns(classifier)]


def output_types(classifier: Classifier) -> list[tuple[str, str]]:
    """Return name and MLflow type of every column of `ServedModel.predict`, for a signature."""
    names = probability_names(classifier.task)
    return [
        (PREDICTION, _label_type(classifier.task)),
        *((name, "double") for name in names),
    ]


def input_example(classifier: Classifier) -> pd.DataFrame:
    """Return rows to try the model with, made up from what was fitted: no row of the data."""
    return pd.DataFrame(**example_of(classifier)["dataframe_split"])


def requirements() -> list[str]:
    """Return what the model needs, with the versions that are installed here."""
    # A build's own mark, as in 2.10.0+cpu, is on no index.
    return [f"{name}=={version(name).partition('+')[0]}" for name in _PINNED]


def _type(column: InputColumn) -> str:
    """Return the MLflow type of a column."""
    return "string" if column.is_text else _TYPES[column.type]


def _label_type(task: Task) -> str:
    """Return the MLflow type of the labels."""
    classes = task.classes
    if task.are_dates:
        return "datetime"
    if all(isinstance(label, bool) for label in classes):
        return "boolean"
    if all(isinstance(label, int) for label in classes):
        return "long"
    return "double" if all(isinstance(label, int | float) for label in classes) else "string"
