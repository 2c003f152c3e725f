"""Texts without passwords, tokens and keys: of URLs, and of environment variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

HIDDEN = "***"
_LEAST = 6
"""Characters of an environment variable from which on its value is looked for in a text."""
_WORDS = r"pass|pwd|token|secret|credential|signature|(?:api|access|account|private)[_-]?key"
_NAME = re.compile(_WORDS, re.IGNORECASE)
_FOLDERS = re.compile(r"(?:OLD)?PWD|\w*_ASKPASS")
"""Variables of every shell that hold a folder, or a program, despite their names."""
_PASSWORD = re.compile(
    r"(?<=://)([^/@:\s]*)"
    r":(?!\d+(?:[/?#]|$))"  # A port has no password behind it.
    r"(?:[^/\s]*|[^@\n]*)@"
)
"""Python's parser of URLs takes an ``@`` for a part of the password, SQLAlchemy's a ``/`` or a
space."""
_ALONE = re.compile(r"(?<=://)[^/@:\s]{16,}@")
"""A token in place of user and password."""
_QUERY = re.compile(rf"([?&;](?:[\w.%-]*(?:{_WORDS})[\w.%-]*)=)[^&;#\s\"']+", re.IGNORECASE)


def redacted(text: str) -> str:
    """Return a URL, or a text that contains URLs, with ``***`` in place of each secret.

    Secrets are the password behind the user, a long name alone before the host, and the values of
    the query whose names speak of a password, token, secret, credential, signature or key.

    Examples:
        >>> redacted("postgresql://me:secret@db/mlflow")
        'postgresql://me:***@db/mlflow'
        >>> redacted("postgresql://db/mlflow?user=me&password=secret")
        'postgresql://db/mlflow?user=me&password=***'
        >>> redacted("http://127.0.0.1:5000/#/experiments")
        'http://127.0.0.1:5000/#/experiments'
    """
    if "://" not in text:
        return text
    text = _PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    return _QUERY.sub(rf"\1{HIDDEN}", _ALONE.sub(f"{HIDDEN}@", text))


def without_secrets(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a text without the secrets of its URLs and of the environment.

    Args:
        text: The text.
        environment: The environment variables; a name that speaks of a secret marks a secret.
    """
    text = redacted(text)
    secrets = {
        value
        for name, value in environment.items()
        if _NAME.search(name) and not _FOLDERS.fullmatch(name)
    }
    for value in sorted(secrets, key=len, reverse=True):
        if len(value) >= _LEAST:
            text = text.replace(value, HIDDEN)
    return text
