"""The nodes of a search are alike: the same versions, and the user's files at the same paths."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from autoloss.core.errors import InputError

SAME = ("autoloss", "torch")
"""Packages that must be the same on all nodes, because results depend on them."""


def versions_here() -> dict[str, str]:
    """Return the versions of Python and the packages in this process."""
    return {"Python": platform.python_version(), **{name: version(name) for name in SAME}}


def check_versions(node: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Check that a node has the versions of a search.

    Args:
        node: Its name.
        found: Its versions.
        wanted: The versions of the process that asks and tells.

    Raises:
        InputError: They differ; one line names the package and the remedy.
    """
    for name, own in wanted.items():
        # The part after the plus sign tells the build, such as that of CUDA.
        if found[name].split("+")[0] != own.split("+")[0]:
            raise InputError(
                f"Every node of the Ray cluster must have {name} {own}, as here, but {node} has "
                f"{found[name]}: install the same version there."
            )


def check_files(node: str, missing: Sequence[str]) -> None:
    """Check that a node has all custom files.

    Args:
        node: Its name.
        missing: The files that it lacks.

    Raises:
        InputError: There are some; one line names the first and the remedy.
    """
    if missing:
        raise InputError(
            f"A custom file must have the same path on every node, but {node} has no "
            f"{missing[0]}: put it into a folder that all nodes share."
        )
