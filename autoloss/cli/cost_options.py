"""The options of costs of decisions."""

from __future__ import annotations

from typing import Annotated

import typer

from autoloss.cli.options import DATA

CostColumn = Annotated[
    str | None,
    typer.Option(
        "--cost-column",
        metavar="COLUMN",
        help="Column of the cost of each row, such as an amount: it multiplies the costs of its "
        "decisions, and is not an input.",
        rich_help_panel=DATA,
    ),
]
