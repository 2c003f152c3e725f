"""The options of a search for images and for frozen features."""

from __future__ import annotations

from typing import Annotated

import typer

_PICTURES = "Images and features"
Images = Annotated[
    str | None,
    typer.Option(
        "--images",
        metavar="COLUMN",
        help="Column of images: paths relative to DATA, encoded images, or arrays. A folder "
        "with a subfolder for each class needs no option.",
        rich_help_panel=_PICTURES,
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        "--image-size",
        metavar="PIXELS",
        help="Longest side at which images are read; by default that of the median image, "
        "64 at most.",
        rich_help_panel=_PICTURES,
    ),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave out images that cannot be read.",
        rich_help_panel=_PICTURES,
    ),
]
Features = Annotated[
    str | None,
    typer.Option(
        "--features",
        metavar="REFERENCE",
        help="Frozen network that turns images, or the texts of a column, into vectors, which "
        "the candidates learn from: timm:NAME, torchvision:NAME, hf:NAME or st:NAME (or a folder "
        "in place of NAME), or FILE.py:NAME, a function of a list of images or texts. The "
        "file is executed.",
        rich_help_panel=_PICTURES,
    ),
]
FeaturesAgain = Annotated[
    str | None,
    typer.Option(
        "--features",
        metavar="FILE.py:NAME",
        help="Your own function that computed the features in the search. The file is executed.",
    ),
]
