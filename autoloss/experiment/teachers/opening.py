"""Opens the teacher that a user gives: a word, a folder, a file, code, or an object."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from autoloss.core.errors import InputError
from autoloss.core.option import full_path, full_source
from autoloss.core.own_code import Origin, admit, check_unchanged, module_of, named_in
from autoloss.data.exchange import is_frame
from autoloss.data.messages import one_line
from autoloss.experiment.teachers.boosted import boosting
from autoloss.experiment.teachers.of_study import of_study
from autoloss.experiment.teachers.predictions import of_predictions
from autoloss.experiment.teachers.predictors import Estimator, of_predictor
from autoloss.experiment.teachers.teacher import TeacherSource
from autoloss.inference.classifier import Classifier
from autoloss.inference.loading import load

_WORDS = {"boosting": boosting, "self": of_study}
GivenTeacher = Classifier | Estimator | nn.Module | pd.DataFrame | str | Path
"""The forms of a teacher that a user may give."""
_PICKLES = (".joblib", ".pkl", ".pickle")
_FORMS = (
    "boosting, self, a model's folder, a file of predictions, a Classifier, a fitted estimator"
    " with predict_proba or a torch.nn.Module"
)


def full_teacher(text: str) -> str:
    """Return the path of a teacher with its folders, and a word unchanged."""
    if text in _WORDS:
        return text
    return full_source(text) if ".py:" in text else full_path(text)


def open_teacher(
    teacher: GivenTeacher | None, *, trust_pickle: bool = False, sha256: str = ""
) -> TeacherSource | None:
    """Return a teacher, before the data are read; None for none.

    Args:
        teacher: The teacher.
        trust_pickle: Whether a file may be unpickled, which runs any code that is in it.
        sha256: The hash that its file must have; empty for any.

    Raises:
        InputError: It is not a teacher, or its file cannot be read or has changed.
    """
    if teacher is None:
        return None
    if isinstance(teacher, str) and teacher in _WORDS:
        return _WORDS[teacher]()
    if isinstance(teacher, str | Path):
        return _from_path(str(teacher), trust_pickle=trust_pickle, sha256=sha256)
    return _from_object(teacher, type(teacher).__name__)


def _from_path(text: str, *, trust_pickle: bool, sha256: str) -> TeacherSource:
    place, _, name = text.rpartition(":")
    if place.endswith(".py"):
        module, origin = module_of(place, argument="teacher")
        check_unchanged(place, origin.sha256, sha256, study="the study")
        found = named_in(module, name, place=place, argument="teacher")
        is_made = isinstance(found, Classifier | Estimator | nn.Module)
        return _from_object(found if is_made else _called(found, text), name, origin.sha256)
    path = Path(text).expanduser()
    if not path.exists():
        raise InputError(f"teacher must be {_FORMS}, but there is no file or folder {text!r}.")
    if not path.is_file():
        return of_predictor(load(path))
    found_hash = hashlib.sha256(path.read_bytes()).hexdigest()
    check_unchanged(text, found_hash, sha256, study="the study")
    if path.suffix.lower() not in _PICKLES:
        return of_predictions(path, sha256=found_hash)
    if not trust_pickle:
        raise InputError(
            f"{text} must be trusted to be opened, because a pickle can run any code: add"
            " --trust-pickle (in Python trust_pickle=True) if you or somebody you trust wrote it."
        )
    admit(Origin(str(path.resolve()), found_hash), argument="teacher")
    return _from_object(_unpickled(path), path.name, found_hash)


def _from_object(teacher: Any, name: str, sha256: str = "") -> TeacherSource:
    if isinstance(teacher, Classifier | Estimator | nn.Module):
        return of_predictor(teacher, sha256=sha256)
    if is_frame(teacher):
        return of_predictions(teacher, sha256=sha256)
    if hasattr(teacher, "predict_proba"):
        raise InputError(f"teacher must be fitted, but {name} has no classes yet.")
    if hasattr(teacher, "fit"):
        raise InputError(f"teacher must have predict_proba, but {name} has none.")
    raise InputError(f"teacher must be {_FORMS}, but got {name}.")


def _called(make: Any, place: str) -> Any:
    """Return the teacher that a custom function makes."""
    try:
        return make()
    except Exception as error:
        raise InputError(
            f"teacher must be made by {place}, but it gave {type(error).__name__}:"
            f" {one_line(error)}."
        ) from error


def _unpickled(path: Path) -> Any:
    import joblib

    try:
        return joblib.load(path)
    except Exception as error:
        raise InputError(
            f"{path} must be a file of joblib or pickle that opens here, but it gave"
            f" {type(error).__name__}: {one_line(error)}."
        ) from error
