"""``autoloss list``: the studies of a folder."""

from __future__ import annotations

from autoloss.cli import options


def list_studies(*, out: options.Out = options.OUT) -> None:
    """List the studies of a folder: how far each is, and its verdict."""
