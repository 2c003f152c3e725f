"""Search spaces as text."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoloss.core.errors import SpaceError
from autoloss.search.shipped_spaces import shipped_spaces, space_names

if TYPE_CHECKING:
    from autoloss.search.space import Space


def space_rows() -> list[tuple[str, str, str]]:
    """Return the spaces that come with autoloss as name, losses and description.

    They are read as they stand: whoever lists them need not wait for torch.
    """
    read = {
        name: tomllib.loads((shipped_spaces() / f"{name}.toml").read_text(encoding="utf-8"))
        for name in space_names()
    }
    return [
        (name, ", ".join(space["bases"]), space.get("description", ""))
        for name, space in read.items()
    ]


def space_toml(space: Space) -> str:
    """Return a space as the text of its file, complete with what it leaves to the defaults."""
    return "\n".join(f"{key} = {toml_value(value)}" for key, value in space.to_dict().items())


def verdict_on(file: Path) -> str:
    """Return that a space's file is right, and what is in it.

    Raises:
        SpaceError: If it is not: all mistakes, one a line.
    """
    if not file.is_file():
        raise SpaceError([f"{file}: space: must be a file that exists, but there is none."])
    from autoloss.search.space_reader import load_space

    space = load_space(file)
    return f"{file}: right; {len(space.bases)} losses, {len(space.ranges)} searched parameters."


def toml_value(value: Any) -> str:
    """Return a value as TOML.

    Examples:
        >>> toml_value({"low": 0.1, "log": True}), toml_value(["focal"])
        ('{ low = 0.1, log = true }', '["focal"]')
    """
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
        )
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    # Text, numbers and booleans are written alike in TOML and JSON.
    return json.dumps(value, ensure_ascii=False)
