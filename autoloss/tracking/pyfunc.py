"""A saved model as an MLflow pyfunc: signature, input example and pinned requirements."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoloss.classifier import Classifier


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Import and use MLflow without what it says of its own type hints."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def pyfunc_arguments(classifier: Classifier, model: Path) -> dict[str, Any]:
    """Return what `mlflow.pyfunc.save_model` and `log_model` need for a saved model.

    Args:
        classifier: The model.
        model: The folder that it was saved to.
    """
    from autoloss import serving

    with quiet():
        from mlflow.models import infer_signature

    example = serving.input_example(classifier)
    predictions = serving.ServedModel(classifier).predict(example)
    return {
        "loader_module": serving.LOADER,
        "data_path": str(model),
        "signature": infer_signature(example, predictions),
        "input_example": example,
        "pip_requirements": serving.requirements(),
    }
