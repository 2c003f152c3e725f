"""The folder and the names of the search spaces that come with autoloss."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path


def space_names() -> tuple[str, ...]:
    """Return the names of the spaces that come with autoloss, default first.

    Examples:
        >>> space_names()[:2]
        ('default', 'calibration')
    """
    names = [
        entry.name.removesuffix(".toml")
        for entry in shipped_spaces().iterdir()
        if entry.name.endswith(".toml")
    ]
    return tuple(sorted(names, key=lambda name: (name != "default", name)))


def shipped_spaces() -> Traversable:
    """Return the folder of the spaces: inside the installed package, beside it in a checkout."""
    inside = resources.files("autoloss") / "search_spaces"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "search_spaces"
