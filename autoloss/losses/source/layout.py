"""Layout of code: a line that is too long is broken at its brackets."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from typing import Any

WIDTH = 99


def fitted(text: str) -> str:
    """Return code whose long lines are broken at their last outermost brackets.

    Examples:
        >>> print(fitted("a_long_value = a_function(" + ", ".join(["an_argument"] * 6) + ", a=1)"))
        a_long_value = a_function(
            an_argument, an_argument, an_argument, an_argument, an_argument, an_argument, a=1
        )
    """
    return "\n".join(line for whole in text.split("\n") for line in _broken(whole))


def paragraph(text: str, indent: str = "    ", *, hanging: str = "") -> str:
    """Return plain text in lines of at most `WIDTH` letters.

    Args:
        text: The text.
        indent: The beginning of all lines.
        hanging: Further indentation of all lines except the first.
    """
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def tensor(name: str, values: list[Any]) -> str:
    """Return the definition of a constant tensor of numbers, or of rows of numbers."""
    data = _numbers(values)
    text = fitted(f"{name} = torch.tensor({data}, dtype=torch.float64)")
    if text.count("\n") <= 2:
        return text
    # A formatter would put every number on its own line.
    rows = [f"{_numbers(row)}," for row in values] if "[[" in data else [data[1:-1]]
    filled = [paragraph(row, " " * 8) for row in rows]
    head, tail = f"{name} = torch.tensor(\n    [", "    ],\n    dtype=torch.float64,\n)"
    return "\n".join(["# fmt: off", head, *filled, tail, "# fmt: on"])


def _numbers(values: list[Any]) -> str:
    inner = (_numbers(one) if isinstance(one, list) else f"{one:.15g}" for one in values)
    return f"[{', '.join(inner)}]"


def _broken(line: str) -> Iterator[str]:
    """Yield a line if it fits, or its parts, with the content of its brackets below."""
    is_code = '"""' not in line and "#" not in line
    places = _outermost(line, "([{)]}") if len(line) > WIDTH and is_code else []
    pairs = list(zip(places[::2], places[1::2], strict=False))
    pairs = [(start, end) for start, end in pairs if end > start + 1]
    if not pairs:
        yield line
        return
    start, end = pairs[-1]
    indent = " " * (len(line) - len(line.lstrip()))
    inside = line[start + 1 : end]
    yield line[: start + 1]
    if len(indent) + 4 + len(inside) <= WIDTH:
        yield f"{indent}    {inside}"
    else:
        commas = [-1, *_outermost(inside, ","), len(inside)]
        for before, comma in itertools.pairwise(commas):
            # A bare star also has a comma after it.
            yield from _broken(f"{indent}    {inside[before + 1 : comma].strip()},")
    yield f"{indent}{line[end:]}"


def _outermost(text: str, letters: str) -> list[int]:
    """Return the places of some letters outside of brackets."""
    found, depth = [], 0
    for place, letter in enumerate(text):
        depth -= letter in ")]}"
        if depth == 0 and letter in letters:
            found.append(place)
        depth += letter in "([{"
    return found
