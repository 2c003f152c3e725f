from __future__ import annotations

import json

from tests.faults.counts import OUT, SCALE, count, times


def test_a_usual_run_tries_few_and_a_scaled_run_its_share(monkeypatch):
    monkeypatch.delenv(SCALE, raising=False)
    assert times(200, few=3) == 3
    for scale, expected in (("1", 200), ("0.1", 20), ("0.001", 1)):
        monkeypatch.setenv(SCALE, scale)
        assert times(200, few=3) == expected


def test_counts_of_several_tests_stand_in_one_table(tmp_path, monkeypatch):
    file = tmp_path / "new" / "faults.json"
    monkeypatch.setenv(OUT, str(file))
    count("kills", tried=200)
    count("a full disk", tried=7, failed=1)
    count("a full disk", tried=8, remark="one line")
    (table,) = json.loads(file.read_text())["tables"]
    assert table["rows"] == [["a full disk", 8, 0, "one line"], ["kills", 200, 0, ""]]
    assert "| a full disk | 8 | 0 | one line |" in (tmp_path / "new" / "README.md").read_text()
