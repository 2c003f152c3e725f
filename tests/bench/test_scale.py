from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyarrow import parquet

from benchmarks import scale, speed_page


def test_the_table_of_many_rows_is_the_one_that_is_meant(tmp_path: Path) -> None:
    scale.write_rows(tmp_path / "data.parquet", 4_000, at_once=1_500)
    frame = parquet.read_table(tmp_path / "data.parquet").to_pandas()
    assert frame.shape == (4_000, 51)
    assert 0.15 < frame["y"].mean() < 0.25
    assert [frame[f"c{i}"].nunique() for i in (0, 9)] == [5, 200]
    assert 0.03 < frame["x0"].isna().mean() < 0.07


def test_what_was_found_fills_its_row_of_the_page(tmp_path: Path) -> None:
    file = tmp_path / "scale.json"
    scale.write_found(file, "rows", {"measured": "3.5 GB", "peak_gb": 3.5})
    trials = {"measured": "1.1×", "memory": "1.05×", "ratio": 1.1, "memory_ratio": 1.05}
    scale.write_found(file, "trials", trials)
    assert json.loads(file.read_text(encoding="utf-8"))["figures"]["rows"]["measured"] == "3.5 GB"
    words = speed_page.read_others(tmp_path)
    assert not words[speed_page.AVX2_ENDING]
    assert sorted(words[""].values()) == [("1.05×", True), ("1.1×", True), ("3.5 GB", True)]


@pytest.mark.slow
@pytest.mark.parametrize(("what", "size"), [("trials", 400), ("rows", 4_000), ("columns", 40)])
def test_a_search_is_measured(what: str, size: int, tmp_path: Path) -> None:
    found = scale.WHAT[what][0](tmp_path, size, "off")
    assert found["seconds"] > 0
    assert found["measured"]
