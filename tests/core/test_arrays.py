"""Archives of arrays are read as NumPy reads them, and no more than is there is unpacked."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from autoloss.core.arrays import BROKEN, read_arrays
from autoloss.core.unpacking import Overpacked, check_size

ARRAYS = {
    "floats": np.arange(12.0).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(12).reshape(3, 4)),
    "texts": np.array(["a", "bé", "\U0001f600"]),
    "swapped": np.array(["a", "b"], dtype=">U2"),
    "empty": np.zeros((0, 3)),
    "none": np.array(7),
    "flags": np.array([True, False]),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path, save) -> None:
    file = tmp_path / "some.npz"
    save(file, **ARRAYS)
    found = read_arrays(file, lambda name: name != "flags")
    assert list(found) == list(ARRAYS)
    assert found.pop("flags") is None
    for name, array in found.items():
        assert array is not None
        assert array.dtype == ARRAYS[name].dtype
        assert np.array_equal(array, ARRAYS[name])


def archive(file: Path, content: bytes) -> Path:
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("a.npy", content)
    return file


def stored(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


CODES = np.array([0x41, 0xD800, 0x110000], dtype=np.uint32)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (stored(np.array([{}, 1], dtype=object)), "Python objects"),
        (stored(np.zeros(99)).replace(b"(99,)", b"(98765,)"), "too few bytes"),
        (stored(np.zeros(99)).replace(b"(99,)", b"(-9,)"), "too few bytes|numpy.savez"),
        (stored(np.zeros(99)).replace(b"'descr'", b"'descr"), "numpy.savez"),
        (stored(CODES.view("<U3")), "characters that do not exist"),
        (b"no array", "numpy.savez"),
    ],
)
def test_arrays_that_are_none_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(BROKEN, match=reason):
        read_arrays(archive(tmp_path / "some.npz", content))


def test_a_content_is_bounded_by_the_file_beyond_a_gibibyte() -> None:
    check_size(1 << 30, 1)
    check_size(200 << 30, 1 << 30)
    with pytest.raises(Overpacked, match="unpack to"):
        check_size((1 << 30) + 1, 1)
    with pytest.raises(Overpacked, match="200 times"):
        check_size((200 << 30) + 1, 1 << 30)
