"""The folder and the names of the search spaces that come with autoloss."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from autoloss.core.task import TaskKind

DEFAULT = "default"
_USUAL: dict[TaskKind, str] = {"multilabel": "multilabel", "sequence": "sequence"}
"""The space of a kind of label that the default space is not for."""


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
    return tuple(sorted(names, key=lambda name: (name != DEFAULT, name)))


def shipped_spaces() -> Traversable:
    """Return the folder of the spaces: inside the installed package, beside it in a checkout."""
    inside = resources.files("autoloss") / "search_spaces"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "search_spaces"


def usual_space(name: str | Path, task: TaskKind) -> str | Path:
    """Return the space of a search: for a kind of label its own space in place of the default.

    Its protocol is that of the default space, by which the data were read before the kind was
    known.

    Args:
        name: The space that the user asks for.
        task: The kind of label.

    Examples:
        >>> usual_space("default", "multilabel"), usual_space("quick", "multilabel")
        ('multilabel', 'quick')
    """
    return _USUAL.get(task, name) if name == DEFAULT else name
