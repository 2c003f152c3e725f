"""``autoloss list``: the studies of a folder."""

from __future__ import annotations

from autoloss.cli import options


def list_studies(*, out: options.Out = options.OUT) -> None:
    """List the studies of a folder, with progress and verdict."""
    from autoloss.cli.console import output
    from autoloss.cli.listing import HEADER, study_row
    from autoloss.cli.tables import show_table
    from autoloss.search import listing

    studies = listing.list_studies(out)
    if studies:
        show_table(output(), HEADER, [study_row(study) for study in studies], whole=(0,))
    else:
        output().print(f"No studies in {out}: autoloss search DATA --target COLUMN begins one.")
