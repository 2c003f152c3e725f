"""The name of the user."""

from __future__ import annotations

import getpass


def user_name() -> str:
    """Return the name of the user, if the system knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
