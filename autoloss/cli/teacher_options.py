"""The options of `search` for a teacher."""

from __future__ import annotations

from typing import Annotated

import typer

from autoloss.cli.options import DATA

Teacher = Annotated[
    str | None,
    typer.Option(
        metavar="TEACHER",
        help="A teacher, whose probabilities are training targets: boosting (trained here), self "
        "(the best trials so far), a model's folder, a file of probabilities or "
        "logits by row or id, or FILE.py:NAME.",
        rich_help_panel=DATA,
    ),
]
TrustPickle = Annotated[
    bool,
    typer.Option(
        "--trust-pickle",
        help="Open a teacher of joblib or pickle, which can run any code on this machine: only "
        "for a file that you or somebody you trust wrote.",
        rich_help_panel=DATA,
    ),
]
