"""The page on the architecture agrees with the code: its diagram, its folders and its files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import architecture
from tests.floors import FLOORS, imports_between_parts

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = architecture.IMAGE.read_text(encoding="utf-8")


def test_the_diagram_is_that_of_the_imports() -> None:
    drawn = architecture.draw(set(imports_between_parts()))
    assert drawn == PICTURE, "run: python -m docs.architecture"


def test_every_part_has_a_box_and_every_import_a_way() -> None:
    assert set(architecture.PURPOSES) == set(FLOORS)
    assert set(architecture.TITLES) == set(FLOORS.values())
    assert all(f">{part}</text>" in PICTURE for part in FLOORS)
    below: dict[str, set[str]] = {part: set() for part in FLOORS}
    for above, part in re.findall(r"<title>(\w+) imports (\w+)</title>", PICTURE):
        below[above].add(part)
    # From the ground up, each part reaches all that the parts below it reach.
    reach: dict[str, set[str]] = {}
    while len(reach) < len(FLOORS):
        for part in FLOORS:
            if part not in reach and below[part] <= set(reach):
                reach[part] = below[part].union(*(reach[other] for other in below[part]))
    lost = [pair for pair in imports_between_parts() if pair[1] not in reach[pair[0]]]
    assert lost == []


def test_an_import_that_goes_up_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="core imports cli"):
        architecture.draw({("cli", "core"), ("core", "cli")})


def test_the_drawing_has_no_box_over_another() -> None:
    boxes = re.findall(r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)" rx', PICTURE)
    places = [tuple(map(int, box)) for box in boxes]
    assert len(places) == len(FLOORS)
    assert not [
        (a, b)
        for i, a in enumerate(places)
        for b in places[:i]
        if a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
    ]


def test_every_folder_and_file_of_the_page_exists() -> None:
    named = re.findall(r"`((?:[\w.]+/)+(?:[\w.]+)?)`", PAGE)
    places = (ROOT, ROOT / "autoloss", ROOT / "docs")
    assert len(named) > 20
    lost = [name for name in named if not any((place / name).exists() for place in places)]
    assert lost == []
    links = [link for link in re.findall(r"\]\(([^)#]+)", PAGE) if not link.startswith("http")]
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    folders = {f"`{part}/`" for part in FLOORS if (ROOT / "autoloss" / part).is_dir()}
    assert {folder for folder in folders if folder not in PAGE} == set()
