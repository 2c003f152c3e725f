"""Lines of code that fit: what is too long is broken at its brackets."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

WIDTH = 99
_OPEN, _CLOSE = "([{", ")]}"


def fitted(text: str) -> str:
    """Return code whose long lines are broken at their outermost brackets.

    Examples:
        >>> print(fitted("a_long_value = a_function(" + ", ".join(["an_argument"] * 6) + ", a=1)"))
        a_long_value = a_function(
            an_argument, an_argument, an_argument, an_argument, an_argument, an_argument, a=1
        )
    """
    return "\n".join(line for whole in text.split("\n") for line in _broken(whole))


def signature(head: str, arguments: Sequence[str], tail: str) -> str:
    """Return the first lines of a function, ``head(arguments)tail``.

    Args:
        head: Up to the bracket, its indentation included.
        arguments: What stands in the brackets.
        tail: What stands behind them.
    """
    return fitted(f"{head}({', '.join(arguments)}){tail}")


def paragraph(text: str, *, indent: str = "    ", hanging: str = "", spare: int = 0) -> str:
    """Return plain text in lines that fit, the first one indented, the others further.

    Args:
        text: The text.
        indent: What its lines begin with.
        hanging: What all but the first one have besides.
        spare: Letters that are to have room behind each line.
    """
    return textwrap.fill(
        text,
        WIDTH - spare,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def tensor(name: str, values: Sequence[object]) -> str:
    """Return the definition of a constant tensor of numbers, or of rows of them."""
    data = _numbers(values)
    text = fitted(f"{name} = torch.tensor({data}, dtype=torch.float64)")
    if text.count("\n") <= 2:
        return text
    # Broken at every comma, it would have a line for every number.
    rows = [_numbers(row) if isinstance(row, list) else repr(row) for row in values]
    joined = "\n".join(f"{row}," for row in rows) if data.startswith("[[") else ", ".join(rows)
    filled = "\n".join(
        textwrap.fill(line, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)
        for line in joined.split("\n")
    )
    lines = [f"{name} = torch.tensor(", "    [", filled, "    ],", "    dtype=torch.float64,", ")"]
    return "\n".join(["# fmt: off", *lines, "# fmt: on"])


def _numbers(values: Sequence[object]) -> str:
    inner = (_numbers(one) if isinstance(one, list) else f"{one:.15g}" for one in values)
    return f"[{', '.join(inner)}]"


def _broken(line: str) -> Iterator[str]:
    """Yield a line as it is where it fits, else what is in its outermost brackets beneath it."""
    found = _brackets(line) if len(line) > WIDTH and '"""' not in line else None
    if found is None:
        yield line
        return
    start, end = found
    indent = " " * (len(line) - len(line.lstrip()))
    inside = line[start + 1 : end]
    yield line[: start + 1]
    if len(indent) + 4 + len(inside) <= WIDTH:
        yield f"{indent}    {inside}"
    else:
        for part in _parts(inside):
            # Nothing may follow a bare star but a comma, which it has then too.
            yield from _broken(f"{indent}    {part},")
    yield f"{indent}{line[end:]}"


def _brackets(line: str) -> tuple[int, int] | None:
    """Return where the last outermost bracket that is worth it opens, and where it closes."""
    depth, start, found = 0, 0, None
    for place, letter in enumerate(line):
        if letter in _OPEN:
            start = place if depth == 0 else start
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
            if depth == 0 and place > start + 1:
                found = (start, place)
    return found


def _parts(text: str) -> list[str]:
    """Return what commas outside of brackets part."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if letter == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]
