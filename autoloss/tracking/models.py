"""Logged models of MLflow: the candidates that a person chooses among, and the registry."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoloss.records import Summary
from autoloss.tracking.content import MAX_KEY, clip, clipped_params, clipped_tags, points, to_ms
from autoloss.tracking.note import ranked_front
from autoloss.tracking.runs import StudyRuns
from autoloss.tracking.session import Session
from autoloss.tracking.shelf import CHAMPION, Shelf

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

_REFUSED = str.maketrans({"/": "|", ":": "=", ".": "·", "%": "_", '"': "_", "'": "_"})
_KIND, _TRIAL, _STUDY = "classifier", "autoloss.trial", "autoloss.study_id"
_WEIGHTS = "autoloss.weights"
_EXTERNAL, _VERSIONS = "mlflow.model.isExternal", "mlflow.modelVersions"


def log_model(
    session: Session,
    folder: Path,
    *,
    name: str,
    run_id: str,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Log a saved model as a pyfunc that `mlflow.pyfunc.load_model` loads; return its id.

    It has a signature, an input example and the versions of the packages that are installed here.
    No code travels with it: ``autoloss.serving`` reads the folder, so that whoever loads it needs
    autoloss.

    Args:
        session: The experiment.
        folder: The folder that `Classifier.save` wrote.
        name: Its name, of any characters.
        run_id: The run that it belongs to.
        params: Its parameters.
        tags: Its tags.
    """
    from autoloss.inference.loading import load
    from autoloss.tracking.pyfunc import pyfunc_arguments, quiet

    with quiet():
        import mlflow.pyfunc
        from mlflow.models import Model

    client = session.client
    model = client.create_logged_model(
        session.open(),
        name=clip(name, MAX_KEY).translate(_REFUSED),
        source_run_id=run_id,
        params=dict(params or {}),
        tags={**clipped_tags(tags or {}), _WEIGHTS: "attached"},
        model_type=_KIND,
    )
    try:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "model"
            with quiet():
                mlflow.pyfunc.save_model(
                    path,
                    mlflow_model=Model(model_id=model.model_id, run_id=run_id),
                    **pyfunc_arguments(load(folder), folder),
                )
            client.log_model_artifacts(model.model_id, str(path))
        client.finalize_logged_model(model.model_id, "READY")
    except BaseException:
        client.delete_logged_model(model.model_id)
        raise
    return str(model.model_id)


def log_entry(
    session: Session, *, name: str, run_id: str, params: Mapping[str, str], tags: Mapping[str, str]
) -> str:
    """Log a candidate whose weights were not kept, with parameters alone; return its id.

    MLflow calls such a model external, and says so to whoever tries to load it.
    """
    from autoloss.tracking.pyfunc import quiet

    with quiet():
        from mlflow.models.utils import get_external_mlflow_model_spec

    client = session.client
    model = client.create_logged_model(
        session.open(),
        name=clip(name, MAX_KEY).translate(_REFUSED),
        source_run_id=run_id,
        params=dict(params),
        tags={**clipped_tags(tags), _WEIGHTS: "not kept", _EXTERNAL: "true"},
        model_type=_KIND,
    )
    with tempfile.TemporaryDirectory() as place:
        get_external_mlflow_model_spec(model).save(str(Path(place) / "MLmodel"))
        client.log_model_artifacts(model.model_id, place)
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def shelve(runs: StudyRuns, summary: Summary, shelf: Shelf) -> dict[int, str]:
    """Show the front and what ships as logged models, and no other trial; return their ids.

    A second call leaves the same: what is there stays, what left the front is deleted, an entry
    whose weights have come since is made again.

    Args:
        runs: The runs of the study.
        summary: The finished study.
        shelf: The models whose weights are kept.
    """
    session = runs.session
    wanted = list(dict.fromkeys([*ranked_front(summary), summary.recommended]))
    there = {}
    for model in _models_of(session, runs.study_id):
        number = int(model.tags.get(_TRIAL, "-1"))
        has_weights = model.tags.get(_WEIGHTS) == "attached"
        is_current = number in wanted and (has_weights or number not in shelf.models)
        if is_current and number not in there and str(model.status) == "READY":
            there[number] = str(model.model_id)
        elif _VERSIONS not in model.tags:  # the registry may go back to one that it has
            session.client.delete_logged_model(model.model_id)
    children = {number: run.info.run_id for number, run in runs.children_of(runs.parent())}
    for number in wanted:
        if number in there or number not in children:
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
        folder = shelf.models.get(number)
        there[number] = (
            log_model(session, folder, **content) if folder else log_entry(session, **content)
        )
        # With the run's own time: written twice, a metric is stored once.
        measured = points("val", trial.metrics, to_ms(max(trial.started, trial.ended)))
        session.log(run_id, points=measured, model_id=there[number])
    return there


def register(runs: StudyRuns, summary: Summary, name: str, model_id: str) -> str:
    """Register the model that ships and give it the alias ``champion``; return its version.

    A version of the same model is used again. The version that was champion before is named in a
    tag of the new one.

    Args:
        runs: The runs of the study.
        summary: The finished study.
        name: Name in the registry.
        model_id: The logged model.
    """
    from mlflow.exceptions import MlflowException

    client = runs.session.client
    try:
        known = client.get_registered_model(name)
        before = str(known.aliases.get(CHAMPION, ""))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(name)
        before = ""
    model, shipped = client.get_logged_model(model_id), summary.trial(summary.recommended)
    # By the run, because a filter has no way to write a name with quotes.
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
                # Given as models:/ID, mlflow would look for it at the global tracking URI.
                source=model.artifact_location,
                run_id=model.source_run_id,
                tags=clipped_tags(tags),
                model_id=model_id,
                description=summary.verdict.text,
            ).version
        )
        _link(runs.session, model, name, version)
    if version != before:
        client.set_registered_model_alias(name, CHAMPION, version)
    return version


def _link(session: Session, model: LoggedModel, name: str, version: str) -> None:
    """Show on a logged model under what it is registered, where MLflow's page looks for it."""
    try:
        known = json.loads(model.tags.get(_VERSIONS, "[]"))
    except ValueError:
        known = []
    linked = json.dumps([*known, {"name": name, "version": version}])
    session.client.set_logged_model_tags(model.model_id, {_VERSIONS: linked})


def _models_of(session: Session, study_id: str) -> Iterator[LoggedModel]:
    """Yield the logged models of a study."""
    token = None
    while True:
        page = session.client.search_logged_models(
            [session.open()], filter_string=f"tags.`{_STUDY}` = '{study_id}'", page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return
