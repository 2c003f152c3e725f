from __future__ import annotations

import json

from tests.faults.counts import OUT, SCALE, count, times


def test_a_usual_run_tries_few_and_a_scaled_run_its_share(monkeypatch):
    monkeypatch.delenv(SCALE, raising=False)
    assert times(200, few=3) == 3
    for scale, expected in (("1", 200), ("0.1", 20), ("0.001", 1)):
        monkeypatch.setenv(SCALE, scale)
        assert times(200, few=3) == expected


def test_counts_of_several_tests_stand_in_one_file(tmp_path, monkeypatch):
    file = tmp_path / "new" / "faults.json"
    monkeypatch.setenv(OUT, str(file))
    count("kills", tried=200, lost=0)
    count("full disk", tried=7, lost=1)
    count("full disk", tried=8, lost=0)
    assert json.loads(file.read_text()) == {
        "full disk": {"tried": 8, "lost": 0},
        "kills": {"tried": 200, "lost": 0},
    }
