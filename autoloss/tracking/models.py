"""Logged models and the model registry of MLflow: the trials that a person can choose among."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoloss.core.errors import InputError
from autoloss.records import Summary
from autoloss.tracking.content import (
    MAX_KEY,
    clip,
    clipped_params,
    clipped_tags,
    points,
    ranked_front,
    to_ms,
)
from autoloss.tracking.experiment import MlflowExperiment
from autoloss.tracking.protocol import SavedModels
from autoloss.tracking.runs import StudyRuns

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

_REFUSED = str.maketrans({"/": "|", ":": "=", ".": "·", "%": "_", '"': "_", "'": "_"})
_KIND, _TRIAL, _STUDY = "classifier", "autoloss.trial", "autoloss.study_id"
_WEIGHTS = "autoloss.weights"
_CHAMPION = "champion"
_EXTERNAL, _VERSIONS = "mlflow.model.isExternal", "mlflow.modelVersions"


def check_register(name: str | None, *, track: str, is_own: bool = False) -> str | None:
    """Check a name for the model registry, and return it.

    Args:
        name: The name; None for none.
        track: Extent of tracking: ``"off"`` for none.
        is_own: Whether the model needs a custom network or custom features.

    Raises:
        InputError: If MLflow refuses the name, tracking is off, or the registered model would
            need custom code.
    """
    if name is None:
        return None
    if not name.strip() or any(mark in name for mark in "/:") or name in (".", ".."):
        raise InputError(
            "The name of a registered model must be without '/' and ':' and not empty, but got "
            f"register={name!r}."
        )
    if is_own:
        raise InputError(
            "register must be left out with a custom network or custom features, whose code no "
            f"saved model has, but got register={name!r}: log the model from your own code."
        )
    if track == "off":
        raise InputError(
            f"register must go with a study in MLflow, but got register={name!r} with track='off'."
        )
    return name


def log_model(
    experiment: MlflowExperiment,
    folder: Path | None,
    *,
    name: str,
    run_id: str,
    params: Mapping[str, str],
    tags: Mapping[str, str],
) -> str:
    """Log a model, with weights for `mlflow.pyfunc.load_model` if they were saved; return its ID.

    A model with weights has a signature, an input example and the versions of the installed
    packages, but no code: ``autoloss.serving`` reads the folder, so that loading needs autoloss.

    Args:
        experiment: The experiment.
        folder: A folder of `Classifier.save`; None for a model without weights, which MLflow calls
            external and refuses to load.
        name: Name of the model, of any characters.
        run_id: ID of its run.
        params: Its parameters.
        tags: Its tags.
    """
    client = experiment.client
    own = {_WEIGHTS: "attached"} if folder else {_WEIGHTS: "not kept", _EXTERNAL: "true"}
    model = client.create_logged_model(
        experiment.open(),
        name=clip(name, MAX_KEY).translate(_REFUSED),
        source_run_id=run_id,
        params=dict(params),
        tags=clipped_tags({**tags, **own}),
        model_type=_KIND,
    )
    try:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "model"
            _write_model(model, folder, path)
            client.log_model_artifacts(model.model_id, str(path))
        client.finalize_logged_model(model.model_id, "READY")
    except BaseException:
        client.delete_logged_model(model.model_id)
        raise
    return str(model.model_id)


def _write_model(model: LoggedModel, folder: Path | None, path: Path) -> None:
    """Write the files of a logged model into a new folder."""
    from autoloss.inference.loading import load
    from autoloss.tracking.pyfunc import pyfunc_arguments, quiet

    with quiet():
        import mlflow.pyfunc
        from mlflow.models import Model
        from mlflow.models.utils import get_external_mlflow_model_spec

        if folder is None:
            path.mkdir()
            get_external_mlflow_model_spec(model).save(str(path / "MLmodel"))
            return
        mlflow.pyfunc.save_model(
            path,
            mlflow_model=Model(model_id=model.model_id, run_id=model.source_run_id),
            **pyfunc_arguments(load(folder), folder),
        )


def log_models(runs: StudyRuns, summary: Summary, saved: SavedModels) -> dict[int, str]:
    """Log the trials of the front and the winner as models; return their IDs by trial.

    A second call changes nothing. Models of trials that left the front are deleted; a model
    without weights is replaced once its weights are saved.

    Args:
        runs: The runs of the study.
        summary: The finished study.
        saved: The models with saved weights.
    """
    experiment = runs.experiment
    wanted = list(dict.fromkeys([*ranked_front(summary), summary.recommended]))
    logged = {}
    for model in _models_of(experiment, runs.study_id):
        number = int(model.tags.get(_TRIAL, "-1"))
        has_weights = model.tags.get(_WEIGHTS) == "attached"
        is_current = number in wanted and (has_weights or number not in saved.folders)
        if is_current and number not in logged and str(model.status) == "READY":
            logged[number] = str(model.model_id)
        elif _VERSIONS not in model.tags:  # a registered version stays
            experiment.client.delete_logged_model(model.model_id)
    children = {number: run.info.run_id for number, run in runs.children_of(runs.parent())}
    for number in wanted:
        if number in logged or number not in children:
            continue
        trial, run_id = summary.trial(number), children[number]
        content: dict[str, Any] = {
            "name": f"#{number:03d} {trial.label}",
            "run_id": run_id,
            "params": clipped_params({**trial.loss, **trial.nuisance}),
            "tags": {
                _STUDY: runs.study_id,
                _TRIAL: str(number),
                "autoloss.study": summary.name,
                "autoloss.readout": trial.readout,
            },
        }
        logged[number] = log_model(experiment, saved.folders.get(number), **content)
        # With the time of the run, so that MLflow stores a repeated metric once.
        measured = points("val", trial.metrics, to_ms(max(trial.started, trial.ended)))
        experiment.log(run_id, points=measured, model_id=logged[number])
    return logged


def register(runs: StudyRuns, summary: Summary, name: str, model_id: str) -> str:
    """Register the winner's model under the alias ``champion``; return its version.

    A registered version of the same model is reused. A tag of a new version names the former
    champion.

    Args:
        runs: The runs of the study.
        summary: The finished study.
        name: Name in the registry.
        model_id: ID of the logged model.
    """
    from mlflow.exceptions import MlflowException

    client = runs.experiment.client
    try:
        known = client.get_registered_model(name)
        before = str(known.aliases.get(_CHAMPION, ""))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(name)
        before = ""
    model, shipped = client.get_logged_model(model_id), summary.trial(summary.recommended)
    # By the run, because a filter cannot contain a name with quotes.
    versions = client.search_model_versions(f"run_id = '{model.source_run_id}'")
    same = [
        str(one.version)
        for one in versions
        if one.name == name and one.tags.get("autoloss.model_id") == model_id
    ]
    if same:
        version = same[0]
    else:
        tags = {
            "autoloss.model_id": model_id,
            "autoloss.study": summary.name,
            "autoloss.loss": shipped.label,
            "autoloss.verdict": summary.verdict.decision,
            **({"autoloss.champion_before": before} if before else {}),
        }
        version = str(
            client.create_model_version(
                name,
                # mlflow would look for models:/ID at the global tracking URI.
                source=model.artifact_location,
                run_id=model.source_run_id,
                tags=clipped_tags(tags),
                model_id=model_id,
                description=summary.verdict.text,
            ).version
        )
        _link(runs.experiment, model, name, version)
    if version != before:
        client.set_registered_model_alias(name, _CHAMPION, version)
    return version


def _link(experiment: MlflowExperiment, model: LoggedModel, name: str, version: str) -> None:
    """Tag a logged model with its registered version, for MLflow's page of the model."""
    try:
        known = json.loads(model.tags.get(_VERSIONS, "[]"))
    except ValueError:
        known = []
    linked = json.dumps([*known, {"name": name, "version": version}])
    experiment.client.set_logged_model_tags(model.model_id, {_VERSIONS: linked})


def _models_of(experiment: MlflowExperiment, study_id: str) -> Iterator[LoggedModel]:
    """Yield the logged models of a study."""
    token = None
    while True:
        page = experiment.client.search_logged_models(
            [experiment.open()], filter_string=f"tags.`{_STUDY}` = '{study_id}'", page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return
