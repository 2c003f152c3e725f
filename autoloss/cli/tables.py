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


def make_cards(title: str, cards: Sequence[tuple[str, str]]) -> Table:
    """Return pairs of a name and a few lines of text, one below the other."""
    table = _bare(leading=1)
    table.add_column(title, style="bold", overflow="fold")
    table.add_column(overflow="fold")
    for name, text in cards:
        table.add_row(Text(name), Text(text))
    return table


def make_pairs(pairs: Sequence[tuple[str, str]]) -> Table:
    """Return names and their texts as two columns; a text that is too long is broken, not cut."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for name, text in pairs:
        grid.add_row(Text(name), Text(text))
    return grid


def _bare(*, show_header: bool = True, leading: int = 0) -> Table:
    """Return an empty table with a line under its header and nothing else drawn."""
    return Table(
        box=box.SIMPLE_HEAD,
        show_header=show_header,
        leading=leading,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
