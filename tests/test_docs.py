"""The tables of losses have the declarations; the paths in the pages for contributors exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autoloss.cli.catalogue.entries import stored
from autoloss.cli.catalogue.library import known_components, known_losses
from autoloss.losses import PENALTIES, PRIORS, TARGETS, get, names
from benchmarks import catalogue

ROOT = Path(__file__).parents[1]
README = (ROOT / catalogue.README).read_text(encoding="utf-8")
DOCUMENT = (ROOT / catalogue.DOCUMENT).read_text(encoding="utf-8")
AGAIN = "run: python -m benchmarks.losses"


def rows(table: str) -> dict[str, list[str]]:
    """Return the rows of a Markdown table by their first cell."""
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line[:1] == "|"]
    return {cells[0].strip("`"): cells for cells in lines[2:]}


def test_the_readme_has_the_declared_losses() -> None:
    assert catalogue.between(README, "losses") == catalogue.readme_table(), AGAIN


def test_the_document_has_the_declared_losses() -> None:
    assert catalogue.between(DOCUMENT, "declared") == catalogue.declared_text(), AGAIN


def test_every_loss_was_measured() -> None:
    measured = rows(catalogue.between(DOCUMENT, "measured"))
    assert sorted(measured) == sorted(names()), AGAIN
    assert len({len(cells) for cells in measured.values()}) == 1


def test_measurements_agree_with_the_declarations() -> None:
    for name, cells in rows(catalogue.between(DOCUMENT, "measured")).items():
        kinds = {cells[1], cells[2]} - {"–"}
        if get(name).proper:
            assert kinds == {"strictly proper"}
        assert cells[-1] == "yes"


@pytest.mark.parametrize("name", [*names(), *PRIORS, *TARGETS, *PENALTIES])
def test_each_loss_and_component_has_a_section_with_its_source(name: str) -> None:
    section = re.search(rf"^### `{name}`\n(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert section
    components = {**PRIORS, **TARGETS, **PENALTIES}
    source = get(name).source if name in names() else components[name].source
    assert source in " ".join(section[1].split())


def test_the_stored_catalogue_has_the_declared_losses() -> None:
    assert (ROOT / catalogue.STORED).read_text(encoding="utf-8") == catalogue.stored_text(), AGAIN
    losses, components = stored()
    assert [*losses, *components] == [*known_losses(), *known_components()]


def test_a_file_without_markers_is_not_written(tmp_path) -> None:
    file = tmp_path / "page.md"
    file.write_text("nothing here\n", encoding="utf-8")
    with pytest.raises(ValueError, match="must have the markers"):
        catalogue.write_declared(file, file)
    assert file.read_text(encoding="utf-8") == "nothing here\n"


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_in_a_page_for_contributors_exists(page: str) -> None:
    quoted = re.findall(r"`(\w[\w.]*/[\w./]*)`", (ROOT / page).read_text(encoding="utf-8"))
    assert len(quoted) > 10
    places = {path: (ROOT / path, ROOT / "autoloss" / path) for path in quoted}
    assert [path for path, two in places.items() if not any(map(Path.exists, two))] == []
