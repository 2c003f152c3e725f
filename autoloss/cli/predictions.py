"""Predictions as a table, and the file that they go to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from autoloss.errors import InputError

if TYPE_CHECKING:
    from autoloss.classifier import Classifier

_ENDINGS = (".csv", ".parquet")


def model_folder(model: str, *, out: Path = Path("reports")) -> Path:
    """Return the folder that a study's name or a path stands for."""
    folder = Path(model).expanduser()
    return folder if folder.exists() or folder.is_absolute() else out / model


def check_output(file: Path, *, data: str) -> None:
    """Check that predictions can be written to `file`.

    Raises:
        InputError: If its ending says no format, its folder is not there, or it is DATA.
    """
    if file.suffix.lower() not in _ENDINGS:
        raise InputError(f"FILE must end in .csv or .parquet, but got FILE={str(file)!r}.")
    if not file.parent.is_dir():
        raise InputError(f"FILE must lie in a folder that exists, but got FILE={str(file)!r}.")
    if file.is_dir() or (file.exists() and Path(data).exists() and file.samefile(data)):
        raise InputError(f"FILE must be another file than DATA, but got FILE={str(file)!r}.")


def predictions(classifier: Classifier, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the predicted label and the probability of each class, one row a row of `frame`."""
    probs = classifier.predict_proba(frame)
    columns = {
        f"probability_{label}": probs[:, code]
        for code, label in enumerate(classifier.task.classes)
    }
    return pd.DataFrame({"prediction": classifier.classes[classifier.decisions(probs)], **columns})


def write(rows: pd.DataFrame, file: Path) -> None:
    """Write a table in the format of the file's ending, in one step.

    Raises:
        InputError: If the file cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".part")
        os.close(handle)
        part = Path(name)
        try:
            if file.suffix.lower() == ".csv":
                rows.to_csv(part, index=False, lineterminator="\n")
            else:
                rows.to_parquet(part, index=False)
            # mkstemp gives the owner alone a right to read.
            part.chmod(0o644)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"FILE must be writable, but got FILE={str(file)!r}: {reason}."
        ) from error
