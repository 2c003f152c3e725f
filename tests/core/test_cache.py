"""The cache keeps the files that were used last."""

from __future__ import annotations

import os
from pathlib import Path

from autoloss.core.cache import cache_folder, note_use, prune


def test_the_files_that_were_used_longest_ago_give_way(tmp_path: Path) -> None:
    for place, name in enumerate(("a.npy", "b.npy", "c.npy", "d.npy", "d.json")):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 + place, 1000 + place))
    note_use(tmp_path / "a.npy")
    prune(tmp_path, kept=tmp_path / "b.npy", at_most=500)
    assert len(list(tmp_path.iterdir())) == 5
    prune(tmp_path, kept=tmp_path / "b.npy", at_most=250)
    assert {one.name for one in tmp_path.iterdir()} == {"a.npy", "b.npy"}
    prune(tmp_path, kept=tmp_path / "b.npy", at_most=0)
    assert {one.name for one in tmp_path.iterdir()} == {"b.npy"}


def test_the_cache_lies_where_the_environment_says() -> None:
    assert cache_folder("x") == Path(os.environ["XDG_CACHE_HOME"]) / "autoloss" / "x"
