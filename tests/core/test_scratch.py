"""Temporary folders: removed at the end; only folders of dead programs of the same user go."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from autoloss.core.scratch import _OWNER, scratch_folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def aged(folder: Path) -> Path:
    """Make a folder look older than a minute."""
    then = time.time() - 61.0
    os.utime(folder, (then, then))
    return folder


def test_a_folder_is_removed_at_the_end_also_after_an_error(place: Path) -> None:
    with suppress(KeyError), scratch_folder() as folder:
        (folder / "file").write_text("content", encoding="utf-8")
        assert folder.parent == place
        raise KeyError
    assert list(place.iterdir()) == []


def test_only_folders_of_dead_programs_are_removed(place: Path) -> None:
    left, young, others = (place / f"autoloss-{name}" for name in ("left", "young", "others"))
    for folder in (left, young, others):
        (folder / "part").mkdir(parents=True)
    for folder in (left, young):
        (folder / _OWNER).touch()
    with scratch_folder() as alive:
        aged(alive)
        for folder in (left, others):
            aged(folder)
        with scratch_folder():
            assert {path for path in place.iterdir() if path.is_dir()} >= {alive, young, others}
            assert not left.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows needs privileges for a link")
def test_a_link_is_not_followed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("target")
    (target / _OWNER).touch()
    (place / "autoloss-link").symlink_to(aged(target), target_is_directory=True)
    with scratch_folder():
        assert (target / _OWNER).exists()
