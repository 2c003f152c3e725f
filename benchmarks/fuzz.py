"""Changed and hostile files for every reader, with counts, memory and time.

Each case changes the files of a sound source: bits, numbers, pieces, words, lines, members of an
archive, values of JSON. The source is read in a child process. It must be read, or refused in one
line; it must not change, and time and memory are bounded.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import reliability

CASES = 200
TEXT = (
    "Each case changes valid files: bits, binary numbers, blocks of bytes, words, lines, members"
    " of archives, values in JSON. The reader must either accept them or refuse them in one line"
    " without terminal control characters. It must not change a file, take more than 20 s of CPU"
    " time, or add more than 1 GiB to the memory of its process (which includes the libraries that"
    " the first case loads).",
    "A bomb is a small file that claims a huge size or decompresses to one. It must be refused;"
    " large images, each of an allowed size, are read one at a time.",
)


def measured(cases: int, seed: int) -> dict[str, Any]:
    """Return the outcomes by name of all readers and bombs."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "outcomes.json"
        subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.fuzz.run", str(cases), str(seed), file],
            env={**os.environ, "TMPDIR": place, "XDG_CACHE_HOME": place},
            check=True,
        )
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found


def section(found: dict[str, Any], *, command: str) -> dict[str, Any]:
    """Return the section of the page."""
    from tests.fuzz.readers import READERS

    def row(name: str) -> list[Any]:
        one = found[name]
        return [
            name, one["cases"], one["read"], one["refused"], len(one["failed"]),
            one["peak"] >> 20, round(one["slowest"], 1),
        ]  # fmt: skip

    readers = [row(name) for name in found if name in READERS]
    total = ["all", *(sum(column) for column in list(zip(*readers, strict=True))[1:5])]
    most = [max(column) for column in list(zip(*readers, strict=True))[5:]]
    columns = ["cases", "read", "refused", "failed", "MiB added", "CPU seconds"]
    bombs = [row(name) for name in found if name not in READERS]
    return {
        "title": "Damaged and hostile files",
        "command": command,
        "text": TEXT,
        "tables": [
            {
                "caption": "Changed files of each reader",
                "columns": ["reader", *columns],
                "rows": [*readers, [*total, *most]],
            },
            {"caption": "Bombs", "columns": ["bomb", *columns], "rows": bombs},
        ],
    }


def main() -> None:
    """Measure, write the section of the page, and exit with 1 if a case failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES, help="cases of each reader")
    parser.add_argument("--seed", type=int, default=0, help="seed of the changes")
    arguments = parser.parse_args()
    found = measured(arguments.cases, arguments.seed)
    words = f"python -m benchmarks.fuzz --cases {arguments.cases} --seed {arguments.seed}"
    reliability.write("fuzz", section(found, command=words))
    sys.exit(any(one["failed"] for one in found.values()))


if __name__ == "__main__":
    main()
