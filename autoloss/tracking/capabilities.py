"""Checks whether an MLflow store has logged models and saved views."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloss.core.secrets import redacted
from autoloss.tracking.server import server_version
from autoloss.tracking.uri import is_server
from autoloss.tracking.view import SINCE, TESTED

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PATIENCE = 5.0
_USER = re.compile(r"(?<=://)[^/@]*@")
_NO_SUCH_THING = ("ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED", "FEATURE_DISABLED")
_TRUE = ("true", "1")


@dataclass(frozen=True)
class Capabilities:
    """The features of a store besides runs.

    Args:
        has_models: Whether it has LoggedModels, the "Models" of an experiment.
        has_views: Whether its page has saved views, to the best of our knowledge.
        notes: Consequences of missing features, a sentence each.
    """

    has_models: bool = True
    has_views: bool = True
    notes: tuple[str, ...] = ()


def find_capabilities(client: MlflowClient, uri: str, experiment_id: str) -> Capabilities:
    """Return the features of a store, from its version and its answer to a request.

    Args:
        client: A client of the store.
        uri: The tracking URI.
        experiment_id: ID of an experiment in the store.
    """
    version = _version(uri)
    where = f"MLflow {version or 'of an unknown version'} at {redacted(uri)}"
    number = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    notes = []
    has_models = number[:1] >= (3,) if number else True
    if has_models:
        has_models = _answers_for_models(client, experiment_id)
    if not has_models:
        notes.append(
            f"{where} has no logged models, which need 3.0: trials are plain runs, and the "
            "Models tab stays empty."
        )
    has_views = SINCE <= number < (4,) if number else True
    if not has_views:
        notes.append(
            f"{where} does not have the saved views of MLflow 3.15 and later 3.x: the link opens "
            "the plain list of runs."
        )
    elif number[:2] > TESTED:
        notes.append(
            f"{where} is newer than {'.'.join(map(str, TESTED))}, with which the view 'Choose a "
            "winner' was tested: if its page opens without charts, see the report."
        )
    return Capabilities(has_models, has_views, tuple(notes))


def _answers_for_models(client: MlflowClient, experiment_id: str) -> bool:
    """Return whether the store answers a search for logged models."""
    try:
        client.search_logged_models([experiment_id], max_results=1)
    except Exception as error:
        code = str(getattr(error, "error_code", ""))
        is_missing = isinstance(error, NotImplementedError | AttributeError)
        # The errors of an unreachable or refusing server are the caller's.
        if is_missing or code in _NO_SUCH_THING or "error code 404" in str(error):
            return False
        raise
    return True


def _version(uri: str) -> str:
    """Return the version of a server, else of the installed mlflow; empty if unknown."""
    if is_server(uri):
        return server_version(uri)
    if "databricks" in uri.partition(":")[0]:
        return ""
    import mlflow

    return str(mlflow.__version__)
