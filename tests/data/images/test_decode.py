"""Images of every mode become bytes, as they look upright on white paper."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autoloss.core.cache import cache_folder
from autoloss.data.images.decode import PictureError, PictureShape, decoded, open_picture
from autoloss.data.images.pixels import read_pictures, shape_of

GREY, COLOUR = PictureShape(4, 6, 1), PictureShape(4, 6, 3)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def test_pixels_of_the_right_size_stay_as_they_are() -> None:
    grey, colour = noise((4, 6)), noise((4, 6, 3))
    assert np.array_equal(decoded(encoded(Image.fromarray(grey)), GREY)[..., 0], grey)
    assert np.array_equal(decoded(encoded(Image.fromarray(colour)), COLOUR), colour)
    assert np.array_equal(decoded(colour, COLOUR), colour)


def test_sixteen_bits_flags_palettes_and_cmyk_keep_their_looks() -> None:
    wide = np.array([[0, 257, 65_535]] * 4, dtype=np.uint16).repeat(2, 1)
    for cell in (wide, encoded(Image.fromarray(wide))):
        assert decoded(cell, GREY)[0, :, 0].tolist() == [0, 0, 1, 1, 255, 255]
    flags = np.eye(4, 6, dtype=bool)
    assert np.array_equal(decoded(encoded(Image.fromarray(flags)), GREY)[..., 0], flags * 255)
    red = Image.new("RGB", (6, 4), (255, 0, 0))
    for cell in (encoded(red.convert("P")), encoded(red.convert("CMYK"), "TIFF")):
        found = decoded(cell, COLOUR)
        assert found[..., 0].min() > 250
        assert found[..., 1:].max() < 5


def test_what_is_transparent_is_white() -> None:
    half = np.zeros((4, 6, 4), dtype=np.uint8)
    half[:, 3:, 3] = 255
    found = decoded(encoded(Image.fromarray(half)), GREY)[0, :, 0]
    assert found.tolist() == [255] * 3 + [0] * 3
    palette = Image.new("P", (6, 4), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert decoded(encoded(palette, transparency=1), COLOUR).min() == 255


def test_the_camera_is_turned_upright() -> None:
    lying = noise((6, 4))
    image, exif = Image.fromarray(lying), Image.Exif()
    exif[0x0112] = 6
    upright = decoded(encoded(image, "PNG", exif=exif), GREY)[..., 0]
    assert np.array_equal(upright, np.rot90(lying, -1))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (b"", "empty"),
        (b"no image at all", "does not recognise"),
        (encoded(Image.fromarray(noise((40, 40))))[:300], "trunc"),
        (Path("nowhere.png"), "no such file"),
    ],
)
def test_a_broken_image_is_refused_with_a_reason(cell: bytes | Path, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        decoded(cell, GREY)


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    # 400 million pixels in a header; no data follow.
    header = encoded(Image.new("1", (1, 1)))
    size = (20_000).to_bytes(4, "big")
    head = b"IHDR" + size + size + header[24:29]
    bomb = header[:12] + head + zlib.crc32(head).to_bytes(4, "big") + header[33:]
    with pytest.raises(PictureError, match="pixels"):
        open_picture(bomb)


def test_size_and_colours_are_those_of_the_data() -> None:
    greys = [encoded(Image.fromarray(noise((28, 28)), "L").convert("RGB")) for _ in range(3)]
    assert shape_of(greys) == PictureShape(28, 28, 1)
    photos = [encoded(Image.fromarray(noise((150, 300, 3)))) for _ in range(3)]
    assert shape_of(photos) == PictureShape(32, 64, 3)
    assert shape_of(photos, 10) == PictureShape(5, 10, 3)
    assert shape_of([b"broken"]) is None


def test_files_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = [tmp_path / f"{i}.png" for i in range(5)]
    for i, file in enumerate(files):
        file.write_bytes(encoded(Image.fromarray(noise((4, 6), i))))
    files[3].write_bytes(b"broken")
    first, second = read_pictures(files, GREY), read_pictures(files, GREY)
    assert len(list(cache_folder("pictures").glob("*.npy"))) == 1
    assert isinstance(second.pixels, np.memmap)
    assert np.array_equal(first.pixels, second.pixels)
    assert (first.hashes, first.bad) == (second.hashes, second.bad)
    assert list(first.bad) == [3]
    files[0].write_bytes(encoded(Image.fromarray(noise((5, 6), 9))))
    assert not np.array_equal(read_pictures(files, GREY).pixels[0], first.pixels[0])
    for stored in cache_folder("pictures").glob("*.npy"):
        stored.unlink()
        stored.write_bytes(b"broken")
    assert np.array_equal(read_pictures(files, GREY).pixels[1], first.pixels[1])
