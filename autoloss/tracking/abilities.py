"""What an MLflow store can show, found out before the first run is written."""

from __future__ import annotations

import base64
import os
import re
import ssl
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from autoloss.tracking.uri import is_server, redacted
from autoloss.tracking.view import LOOKED_AT, SINCE

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PATIENCE = 5.0
_USER = re.compile(r"(?<=://)[^/@]*@")
_NO_SUCH_THING = ("ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED", "FEATURE_DISABLED")
_TRUE = ("true", "1")


@dataclass(frozen=True)
class Abilities:
    """What a store can show besides runs.

    Args:
        has_models: Whether it has LoggedModels, the "Models" of an experiment.
        has_views: Whether its page has saved views, as far as is known.
        notes: What is missing because of it, a sentence each.
    """

    has_models: bool = True
    has_views: bool = True
    notes: tuple[str, ...] = ()


def find_abilities(client: MlflowClient, uri: str, experiment_id: str) -> Abilities:
    """Return what the store can show: asked of the store where that is possible.

    Args:
        client: A client of the store.
        uri: The tracking URI.
        experiment_id: MLflow's number of an experiment.
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
            f"{where} has no logged models (they came with 3.0): the trials are plain runs, and "
            "the Models tab stays empty."
        )
    has_views = SINCE <= number < (4,) if number else True
    if not has_views:
        notes.append(
            f"{where} does not have the saved views of MLflow 3.15 and later 3.x: the link opens "
            "the plain list of runs."
        )
    elif number[:2] > LOOKED_AT:
        notes.append(
            f"{where} is newer than {'.'.join(map(str, LOOKED_AT))}, with which the view 'Choose "
            "a winner' was looked at: where its page opens without charts, the report has them."
        )
    return Abilities(has_models, has_views, tuple(notes))


def _answers_for_models(client: MlflowClient, experiment_id: str) -> bool:
    """Return whether the store knows what a logged model is."""
    try:
        client.search_logged_models([experiment_id], max_results=1)
    except Exception as error:
        code = str(getattr(error, "error_code", ""))
        is_unknown = isinstance(error, NotImplementedError | AttributeError)
        # A server that is away or refuses raises something else, which its caller must see.
        if is_unknown or code in _NO_SUCH_THING or "error code 404" in str(error):
            return False
        raise
    return True


def _version(uri: str) -> str:
    """Return the version of a store, of the installed mlflow where it has no server; or ""."""
    if not is_server(uri):
        if "databricks" in uri.partition(":")[0]:
            return ""
        import mlflow

        return str(mlflow.__version__)
    try:
        with urllib.request.urlopen(_request(uri), timeout=_PATIENCE, context=_trust()) as answer:
            text = answer.read(100).decode("ascii").strip().strip('"')
    except (OSError, ValueError):
        return ""
    return text if re.fullmatch(r"\d+\.\d+\S*", text) else ""


def _request(uri: str) -> urllib.request.Request:
    """Return the question for the version, signed as mlflow signs its own."""
    address = _USER.sub("", uri.rstrip("/")) + "/version"
    request, parts = urllib.request.Request(address), urlsplit(uri)
    user = os.environ.get("MLFLOW_TRACKING_USERNAME") or unquote(parts.username or "")
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD") or unquote(parts.password or "")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if user and password:
        signed = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {signed}")
    elif token:
        request.add_header("Authorization", f"Bearer {token}")
    return request


def _trust() -> ssl.SSLContext:
    """Return which certificates are trusted, by the variables that mlflow reads."""
    authority = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    context = ssl.create_default_context(cafile=authority or None)
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in _TRUE:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
