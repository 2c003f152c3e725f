"""The options of a search for pictures."""

from __future__ import annotations

from typing import Annotated

import typer

_PICTURES = "Pictures"
Images = Annotated[
    str | None,
    typer.Option(
        "--images",
        metavar="COLUMN",
        help="Column of pictures: paths relative to DATA, encoded pictures, or arrays. A folder "
        "with a sub-folder for each class needs no option.",
        rich_help_panel=_PICTURES,
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        "--image-size",
        metavar="PIXELS",
        help="Longest side at which pictures are read; by default that of the median picture, "
        "64 at most.",
        rich_help_panel=_PICTURES,
    ),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave out pictures that cannot be read.",
        rich_help_panel=_PICTURES,
    ),
]
