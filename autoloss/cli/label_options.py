"""The options of a search for several labels a row and for sequences."""

from __future__ import annotations

from typing import Annotated

import typer

_LABELS, _SEQUENCES = "Several labels per row", "Sequences"

LabelsIn = Annotated[
    str,
    typer.Option(
        metavar="FORM",
        help="The form of the labels: yes-or-no columns, or list for one column of lists.",
        rich_help_panel=_LABELS,
    ),
]
LabelSeparator = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="The text between the labels of a cell, such as |, where lists are text.",
        rich_help_panel=_LABELS,
    ),
]
LabelDecision = Annotated[
    str,
    typer.Option(
        metavar="RULE",
        help="The decision on a label: metric (at thresholds for F1 or for the costs, if the "
        "metric is one of these), likelier, f1, or a number of labels for each row.",
        rich_help_panel=_LABELS,
    ),
]
TokensColumn = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        metavar="COLUMN",
        help="Column of the tokens of sequences, whose tags are the target: lists, text that is "
        "split into letters, or a number from 0 in a CoNLL file.",
        rich_help_panel=_SEQUENCES,
    ),
]
Constrained = Annotated[
    bool,
    typer.Option(
        "--constrained",
        help="Allow only valid sequences of entity tags: no I-place after O.",
        rich_help_panel=_SEQUENCES,
    ),
]
