"""Reads the winner that a user chose in MLflow with the tag ``autoloss.choose`` on its run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autoloss.core.errors import AutolossError, InputError
from autoloss.core.secrets import redacted
from autoloss.tracking.experiment import MlflowExperiment
from autoloss.tracking.failures import classified
from autoloss.tracking.identity import read_identity
from autoloss.tracking.runs import StudyRuns
from autoloss.tracking.uri_check import resolve

TAG = "autoloss.choose"
_NO = ("false", "no", "0", "off")
_YES = ("", "true", "yes", "1", "on", "x")


@dataclass(frozen=True)
class ChosenTrial:
    """A trial that a user chose.

    Args:
        number: Number of the trial.
        reason: The value of the tag, or a general reason if the value is only a yes.
    """

    number: int
    reason: str


def read_chosen_trial(folder: Path, *, uri: str | None = None) -> ChosenTrial:
    """Return the trial of a study whose run has the tag.

    Args:
        folder: The study's folder.
        uri: The tracking URI; None for the study's own.

    Raises:
        InputError: If no run or several runs have the tag, or the study is not in MLflow.
        AutolossError: If MLflow does not answer.
    """
    known = read_identity(folder)
    if known.uri is None:
        raise InputError(
            f"{folder} must be a study with runs in MLflow, but was not tracked from here: "
            "name the trial with --trial N."
        )
    place = resolve(uri, remembered=known.uri)
    try:
        tagged = _tagged(place, known.study_id, known.experiment_id)
    except Exception as error:
        raise AutolossError(str(classified(error, place, is_general=True))) from error
    if not tagged:
        raise InputError(
            f"One run must have the tag {TAG}, with the reason as its value, but got none in "
            f"{redacted(place)}: add the tag on the page of the run, under Tags."
        )
    if len(tagged) > 1:
        numbers = ", ".join(str(trial.number) for trial in tagged)
        raise InputError(
            f"One run must have the tag {TAG}, but got trials={numbers}: remove the tag from the "
            "others."
        )
    return tagged[0]


def _tagged(uri: str, study_id: str, experiment_id: str | None) -> list[ChosenTrial]:
    """Return all trials of a study whose runs have the tag."""
    experiment = MlflowExperiment(uri, name="")
    experiment.experiment_id = experiment_id
    if experiment_id is None:
        return []
    runs = StudyRuns(experiment, study_name="", study_id=study_id)
    chosen = {}
    for parent in experiment.search(f"tags.`autoloss.study_id` = '{study_id}'"):
        for number, run in runs.children_of(parent.info.run_id):
            value = run.data.tags.get(TAG, "no").strip()
            if value.lower() not in _NO:
                reason = "Chosen in the dashboard." if value.lower() in _YES else value
                chosen[number] = ChosenTrial(number, reason)
    return [chosen[number] for number in sorted(chosen)]
