"""``autoloss report``: makes the report of a finished study again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli import options

EXAMPLES = (
    "autoloss report churn",
    "autoloss report churn --to sent",
    "autoloss report --schema > summary.schema.json",
)


_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""The exceptions of values that do not fit together."""


def report(
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="A study's name or its folder.")
    ] = None,
    *,
    to: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Output folder; the study's by default."),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of summary.json instead.")
    ] = False,
    out: options.Out = options.OUT,
) -> None:
    """Make the report of a finished study again from its summary.json, without training."""
    from autoloss.core.errors import InputError
    from autoloss.report.schema import schema_json

    if schema:
        print(schema_json(), end="")
        return
    if study is None:
        raise InputError("autoloss report must have STUDY or --schema, but got neither.")

    from autoloss.report import write_report
    from autoloss.search.folders import read_finished
    from autoloss.search.naming import SUMMARY

    folder, summary = read_finished(study, out=out)
    try:
        written = write_report(summary, to or folder)
    except InputError:
        raise
    except _ODD as error:
        raise InputError(
            f"{folder / SUMMARY} must have values that fit together, as autoloss wrote them, but "
            f"gave {type(error).__name__}: {error!s:.80}."
        ) from error
    for path in written:
        print(path)
