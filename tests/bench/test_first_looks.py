"""The times of the README's searches: the commands are its own, and a call continues."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import first_looks

ROOT = Path(__file__).parents[2]


def test_the_searches_are_those_that_the_readme_shows() -> None:
    words = " ".join(first_looks.WORDS)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"search {first_looks.LOOKS['demo']} {words}" in makefile
    assert f"$ autoloss search {first_looks.LOOKS['first']} {words}\n" in readme


def test_a_further_call_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 20.0, 30.0, 40.0])
    monkeypatch.setattr(first_looks, "seconds_of", lambda data: next(times))
    monkeypatch.setattr(first_looks, "ending_here", lambda: "")
    for words in (["--repeats", "1"], ["--repeats", "2", "--report"], ["--seconds", "0"]):
        monkeypatch.setattr(sys, "argv", ["first_looks", "--out", str(tmp_path), *words])
        first_looks.main()
    found = json.loads((tmp_path / "first_looks.json").read_text(encoding="utf-8"))
    assert found["demo"] == 20.0
    assert found["first_words"].startswith("30 s (20 s to 40 s; 2 runs; load")
    assert len((tmp_path / "first_looks.jsonl").read_text(encoding="utf-8").splitlines()) == 4
