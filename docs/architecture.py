"""The diagram of the package for the documentation: ``python -m docs.architecture``.

The boxes are the parts, floor by floor, and the arrows are the imports. An arrow is left out if
other arrows already lead to the same box. `tests/floors.py` declares the floors.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from math import fsum
from pathlib import Path
from random import Random

from tests.floors import FLOORS, goes_down, imports_between_parts, shortest

IMAGE = Path(__file__).parent / "images" / "architecture.svg"

TITLES = {
    9: "user interface",
    8: "Python",
    7: "one search",
    6: "study, log, ship",
    5: "judge, show, predict",
    4: "train",
    3: "networks",
    2: "rows and measures",
    1: "plain values",
}
# The purpose of each part in a few words.
PURPOSES = {
    "core": "errors, tasks, files",
    "records": "trial, verdict, summary",
    "data": "tables, splits, encoding",
    "losses": "bases, priors, penalties",
    "metrics": "scores of candidates",
    "readout": "logits to probabilities",
    "models": "K networks in one buffer",
    "executors": "machines that train",
    "training": "K candidates together",
    "inference": "the model that ships",
    "report": "summary to page",
    "verdict": "compare, select, test",
    "diagnosis": "an existing model",
    "export": "ONNX, torch, code",
    "search": "space, sampler, study",
    "tracking": "MLflow",
    "experiment": "from request to verdict",
    "api": "search, plan, resume",
    "estimator": "scikit-learn estimator",
    "__init__": "public names",
    "bench": "speed of this machine",
    "cli": "commands",
    "serving": "loader of MLflow models",
}

WIDTH, HEIGHT = 154, 42
GAP, LINE = 18, 14
STEP, PADDING, LEFT = 68, 13, 150
STARTS, SWEEPS = 24, 12

Pair = tuple[str, str]


@dataclass(frozen=True)
class Node:
    """A box, or the point at which a long arrow passes a row.

    Args:
        part: The part; empty for an arrow.
        arrow: The passing arrow; None for a box.
        row: The row, counted from the top.
    """

    part: str
    arrow: Pair | None
    row: int

    @property
    def width(self) -> int:
        """Return the width in its row, in pixels."""
        return WIDTH + GAP if self.part else LINE


@dataclass
class Drawing:
    """Boxes and arrows in rows.

    Args:
        rows: The nodes of each row, from left to right.
        links: Pairs of joined nodes in adjacent rows.
        routes: The nodes of each arrow, from tail to head.
        x: The centre of each node, in pixels.
    """

    rows: list[list[Node]]
    links: list[tuple[Node, Node]]
    routes: dict[Pair, list[Node]]
    x: dict[Node, float] = field(default_factory=dict)


def main() -> None:
    """Write the diagram."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=IMAGE, help="the image's file")
    options = parser.parse_args()
    options.to.write_text(draw(set(imports_between_parts())), encoding="utf-8", newline="\n")
    sys.stdout.write(f"{options.to} ({options.to.stat().st_size // 1000} kB)\n")


def draw(pairs: set[Pair]) -> str:
    """Return the diagram as SVG.

    Args:
        pairs: Pairs of a part and a part that it imports from.

    Raises:
        ValueError: If an import does not go down.
    """
    wrong = [
        f"{above} imports {part}" for above, part in sorted(pairs) if not goes_down(above, part)
    ]
    if wrong:
        raise ValueError(f"Imports must go down, as tests/floors.py says, but {', '.join(wrong)}.")
    arrows = sorted(shortest(pairs))
    drawing = place(arrows, row_of(arrows))
    order(drawing)
    align(drawing)
    return to_svg(drawing)


def row_of(arrows: list[Pair]) -> dict[str, int]:
    """Return the row of each part; on a floor, a part is above the parts that it imports."""
    depth: dict[str, int] = {}

    def depth_of(part: str) -> int:
        if part not in depth:
            above = [a for a, b in arrows if b == part and FLOORS[a] == FLOORS[part]]
            depth[part] = max((depth_of(other) + 1 for other in above), default=0)
        return depth[part]

    rows, start = {}, 0
    for floor in sorted(set(FLOORS.values()), reverse=True):
        parts = [part for part, its_floor in FLOORS.items() if its_floor == floor]
        rows |= {part: start + depth_of(part) for part in parts}
        start = max(rows.values()) + 1
    return rows


def place(arrows: list[Pair], rows: dict[str, int]) -> Drawing:
    """Return boxes and arrows in rows, not yet ordered from left to right."""
    boxes = {part: Node(part, None, row) for part, row in sorted(rows.items())}
    drawing = Drawing([[] for _ in range(max(rows.values()) + 1)], [], {})
    for arrow in arrows:
        tail, head = boxes[arrow[0]], boxes[arrow[1]]
        passed = [Node("", arrow, row) for row in range(tail.row + 1, head.row)]
        drawing.routes[arrow] = [tail, *passed, head]
        drawing.links += pairwise(drawing.routes[arrow])
    for node in [*boxes.values(), *(node for route in drawing.routes.values() for node in route)]:
        if node not in drawing.rows[node.row]:
            drawing.rows[node.row].append(node)
    return drawing


def order(drawing: Drawing) -> None:
    """Order the rows so that few arrows cross, from several random starts."""
    best, fewest = drawing.rows, crossings(drawing)
    for start in range(STARTS):
        chance = Random(start)
        drawing.rows = [chance.sample(row, len(row)) for row in drawing.rows]
        for sweep in range(SWEEPS):
            _sweep(drawing, down=sweep % 2 == 0)
            swap(drawing)
            if crossings(drawing) < fewest:
                best, fewest = [list(row) for row in drawing.rows], crossings(drawing)
    drawing.rows = best


def _sweep(drawing: Drawing, *, down: bool) -> None:
    """Move each node to the mean rank of its neighbours, row by row."""
    near = _neighbours(drawing, up=down)
    for row in drawing.rows if down else drawing.rows[::-1]:
        ranks = _ranks(drawing)
        row.sort(key=lambda node: _mean([ranks[n] for n in near[node]], ranks[node]))


def swap(drawing: Drawing) -> None:
    """Exchange neighbours in a row as long as that removes crossings."""
    sides = [_neighbours(drawing, up=up) for up in (True, False)]
    ranks, found = _ranks(drawing), True
    while found:
        found = False
        for row in drawing.rows:
            for i in range(len(row) - 1):
                left, right = row[i], row[i + 1]
                gain = sum(
                    (ranks[a] > ranks[b]) - (ranks[a] < ranks[b])
                    for near in sides
                    for a in near[left]
                    for b in near[right]
                )
                if gain > 0:
                    row[i], row[i + 1], found = right, left, True
                    ranks[left], ranks[right] = i + 1, i


def _ranks(drawing: Drawing) -> dict[Node, int]:
    """Return the place of each node in its row."""
    return {node: rank for row in drawing.rows for rank, node in enumerate(row)}


def crossings(drawing: Drawing) -> int:
    """Return the number of pairs of arrows that cross."""
    ranks = _ranks(drawing)
    by_row: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for above, below in drawing.links:
        by_row[above.row].append((ranks[above], ranks[below]))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0
        for links in by_row.values()
        for i, a in enumerate(links)
        for b in links[:i]
    )


def align(drawing: Drawing) -> None:
    """Centre each node near its neighbours, without overlaps."""
    for row in drawing.rows:
        drawing.x |= dict(zip(row, spread(row, [0.0] * len(row)), strict=True))
    up, down = _neighbours(drawing, up=True), _neighbours(drawing, up=False)
    for _ in range(SWEEPS):
        for row in [*drawing.rows, *drawing.rows[::-1]]:
            wanted = [_mean([drawing.x[n] for n in up[k] + down[k]], drawing.x[k]) for k in row]
            drawing.x |= dict(zip(row, spread(row, wanted), strict=True))


def spread(row: list[Node], wanted: list[float]) -> list[float]:
    """Return centres near the wanted ones without overlaps."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (left.width + right.width) / 2)
    # Nodes that would overlap form a block at the mean of their wanted centres.
    blocks: list[list[float]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        blocks.append([want - offset])
        while len(blocks) > 1 and _mean(blocks[-2]) > _mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    starts = [_mean(block) for block in blocks for _ in block]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]


def _neighbours(drawing: Drawing, *, up: bool) -> dict[Node, list[Node]]:
    """Return the nodes joined with each node in the row above or below."""
    found: dict[Node, list[Node]] = defaultdict(list)
    for above, below in drawing.links:
        if up:
            found[below].append(above)
        else:
            found[above].append(below)
    return found


def _mean(values: list[float], default: float = 0.0) -> float:
    """Return the mean; `fsum` gives the same digits in every version of Python."""
    return fsum(values) / len(values) if values else default


def to_svg(drawing: Drawing) -> str:
    """Return the drawing as SVG."""
    least = min(drawing.x[node] - node.width / 2 for row in drawing.rows for node in row)
    x = {node: round(place - least) + LEFT for node, place in drawing.x.items()}
    y = tops(drawing.rows)
    width = max(place + node.width // 2 for node, place in x.items())
    height = y[-1] + HEIGHT + PADDING
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        'font-family="system-ui, sans-serif" role="img">',
        "<title>The parts of autoloss by floor, and their imports</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#5b6b80"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_floors(drawing.rows, y, width),
        '<g fill="none" stroke="#5b6b80" stroke-width="1.3" marker-end="url(#head)">',
        *(_arrow(arrow, drawing, x, y) for arrow in drawing.routes),
        "</g>",
        '<g text-anchor="middle">',
        *(_box(node, x[node], y[node.row]) for row in drawing.rows for node in row if node.part),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def tops(rows: list[list[Node]]) -> list[int]:
    """Return the upper edge of each row, with room for a border between floors."""
    found, floors = [PADDING], [_floor(row) for row in rows]
    for above, below in pairwise(floors):
        found.append(found[-1] + STEP + (PADDING if above != below else 0))
    return found


def _floor(row: list[Node]) -> int:
    """Return the floor that a row is on."""
    return next(FLOORS[node.part] for node in row if node.part)


def _floors(rows: list[list[Node]], y: list[int], width: int) -> list[str]:
    """Return the floors as bands with their titles."""
    lines = []
    for floor in sorted(TITLES, reverse=True):
        own = [top for top, row in zip(y, rows, strict=True) if _floor(row) == floor]
        top, height = own[0] - PADDING, own[-1] - own[0] + HEIGHT + 2 * PADDING
        shade = "#f3f6fa" if floor % 2 else "#e8eef5"
        middle = top + height // 2 + 4
        lines += [
            f'<rect y="{top}" width="{width}" height="{height}" fill="{shade}"/>',
            f'<text x="12" y="{middle}" font-size="12" fill="#42526a">'
            f'<tspan font-weight="700">{floor}</tspan>'
            f'<tspan dx="8">{TITLES[floor]}</tspan></text>',
        ]
    return lines


def _box(node: Node, x: int, y: int) -> str:
    """Return a part as a box with its name and purpose."""
    return (
        f'<rect x="{x - WIDTH // 2}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5" '
        'fill="#ffffff" stroke="#2f4b7c"/>'
        f'<text x="{x}" y="{y + 18}" font-size="13" font-weight="700" fill="#1d2b3f">{node.part}'
        f'</text><text x="{x}" y="{y + 33}" font-size="10.5" fill="#42526a">'
        f"{escape(PURPOSES[node.part])}</text>"
    )


def _arrow(arrow: Pair, drawing: Drawing, x: dict[Node, int], y: list[int]) -> str:
    """Return an arrow as a curve from row to row."""
    route = drawing.routes[arrow]
    out = sorted((r[1] for r in drawing.routes.values() if r[0] == route[0]), key=x.__getitem__)
    into = sorted(
        (r[-2] for r in drawing.routes.values() if r[-1] == route[-1]), key=x.__getitem__
    )
    start = x[route[0]] + _port(out.index(route[1]), len(out))
    end = x[route[-1]] + _port(into.index(route[-2]), len(into))
    places = [start, *(x[node] for node in route[1:-1]), end]
    path = f"M{start} {y[route[0].row] + HEIGHT}"
    for (left, above), (right, below) in pairwise(zip(places, route, strict=True)):
        top, bottom = y[above.row] + HEIGHT, y[below.row]
        middle = (top + bottom) // 2
        path += f"C{left} {middle} {right} {middle} {right} {bottom}"
        path += f"V{bottom + HEIGHT}" if below is not route[-1] else ""
    return f'<path d="{path}"><title>{arrow[0]} imports {arrow[1]}</title></path>'


def _port(index: int, count: int) -> int:
    """Return the distance from the centre of a box at which an arrow begins or ends."""
    return round((index - (count - 1) / 2) * min(26, (WIDTH - 24) // max(count - 1, 1)))


if __name__ == "__main__":
    main()
