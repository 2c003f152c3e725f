"""The model that `mlflow.pyfunc` loads for MLflow's scoring server, without importing mlflow.

A pyfunc with ``loader_module="autoloss.serving"`` and the folder of a saved model as its data is
served by ``mlflow models serve``; nothing in it is pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data.input_kinds import kind_of_encoding
from autoloss.inference.classifier import Classifier
from autoloss.inference.deciding import rejects
from autoloss.inference.loading import load
from autoloss.inference.predicting import PREDICTION, probability_names, table_of
from autoloss.inference.tagging import PROBABILITY, tagged

LOADER = "autoloss.serving"
# The packages that decide the predictions, and the packages that read the files.
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


class ServedModel:
    """A classifier with the interface of `mlflow.pyfunc`.

    Args:
        classifier: The classifier.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a table with the decision and the probability of every class for each row.

        Of sequences it has the lists ``prediction`` and ``probability`` of the decided tags.

        Args:
            model_input: Rows with the columns that the model was trained on.
            params: Must be empty: there are no parameters.

        Raises:
            InputError: A column is missing, a column that mattered is unusable in most rows, or a
                parameter was given.
        """
        if params:
            raise InputError(f"params must be empty, but got {sorted(params)[0]!r}.")
        if not isinstance(model_input, pd.DataFrame):
            raise InputError(
                "the rows must come with the names of their columns (dataframe_split or "
                f"dataframe_records), but got a {type(model_input).__name__}."
            )
        if self.classifier.task.kind == "sequence":
            tags, probs = tagged(self.classifier, model_input)
            lists = {PREDICTION: tags, PROBABILITY: probs}
            return pd.DataFrame({name: [x.tolist() for x in own] for name, own in lists.items()})
        return table_of(self.classifier, self.classifier.predict_proba(model_input))


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> ServedModel:
    """Return the model of a folder; MLflow calls this function by its name."""
    if model_config:
        raise InputError(f"model_config must be empty, but got {sorted(model_config)[0]!r}.")
    return ServedModel(load(Path(path)))


def input_types(classifier: Classifier) -> list[tuple[str, str]]:
    """Return the name and MLflow type of every input column, for a signature."""
    encodings = classifier.encodings
    return kind_of_encoding(encodings[0]).signature(encodings)


def output_types(classifier: Classifier) -> list[tuple[str, str]]:
    """Return the name and MLflow type of every column of `ServedModel.predict`."""
    if classifier.task.kind == "sequence":
        return [(PREDICTION, "any"), (PROBABILITY, "any")]
    names = probability_names(classifier.task)
    return [
        (
            PREDICTION,
            "string"
            if rejects(classifier.task, classifier.cost_matrix)
            else _label_type(classifier.task),
        ),
        *((name, "double") for name in names),
    ]


def input_example(classifier: Classifier) -> pd.DataFrame:
    """Return made-up rows to try the model with; none is a row of the data."""
    encodings = classifier.encodings
    example = kind_of_encoding(encodings[0]).example(encodings)
    return pd.DataFrame(**example["dataframe_split"])


def requirements(classifier: Classifier) -> list[str]:
    """Return the packages that the model needs, with the installed versions."""
    encodings = classifier.encodings
    names = (*_PINNED, *kind_of_encoding(encodings[0]).needs(encodings))
    # A local version such as 2.10.0+cpu is on no index.
    return [f"{name}=={version(name).partition('+')[0]}" for name in names]


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
