"""Every reader reads a changed file or refuses it in one line, in bounds of time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.counts import times
from tests.fuzz.bombs import BOMBS, READ
from tests.fuzz.readers import READERS

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="bounds of memory need Linux"),
]
OFTEN, FEW = 200, 5


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> dict[str, Any]:
    """The outcomes of all readers; one process reads seeds and libraries once."""
    place = tmp_path_factory.mktemp("fuzz")
    file, cases = place / "outcomes.json", times(OFTEN, few=FEW)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.fuzz.run", str(cases), "0", str(file)],
        cwd=repository,
        env={**os.environ, "TMPDIR": str(place), "XDG_CACHE_HOME": str(place / "cache")},
        capture_output=True,
        text=True,
    )
    assert file.exists(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_is_read_or_refused_in_one_line(
    outcomes: dict[str, Any], name: str
) -> None:
    found = outcomes[name]
    assert found["failed"] == {}
    assert found["cases"] == times(OFTEN, few=FEW)


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_claims_or_unpacks_to_gigabytes_is_refused(
    outcomes: dict[str, Any], name: str
) -> None:
    found = outcomes[name]
    assert found["failed"] == {}
    assert found["read" if name in READ else "refused"] == 1
