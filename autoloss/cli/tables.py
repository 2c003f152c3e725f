"""The look of every table in the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

_NUMBERS = "0123456789+-−–([."
_TITLE_WIDTH = 14


def make_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table in which words wrap where the terminal is narrow, and numbers never do.

    Args:
        header: Titles of the columns; all empty for none.
        rows: Cells as plain text.
    """
    table = _bare(show_header=any(header))
    for place, title in enumerate(header):
        cells = [row[place] for row in rows if row[place]]
        numbers = bool(cells) and all(cell[0] in _NUMBERS for cell in cells)
        lines = textwrap.wrap(title, _TITLE_WIDTH, break_on_hyphens=False)
        table.add_column(
            Text("\n".join(lines)),
            justify="right" if numbers else "left",
            no_wrap=numbers,
            overflow="fold",
            min_width=None if numbers else 8,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def make_columns(
    header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], *, gap: int = 1
) -> Table:
    """Return a table whose columns have given widths, so that several stand below each other.

    Args:
        header: Titles of the columns; none for rows alone.
        rows: Cells as plain text; those beyond the last width are left out.
        widths: Width of each column, in characters.
        gap: Space between two columns, 1 at least.
    """
    table = _bare(show_header=bool(header), gap=gap)
    for place, width in enumerate(widths):
        table.add_column(Text(header[place] if header else ""), width=width, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row[: len(widths)]))
    return table


def make_pairs(pairs: Sequence[tuple[str, str | Text]]) -> Table:
    """Return names and their texts as two columns; a text that is too long is broken, not cut."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for name, text in pairs:
        grid.add_row(Text(name), text if isinstance(text, Text) else Text(text))
    return grid


def _bare(*, show_header: bool = True, gap: int = 2) -> Table:
    """Return an empty table with a line under its header and nothing else drawn."""
    return Table(
        box=box.SIMPLE_HEAD,
        show_header=show_header,
        # One more is the box's.
        padding=(0, gap - 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
