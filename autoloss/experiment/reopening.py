"""Reads the data of an existing study again, unchanged."""

from __future__ import annotations

from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data import StudyData
from autoloss.experiment.given import Given, Teacher
from autoloss.experiment.options import SearchOptions, Tables
from autoloss.experiment.own_network import check_again, fingerprint_with
from autoloss.models import OwnModel
from autoloss.search import Study


def read_again(
    study: Study,
    options: SearchOptions,
    tables: Tables,
    *,
    teacher: Teacher | None = None,
    model: OwnModel | None = None,
) -> tuple[StudyData, Tensor | None]:
    """Return the data of a study, divided and encoded as at its start, and the teacher's logits.

    Args:
        study: The study.
        options: Its request.
        tables: The tables, given again if the study began with DataFrames.
        teacher: The teacher, given again if the study does not keep it.
        model: The user's own network, given again if the study began with one.

    Raises:
        InputError: Something is missing, or the data have changed.
    """
    options.check_objects(teacher=teacher, model=model)
    given = Given.of(teacher=options.teacher if teacher is None else teacher)
    prepared = tables.read(options, study.space)
    origin = study.config.origin
    if fingerprint_with(prepared.fingerprint, origin) != study.config.fingerprint:
        raise InputError(
            f"The data must be those that {study.name} began with, but they have changed: "
            "search them under another --name."
        )
    check_again(model, origin, prepared, study.space, study=study.name)
    return prepared, given.teacher_logits(prepared)
