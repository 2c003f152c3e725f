"""The page of reports/reliability is made from its JSON files."""

from __future__ import annotations

from pathlib import Path

from benchmarks import reliability

FOUND = {
    "title": "Kills",
    "command": "python -m benchmarks.kills",
    "text": ["Each search was killed once."],
    "tables": [
        {"columns": ["phase", "kills", "seconds"], "rows": [["a|b", 1200, 0.12345], ["c", 3, 2.0]]}
    ],
}


def test_a_file_of_figures_is_a_section_of_the_page(tmp_path: Path) -> None:
    reliability.write("zebra", {**FOUND, "title": "Later"}, tmp_path)
    reliability.write("faults", FOUND, tmp_path)
    text = (tmp_path / reliability.PAGE).read_text(encoding="utf-8")
    assert text.index("## Kills") < text.index("## Later")
    assert "$ python -m benchmarks.kills\n```\n\nEach search was killed once.\n" in text
    table = "| phase | kills | seconds |\n| --- | ---: | ---: |\n| a\\|b | 1,200 | 0.123 |\n"
    assert table + "| c | 3 | 2 |\n" in text


def test_the_page_is_that_of_its_files() -> None:
    written = (reliability.FOLDER / reliability.PAGE).read_text(encoding="utf-8")
    assert written == reliability.page(reliability.read()), "run: python -m benchmarks.reliability"
