"""Images are read from folders, arrays and tables; their faults are named."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from autoloss.core.errors import InputError
from autoloss.data import DataOptions, StudyData, prepare
from autoloss.data.images.rows import ImageReader


def noise(n: int, side: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side)).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def save(root: Path, names: list[str], images: np.ndarray) -> None:
    for name, image in zip(names, images, strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(image))


def pixels_of(data: StudyData) -> dict[int, np.ndarray]:
    """Return the pixels by row of the data."""
    parts = [data.train, data.valid, *([data.locked.open()] if data.locked else [])]
    return {
        int(row): image.numpy()
        for part in parts
        for row, image in zip(part.rows, part.inputs.pixels[..., 0], strict=True)
    }


def test_a_folder_an_archive_and_a_table_are_the_same_images(tmp_path: Path) -> None:
    images, labels = noise(40), ["ant"] * 20 + ["bee"] * 20
    names = [f"{label}/{i:02}.png" for i, label in enumerate(labels)]
    save(tmp_path / "all", names, images)
    np.savez(tmp_path / "all.npz", images=images, labels=np.array(labels))
    paths = pd.DataFrame({"photo": names, "class": labels})
    paths.to_csv(tmp_path / "all" / "list.csv", index=False)
    stored = [{"bytes": png(one), "path": name} for one, name in zip(images, names, strict=True)]
    pd.DataFrame({"photo": stored, "class": labels}).to_parquet(tmp_path / "all.parquet")
    column = DataOptions(target="class", images="photo")
    found = [
        prepare(tmp_path / "all", DataOptions()),
        prepare(tmp_path / "all.npz", DataOptions()),
        prepare(tmp_path / "all" / "list.csv", column),
        prepare(tmp_path / "all.parquet", column),
    ]
    for data in found:
        assert data.task.classes == ("ant", "bee")
        assert data.encoding.shape.text == "6 x 6, grey"
        pixels = pixels_of(data)
        assert len(pixels) == 40
        assert all(np.array_equal(pixels[row], images[row]) for row in pixels)
    assert (
        found[0]
        .notes[0]
        .endswith("at 6 x 6, grey; their pixels take 0.0 MB in a cache on the disk.")
    )
    assert found[1].notes[0].endswith("0.0 MB in memory.")
    assert len({data.fingerprint for data in found}) > 1
    assert prepare(tmp_path / "all", DataOptions()).fingerprint == found[0].fingerprint


def test_the_folders_train_valid_and_test_are_the_parts(tmp_path: Path) -> None:
    names = [
        f"{part}/{label}/{i}.png"
        for part, n in (("train", 8), ("val", 3), ("test", 4))
        for label in "ab"
        for i in range(n)
    ]
    save(tmp_path, names, noise(len(names)))
    (tmp_path / "train" / "a" / "notes.txt").write_text("no image")
    data = prepare(tmp_path, DataOptions())
    assert data.locked is not None
    assert (len(data.train), len(data.valid), data.locked.n_rows) == (16, 6, 8)
    assert any("1 file that are not images" in note for note in data.notes)


def test_an_image_in_two_parts_is_said(tmp_path: Path) -> None:
    images = noise(40)
    images[30:] = images[:10]
    split = np.array(["train"] * 30 + ["test"] * 10)
    frame = pd.DataFrame({"image": list(images), "y": ["a", "b"] * 20, "split": split})
    notes = prepare(frame, DataOptions(target="y", images="image")).notes
    assert any(re.search(r"test: \d+ rows .* equal a training row", note) for note in notes)


def test_bad_images_are_counted_and_left_out_only_if_asked(tmp_path: Path) -> None:
    names = [f"{label}/{i:02}.png" for label in "ab" for i in range(13)]
    images = noise(26)
    save(tmp_path, names, images)
    (tmp_path / names[3]).write_bytes(b"")
    (tmp_path / names[12]).write_bytes(b"GIF89a no more")
    with pytest.raises(InputError, match=r"2 images of 26 cannot be read.*03\.png.*empty"):
        prepare(tmp_path, DataOptions())
    data = prepare(tmp_path, DataOptions(skip_bad=True))
    kept = np.delete(images, [3, 12], axis=0)
    assert all(np.array_equal(one, kept[row]) for row, one in pixels_of(data).items())
    assert any("left out" in note for note in data.notes)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "subfolder"),
        (["1.png", "2.png"], "2 images outside subfolders"),
        (["a/1.png", "a/2.png"], "two classes"),
    ],
)
def test_a_folder_that_cannot_be_learnt_from_is_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    save(tmp_path, names, noise(len(names)))
    with pytest.raises(InputError, match=message):
        prepare(tmp_path, DataOptions())


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("../x.png", "own folder, but row 2 has"),
        ("gone.png", "row 2, .*no such file"),
        ("", "row 2"),
    ],
)
def test_a_path_that_leads_nowhere_or_out_is_refused(
    tmp_path: Path, cell: str, message: str
) -> None:
    save(tmp_path, ["0.png"], noise(1))
    frame = pd.DataFrame({"file": ["0.png", cell, "0.png", "0.png"], "y": list("abab")})
    frame.to_csv(tmp_path / "list.csv", index=False)
    with pytest.raises(InputError, match=message):
        prepare(tmp_path / "list.csv", DataOptions(target="y", images="file"))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((40, 1, 1), np.uint8), "more than 1 x 1 pixels"),
        (np.full((40, 3, 3), np.nan), "finite numbers"),
        (None, "npz file of arrays, but it is not"),
    ],
)
def test_arrays_that_are_no_images_are_refused(
    tmp_path: Path, images: np.ndarray | None, message: str
) -> None:
    path = tmp_path / "some.npz"
    path.write_bytes(b"PK")
    if images is not None:
        np.savez(path, images=images, labels=np.arange(40) % 2)
    with pytest.raises(InputError, match=message):
        prepare(path, DataOptions())


def test_new_images_are_read_from_every_source(tmp_path: Path) -> None:
    images = noise(30)
    frame = pd.DataFrame({"image": list(images), "y": ["a", "b"] * 15})
    encoding = prepare(frame, DataOptions(target="y", images="image")).encoding
    names = [f"{i:02}.png" for i in range(30)]
    save(tmp_path / "new", names, images)
    np.savez(tmp_path / "new.npz", images=images)
    pd.DataFrame({"image": names}).to_csv(tmp_path / "new" / "list.csv", index=False)
    for source in (frame, tmp_path / "new", tmp_path / "new.npz", tmp_path / "new" / "list.csv"):
        reader = ImageReader([encoding])
        (read,) = list(reader.frames(source))
        (found,) = reader.encode(read)
        assert np.array_equal(found.pixels[..., 0].numpy(), images)
