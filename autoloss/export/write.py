"""Writes a model in the requested form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autoloss.core.errors import InputError
from autoloss.export.image_graph import are_pictures
from autoloss.export.model_parts import check_built_in
from autoloss.export.vector_graph import are_vectors
from autoloss.inference.classifier import Classifier
from autoloss.inference.deciding import rejects

Writer = Callable[[Classifier, Path], tuple[Path, ...]]
FORMS = ("mlflow", "onnx", "torch", "code")
ENDINGS = {"onnx": ".onnx", "torch": ".pt2", "code": ".py"}


def export(classifier: Classifier, form: str, path: str | Path) -> tuple[Path, ...]:
    """Write a model for other programs.

    Args:
        classifier: The model.
        form: ``"mlflow"`` (a folder for ``mlflow models serve``), ``"onnx"`` (an ``.onnx`` file),
            ``"torch"`` (a ``.pt2`` file and its tables as JSON) or ``"code"`` (a ``.py`` file and
            its weights).
        path: The file or folder.

    Returns:
        The files, or the folder.

    Raises:
        InputError: If the form does not support the model, or the path cannot be written.
    """
    path = Path(path).expanduser()
    check_path(form, path)
    if are_pictures(classifier) and form == "code":
        raise InputError(
            "a model of images is exported to mlflow, torch and onnx, but got --to code: numpy"
            " has no convolutions."
        )
    if are_vectors(classifier) and form == "code":
        raise InputError(
            "a model of frozen features is exported to mlflow, torch and onnx, but got --to code."
        )
    if form != "mlflow" and rejects(classifier.task, classifier.cost_matrix):
        raise InputError(
            f"a model whose costs allow the decision reject is exported for mlflow alone, but got"
            f" --to {form}."
        )
    # No form contains custom code.
    check_built_in(classifier, form)
    try:
        return _writer(form)(classifier, path)
    except OSError as error:
        raise InputError(
            f"the file must be writable, but got {str(path)!r}: {error.strerror or error}."
        ) from error


def check_path(form: str, path: Path) -> None:
    """Check a form and its path.

    Raises:
        InputError: If the form is unknown, or the path does not suit it.
    """
    if form not in FORMS:
        raise InputError(f"--to must be one of {', '.join(FORMS)}, but got --to={form!r}.")
    ending = ENDINGS.get(form)
    if ending is not None and path.suffix.lower() != ending:
        raise InputError(f"the file of --to {form} must end in {ending}, but got {str(path)!r}.")
    if not path.parent.is_dir():
        raise InputError(f"the file must lie in a folder that exists, but got {str(path)!r}.")
    if ending is None and path.exists():
        raise InputError(f"the folder must not be there yet, but got {str(path)!r}.")
    if ending is not None and path.is_dir():
        raise InputError(f"the file must not be a folder, but got {str(path)!r}.")


def _writer(form: str) -> Writer:
    """Return the writer of a form, whose libraries are imported here alone."""
    if form == "mlflow":
        from autoloss.tracking.pyfunc import write_pyfunc

        return write_pyfunc
    if form == "onnx":
        from autoloss.export.onnx_graph import write_onnx

        return write_onnx
    if form == "torch":
        from autoloss.export.torch_program import write_program

        return write_program
    from autoloss.export.code import write_code

    return write_code
