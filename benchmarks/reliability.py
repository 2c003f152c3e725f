"""The page of reports/reliability: a section for each JSON file there.

A benchmark of reliability writes a file ``NAME.json`` with the keys

- ``title``: the heading of its section;
- ``command``: the command that makes the file again;
- ``text``: paragraphs above the tables;
- ``tables``: tables, each with ``columns`` and ``rows`` (texts or numbers), and a ``caption`` if
  there are several.

`python -m benchmarks.reliability` writes README.md again from these files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path("reports/reliability")
PAGE = "README.md"
ORDER = ("executors", "coordinator", "faults", "fuzz", "endurance", "hour")
"""The sections in order; further ones follow by name."""
HEAD = """# Reliability

How a search behaves on many machines, with thousands of trials, and under faults. Each section
names the command that measures its figures again; `python -m benchmarks.reliability` writes this
page from the JSON files beside it.
"""


def write(name: str, found: Mapping[str, Any], folder: Path = FOLDER) -> None:
    """Write the figures of a benchmark, and the page with them.

    Args:
        name: The name of the file, without ``.json``.
        found: The figures, with the keys that this module's first lines list.
        folder: The folder of the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    write_page(folder)


def write_page(folder: Path = FOLDER) -> None:
    """Write the page from all JSON files of the folder."""
    (folder / PAGE).write_text(page(read(folder)), encoding="utf-8")


def read(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Return the figures of all benchmarks in the order of the page."""

    def place(path: Path) -> tuple[int, str]:
        return (ORDER.index(path.stem) if path.stem in ORDER else len(ORDER)), path.stem

    files = sorted(folder.glob("*.json"), key=place)
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def page(sections: Sequence[Mapping[str, Any]]) -> str:
    """Return the page as Markdown."""
    return "\n".join([HEAD, *map(_section, sections)])


def _section(found: Mapping[str, Any]) -> str:
    blocks = [f"## {found['title']}", f"```console\n$ {found['command']}\n```"]
    blocks += found.get("text", ())
    for one in found.get("tables", ()):
        if caption := one.get("caption"):
            blocks.append(f"{caption}:")
        blocks.append(_table(one["columns"], one["rows"]))
    return "\n\n".join(blocks) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a Markdown table; columns of numbers stand to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    sides = [
        "---:" if rows and all(isinstance(row[i], int | float) for row in rows) else "---"
        for i in range(len(columns))
    ]
    lines = [columns, sides, *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    """Return a value of a table as text: three digits of a small number, whole large numbers."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


if __name__ == "__main__":
    write_page()
