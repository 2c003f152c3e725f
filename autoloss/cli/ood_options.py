"""The options of out-of-distribution (OOD) rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli.options import DATA

Ood = Annotated[
    Path | None,
    typer.Option(
        "--ood",
        metavar="FILE",
        help="Out-of-distribution rows (or a folder of images), which belong to no class: half "
        "of them select the score that detects them, the locked half judges it.",
        rich_help_panel=DATA,
    ),
]
