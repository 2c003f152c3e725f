"""A saved model as an MLflow pyfunc: signature, input example and pinned requirements."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoloss.core.errors import InputError
from autoloss.tracking.client import silenced

if TYPE_CHECKING:
    from autoloss.inference.classifier import Classifier


def write_pyfunc(classifier: Classifier, folder: Path) -> tuple[Path, ...]:
    """Write a model as a pyfunc into a new folder; return the folder."""
    with tempfile.TemporaryDirectory() as place:
        return (save_pyfunc(classifier.save(Path(place) / "model"), folder),)


def save_pyfunc(model: str | Path, folder: str | Path) -> Path:
    """Write a saved model as a pyfunc into a new folder; return the folder.

    Args:
        model: A folder of `Classifier.save`.
        folder: The new folder.

    Raises:
        InputError: If the model is missing, or the folder exists.
    """
    from autoloss.inference.loading import load

    folder = Path(folder)
    if folder.exists():
        raise InputError(f"FOLDER must not be there yet, but got FOLDER={str(folder)!r}.")
    classifier = load(model)
    with quiet():
        import mlflow.pyfunc

        with silenced():
            mlflow.pyfunc.save_model(path=str(folder), **pyfunc_arguments(classifier, Path(model)))
    return folder


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Import and use MLflow without its warnings, which are about its own type hints."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def pyfunc_arguments(classifier: Classifier, model: Path) -> dict[str, Any]:
    """Return the arguments of `mlflow.pyfunc.save_model` for a saved model.

    Args:
        classifier: The model.
        model: The folder of the saved model.
    """
    from autoloss.inference import pyfunc as serving

    return {
        "loader_module": serving.LOADER,
        "data_path": str(model),
        "signature": signature_of(classifier),
        "input_example": serving.input_example(classifier),
        "pip_requirements": serving.requirements(classifier),
    }


def signature_of(classifier: Classifier) -> Any:
    """Return the signature of a model: names and types of inputs and outputs."""
    from autoloss.inference import pyfunc as serving

    with quiet():
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema
        from mlflow.types.schema import AnyType

    def schema(types: list[tuple[str, str]]) -> Any:
        anything: Any = AnyType
        return Schema(
            [ColSpec(anything() if kind == "any" else kind, name) for name, kind in types]
        )

    return ModelSignature(
        inputs=schema(serving.input_types(classifier)),
        outputs=schema(serving.output_types(classifier)),
    )
