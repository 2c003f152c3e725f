from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from autoloss.core.errors import UnwritableError
from autoloss.core.files import (
    STAGED,
    remove_parts,
    replacing_folder,
    settle,
    writable,
    write_whole,
)


def write(folder: Path, texts: dict[str, str], *, error: Exception | None = None) -> None:
    with replacing_folder(folder) as part:
        for name, text in texts.items():
            (part / name).write_text(text)
        if error is not None:
            raise error


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "new" / "model"
    with pytest.raises(KeyboardInterrupt):
        write(folder, {"a": "1"}, error=KeyboardInterrupt())
    assert list(tmp_path.rglob("*")) == [tmp_path / "new"]
    write(folder, {"a": "1", "b": "1"})
    assert texts(folder) == {"a": "1", "b": "1"}


def test_an_existing_folder_keeps_its_files_until_the_end(tmp_path):
    folder = tmp_path / "model"
    write(folder, {"a": "1", "b": "1", "own": "mine"})
    with pytest.raises(OSError, match="full"):
        write(folder, {"a": "2"}, error=OSError("full"))
    assert texts(folder) == {"a": "1", "b": "1", "own": "mine"}
    write(folder, {"a": "2", "b": "2"})
    assert texts(folder) == {"a": "2", "b": "2", "own": "mine"}
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_program_that_ends_between_two_files_leaves_the_rest_to_the_next(
    tmp_path, monkeypatch, moved
):
    folder = tmp_path / "study"
    (folder / "model").mkdir(parents=True)
    for name in ("model/weights", "loss.py", "summary", "own"):
        (folder / name).write_text("old")
    plain, moves = Path.replace, []

    def replace(self, target):
        if len(moves) == moved:
            raise KeyboardInterrupt
        moves.append(target)
        return plain(self, target)

    def write_all() -> None:
        with replacing_folder(folder) as part:
            write(part / "model", {"weights": "new", "config": "new"})
            (part / "loss.py").touch()
            (part / "summary").write_text("new")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            write_all()
    settle(folder)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"model/weights", "model/config", "summary", "own"}
    assert {name for name in found if (folder / name).read_text() == "old"} == {"own"}
    assert not list(folder.rglob(".*"))


def test_untrusted_staged_files_stay_in_their_folder(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "study"
    for place in (outside, folder / STAGED / "model"):
        place.mkdir(parents=True)
        (place / "weights").write_text(place.name)
    (folder / "model").symlink_to(outside)
    (folder / STAGED / "link").symlink_to(outside / "weights")
    settle(folder)
    assert texts(outside) == {"weights": "outside"}
    assert not (folder / "link").exists()


@pytest.mark.parametrize("seconds", [3600, -3600], ids=["old", "of the future"])
def test_what_killed_programs_left_is_removed_and_what_is_being_written_is_not(tmp_path, seconds):
    write_whole(tmp_path / "kept", "text")
    left = tmp_path / "examples" / ".000001.npz.abc.part"
    left_folder, young = tmp_path / ".model.abc.part", tmp_path / ".young.abc.part"
    left_folder.mkdir()
    (left_folder / "weights").touch()
    left.parent.mkdir()
    left.touch()
    young.touch()
    stamp = time.time() - seconds
    for path in (left, left_folder):
        os.utime(path, (stamp, stamp))
    remove_parts(tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert found == {"kept", "examples", ".young.abc.part"}


def test_a_full_disk_is_one_line(tmp_path):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(UnwritableError) as caught, writable(tmp_path):
        raise full
    assert str(caught.value) == (
        f"The folder of a study must be writable, but got folder={str(tmp_path)!r}: "
        "No space left on device."
    )
