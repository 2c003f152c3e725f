"""``autoloss spaces``: lists and shows search spaces, and checks custom spaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli import complete, options

EXAMPLES = (
    "autoloss spaces",
    "autoloss spaces quick > mine.toml",
    "autoloss spaces --check mine.toml",
    "autoloss spaces --check mine.toml --losses steep.py",
)


def spaces(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A space, or a TOML file, to show in full.",
            autocompletion=complete.spaces,
        ),
    ] = None,
    *,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check a TOML file, and list all its mistakes."),
    ] = None,
    losses: options.Losses = None,
) -> None:
    """List the search spaces, show a space as TOML, or check your own file."""
    from autoloss.cli.tables import show_table
    from autoloss.cli.terminal import output

    console = output()
    if losses:
        _declare(losses, is_used=check is not None or name is not None)
    if check is not None:
        console.print(_checked(check), soft_wrap=True)
    if name is not None:
        from autoloss.core.toml import toml_text
        from autoloss.search.space_reader import load_space

        console.print(toml_text(load_space(name).to_dict()).rstrip(), soft_wrap=True)
    if name is None and check is None:
        show_table(console, ("Space", "Losses", "Description"), _rows(), whole=(0,))
        console.print("autoloss spaces NAME prints one of them, to copy and change.")


def _declare(files: Sequence[Path], *, is_used: bool) -> None:
    """Read the files that declare the losses of a space.

    Raises:
        InputError: If no space is named, or a file declares no right loss.
    """
    from autoloss.core.errors import InputError
    from autoloss.losses import load_losses

    if not is_used:
        raise InputError("--losses must come with a space that uses them: --check FILE or NAME.")
    for file in files:
        load_losses(file)


def _rows() -> list[tuple[str, str, str]]:
    """Return name, losses and description of each space that comes with autoloss."""
    import tomllib

    from autoloss.search.shipped_spaces import shipped_spaces, space_names

    rows = []
    for name in space_names():
        # `load_space` would load torch.
        text = (shipped_spaces() / f"{name}.toml").read_text(encoding="utf-8")
        space = tomllib.loads(text)
        rows.append((name, ", ".join(space["bases"]), space.get("description", "")))
    return rows


def _checked(file: Path) -> str:
    """Check the file of a space, and summarise the space.

    Raises:
        SpaceError: If the file has mistakes; it lists all of them.
    """
    from autoloss.core.errors import SpaceError

    if not file.is_file():
        raise SpaceError([f"{file}: space: must be a file that exists, but there is none."])
    from autoloss.search.space_reader import load_space

    space = load_space(file)
    return f"{file}: valid; {len(space.bases)} losses, {len(space.ranges)} searched parameters."
