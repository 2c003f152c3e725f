"""Requests to an MLflow server without mlflow: whether it answers, and its version."""

from __future__ import annotations

import base64
import http.client
import os
import re
import ssl
import urllib.error
import urllib.request
from urllib.parse import unquote, urlsplit

from autoloss.core.secrets import redacted
from autoloss.tracking.failures import Away

_PATIENCE = 5.0
_USER = re.compile(r"(?<=://)[^/@]*@")
_TRUE = ("true", "1")


def check_answers(uri: str) -> None:
    """Check that a server answers at all, faster than a request of mlflow.

    Raises:
        Away: If it does not.
    """
    address = _address(uri, "/health")
    try:
        urllib.request.urlopen(address, timeout=_PATIENCE).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except urllib.error.URLError as error:
        # The server may have a certificate that only mlflow trusts.
        if not isinstance(error.reason, ssl.SSLError):
            raise Away(f"MLflow at {redacted(uri)} does not answer.") from error
    except (OSError, http.client.HTTPException) as error:
        raise Away(f"MLflow at {redacted(uri)} does not answer.") from error


def server_version(uri: str) -> str:
    """Return the version of a server; empty if it does not say."""
    request, context = _signed_request(uri), _ssl_context()
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE, context=context) as answer:
            text = answer.read(100).decode("ascii").strip().strip('"')
    except (OSError, ValueError):
        return ""
    return text if re.fullmatch(r"\d+\.\d+\S*", text) else ""


def _address(uri: str, path: str) -> str:
    """Return the address of a path on a server, without user and password."""
    return _USER.sub("", uri.rstrip("/")) + path


def _signed_request(uri: str) -> urllib.request.Request:
    """Return a request for the version, with the credentials that mlflow would send."""
    request, parts = urllib.request.Request(_address(uri, "/version")), urlsplit(uri)
    user = os.environ.get("MLFLOW_TRACKING_USERNAME") or unquote(parts.username or "")
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD") or unquote(parts.password or "")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if user and password:
        signed = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {signed}")
    elif token:
        request.add_header("Authorization", f"Bearer {token}")
    return request


def _ssl_context() -> ssl.SSLContext:
    """Return the trusted certificates, by the environment variables of mlflow."""
    authority = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    context = ssl.create_default_context(cafile=authority or None)
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in _TRUE:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
