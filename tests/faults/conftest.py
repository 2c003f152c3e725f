"""Fixtures of the tests of faults."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.programs import SPACE, TRIALS, End, Programs, run_again
from tests.faults.studies import Found, found_in


@dataclass(frozen=True)
class Unharmed:
    """A search that ran through: its folder, the end of its program, and its results."""

    folder: Path
    end: End
    found: Found


@pytest.fixture(scope="package")
def programs() -> Iterator[Programs]:
    """Return the process that starts programs as its forks."""
    if sys.platform == "win32":
        pytest.skip("Windows has no forks")
    started = Programs()
    yield started
    started.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with the space that the programs search."""
    (tmp_path / "space.toml").write_text(SPACE, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="package")
def unharmed(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Unharmed:
    """Return a search that ran through."""
    place = tmp_path_factory.mktemp("unharmed")
    (place / "space.toml").write_text(SPACE, encoding="utf-8")
    folder = place / "reports" / "s"
    end = run_again(programs, folder)
    assert end.code == 0, end.text
    found = found_in(folder)
    assert len(found.trials) == TRIALS
    return Unharmed(folder, end, found)
