"""Tables in the terminal, and columns of names and texts."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

_NUMBERS = "0123456789+-−–([."
_TITLE_WIDTH = 14
# The first of two columns is at most this wide; the text of a longer name begins after the name.
_NAME_WIDTH = 16
_GAP = 2
# Longer words may be broken if their column is wider than this.
_SHORTEST = 8
# The second of two columns is at least this wide, or stands below the first.
_LEAST = 24


def make_columns(
    header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], *, gap: int = 1
) -> Table:
    """Return a table with columns of given widths, so that several tables align.

    Args:
        header: Titles of the columns; empty for a table without a header.
        rows: Cells as plain text; cells beyond the last width are left out.
        widths: Width of each column, in characters.
        gap: Space between two columns, at least 1.
    """
    table = _bare(show_header=bool(header), gap=gap)
    for place, width in enumerate(widths):
        table.add_column(Text(header[place] if header else ""), width=width, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row[: len(widths)]))
    return table


def show_pairs(console: Console, pairs: Sequence[tuple[str, str | Text]]) -> None:
    """Print names and texts as two columns, without breaking a word.

    A word that is longer than its column, such as a path, continues on the next line of the
    terminal, so that it is copied whole.
    """
    for line in pair_lines(pairs, console.width):
        console.print(line, soft_wrap=True)


def show_places(console: Console, pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and paths, links or commands, each on its own line to be copied."""
    indent = max((len(name) for name, _ in pairs), default=0) + _GAP
    for name, text in pairs:
        console.print(Text.assemble((f"{name:<{indent}}", "bold"), text), soft_wrap=True)


def pair_lines(pairs: Sequence[tuple[str, str | Text]], width: int) -> Iterator[Text]:
    """Yield the lines of two columns of names and texts, without breaking a word.

    If the second column would be too narrow, texts stand below their names.
    """
    lengths = [len(name) for name, _ in pairs]
    indent = max([one for one in lengths if one <= _NAME_WIDTH] or lengths, default=0) + _GAP
    is_narrow = width - indent < _LEAST
    indent = _GAP if is_narrow else indent
    for name, text in pairs:
        plain, style = (text.plain, text.style) if isinstance(text, Text) else (text, "")
        beyond = 0 if is_narrow else max(0, len(name) + _GAP - indent)
        lines = _wrapped(plain, max(1, width - indent), beyond)
        if is_narrow:
            yield Text(name, style="bold")
        for place, line in enumerate(lines):
            start = "" if place or is_narrow else name
            yield Text.assemble((f"{start:<{indent - _GAP}}" + " " * _GAP, "bold"), (line, style))


def show_table(
    console: Console,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    whole: Collection[int] = (),
) -> None:
    """Print a table; in a narrow terminal words wrap, but numbers do not.

    If the terminal is too narrow even for that, each row becomes a block of names and texts.

    Args:
        console: The console.
        header: Titles of the columns.
        rows: Cells as plain text.
        whole: Columns whose words must not be broken, because users copy them.
    """
    widths = column_widths(header, rows, console.width, whole=whole)
    if widths is None:
        for place, row in enumerate(rows):
            if place:
                console.print()
            show_pairs(console, [pair for pair in zip(header, row, strict=True) if pair[1]])
        return
    table = _bare(show_header=any(header))
    for place, title in enumerate(header):
        is_number = _are_numbers([row[place] for row in rows])
        lines = Text("\n".join(_title_lines(title)))
        justify: JustifyMethod = "right" if is_number else "left"
        table.add_column(lines, justify=justify, width=widths[place], overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def column_widths(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    whole: Collection[int] = (),
) -> list[int] | None:
    """Return the width of each column in characters; None if they do not fit.

    A column is wide enough for its longest word; space that is left goes to longer cells.

    Examples:
        >>> column_widths(("Name", "Rows"), [("a name of words", "1,200")], 14)
        [7, 5]
    """
    found, wanted = [], []
    for place, title in enumerate(header):
        cells = [row[place] for row in rows]
        words = [word for cell in cells for word in cell.split()]
        longest = max(map(len, words), default=0)
        if _are_numbers(cells):
            longest = max(map(len, cells), default=0)
        elif place not in whole:
            longest = min(longest, _SHORTEST)
        titles = _title_lines(title)
        found.append(max(longest, *(len(word) for word in title.split()), 0))
        wanted.append(max(found[-1], *map(len, cells), *map(len, titles)))
    spare = width - sum(found) - _GAP * (len(header) - 1)
    if spare < 0:
        return None
    while spare and found != wanted:
        # Widen the column whose cells would break into most lines.
        place = max(range(len(found)), key=lambda one: wanted[one] / max(found[one], 1))
        found[place] += 1
        spare -= 1
    return found


def _wrapped(text: str, width: int, beyond: int) -> list[str]:
    """Return the lines of a text; the first line is shorter by `beyond` characters."""
    found: list[str] = []
    for line in text.splitlines() or [""]:
        taken = "" if found else "-" * beyond
        parts = textwrap.wrap(
            taken + line, width, break_long_words=False, break_on_hyphens=False
        ) or [""]
        found += [parts[0][len(taken) :], *parts[1:]]
    return found


def _title_lines(title: str) -> list[str]:
    """Return the lines of a column's title."""
    return textwrap.wrap(title, _TITLE_WIDTH, break_on_hyphens=False) or [""]


def _are_numbers(cells: Sequence[str]) -> bool:
    """Return whether all cells of a column that are not empty are numbers."""
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(cell[0] in _NUMBERS for cell in filled)


def _bare(*, show_header: bool = True, gap: int = 2) -> Table:
    """Return an empty table whose only line is the line under its header."""
    return Table(
        box=box.SIMPLE_HEAD,
        show_header=show_header,
        # The box adds one.
        padding=(0, gap - 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
