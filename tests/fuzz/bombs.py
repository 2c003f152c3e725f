"""Small files whose content is huge, or is said to be: each must be refused before it is there."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from tests.fuzz.readers import READERS, Reader, Seeds

ZEROS = 1 << 24
"""Bytes of a block of zeros, of which bombs are made."""
BLOCKS = 128
"""Blocks of a bomb: 2 GiB."""


def _deflated(head: bytes = b"", tail: bytes = b"", *, fill: bytes = b"\0") -> tuple[bytes, int]:
    """Return a stream of zlib's raw deflate, and the length of its content."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(fill * ZEROS) + packer.flush(zlib.Z_FULL_FLUSH)
    end = packer.compress(tail) + packer.flush(zlib.Z_FINISH)
    # After a full flush each block can be repeated.
    return start + block * BLOCKS + end, len(head) + ZEROS * BLOCKS + len(tail)


def _zipped(members: dict[str, bytes], bomb: str, stream: bytes, size: int) -> bytes:
    """Return a zip archive with a member that unpacks to `size` bytes."""
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        # 64 bits of a size would need its own field.
        size = min(size, 2**32 - 2)
        info = zipfile.ZipInfo(bomb)
        info.compress_type = zipfile.ZIP_STORED
        archive.writestr(info, stream)
    raw, name = bytearray(place.getvalue()), bomb.encode()
    for mark, at_method, at_size in ((b"PK\x03\x04", 8, 22), (b"PK\x01\x02", 10, 24)):
        at = -1
        while (at := raw.find(mark, at + 1)) >= 0:
            length = 30 if mark == b"PK\x03\x04" else 46
            if raw[at + length : at + length + len(name)] == name:
                raw[at + at_method : at + at_method + 2] = struct.pack("<H", 8)
                raw[at + at_size : at + at_size + 4] = struct.pack("<I", size)
    return bytes(raw)


def _npy_head(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _claimed(file: str, array: str) -> Callable[[Seeds], Seeds]:
    """Return a change: the header of an array claims a million million numbers."""

    def change(seeds: Seeds) -> Seeds:
        members = _members(seeds[file])
        members[f"{array}.npy"] = _npy_head((10**9, 1_000)) + bytes(1_000)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return {**seeds, file: stream.getvalue()}

    return change


def _packed(file: str, array: str) -> Callable[[Seeds], Seeds]:
    """Return a change: an array has gigabytes of zeros."""

    def change(seeds: Seeds) -> Seeds:
        members = _members(seeds[file])
        del members[f"{array}.npy"]
        stream, size = _deflated(_npy_head((500_000, 1_000)))
        return {**seeds, file: _zipped(members, f"{array}.npy", stream, size)}

    return change


def _workbook(change: Callable[[bytes], bytes], part: str = "worksheets/sheet1.xml") -> Any:
    def changed(seeds: Seeds) -> Seeds:
        members = _members(seeds["table.xlsx"])
        members[f"xl/{part}"] = change(members[f"xl/{part}"])
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return {"table.xlsx": stream.getvalue()}

    return changed


def _long_workbook(seeds: Seeds) -> Seeds:
    members = _members(seeds["table.xlsx"])
    sheet = members.pop("xl/worksheets/sheet1.xml")
    stream, size = _deflated(sheet[:-20], sheet[-20:], fill=b" ")
    return {"table.xlsx": _zipped(members, "xl/worksheets/sheet1.xml", stream, size)}


def _entities(sheet: bytes) -> bytes:
    """Return a sheet with entities of entities, which are a thousand million letters."""
    lines = [f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 10)]
    head = f'<!DOCTYPE x [<!ENTITY e0 "ha">{"".join(lines)}]>'.encode()
    start = sheet.find(b"<worksheet")
    return sheet[:start] + head + sheet[start:].replace(b"<v>", b"<v>&e9;", 1)


def _far_cell(sheet: bytes) -> bytes:
    """Return a sheet with a cell in its last row and last column."""
    row = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    return sheet.replace(b"</sheetData>", row)


def _impossible_row(sheet: bytes) -> bytes:
    """Return a sheet with a row of a number that no sheet has."""
    row = b'<row r="99999999999"><c r="A99999999999"><v>1</v></c></row></sheetData>'
    return sheet.replace(b"</sheetData>", row)


def _zip_of_text(seeds: Seeds) -> Seeds:
    block = gzip.compress(b"1,red,2020-01-01,a,no\n" * (ZEROS // 22), 9)
    head = gzip.compress(b"size,colour,since,note,target\n")
    return {"table.csv.gz": head + block * BLOCKS}


def _equal_rows(seeds: Seeds) -> Seeds:
    """Return Parquet of a hundred million equal rows."""
    import pyarrow as pa
    from pyarrow import parquet

    rows, stream = 5_000_000, io.BytesIO()
    table = pa.table({"size": pa.repeat(1.0, rows), "target": pa.repeat("no", rows)})
    with parquet.ParquetWriter(stream, table.schema, compression="zstd") as writer:
        for _ in range(20):
            writer.write_table(table, row_group_size=rows)
    return {"table.parquet": stream.getvalue()}


def _equal_texts(seeds: Seeds) -> Seeds:
    """Return Parquet of a long text that each of a million rows repeats."""
    import pyarrow as pa
    from pyarrow import parquet

    places, stream = pa.repeat(pa.scalar(0, pa.int32()), 1_000_000), io.BytesIO()
    texts = pa.DictionaryArray.from_arrays(places, ["x" * 1_000_000])
    labels = pa.DictionaryArray.from_arrays(places, ["no"])
    parquet.write_table(pa.table({"size": texts, "target": labels}), stream, store_schema=False)
    return {"table.parquet": stream.getvalue()}


def _packed_batches(seeds: Seeds) -> Seeds:
    """Return Feather of gigabytes of zeros."""
    import pyarrow as pa

    stream = io.BytesIO()
    batch = pa.record_batch({"size": pa.repeat(0.0, 20_000_000), "target": pa.nulls(20_000_000)})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(stream, batch.schema, options=options) as writer:
        for _ in range(20):
            writer.write_batch(batch)
    return {"table.feather": stream.getvalue()}


def _claiming_batch(seeds: Seeds) -> Seeds:
    """Return Feather whose first packed column claims a terabyte."""
    import pyarrow as pa

    stream = io.BytesIO()
    batch = pa.record_batch({"size": pa.repeat(0.0, 5_000), "target": pa.repeat("no", 5_000)})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(stream, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    claim = struct.pack("<q", 40_000)
    assert claim in stream.getvalue()
    return {"table.feather": stream.getvalue().replace(claim, struct.pack("<q", 1 << 40))}


def _picture(width: int, height: int, *, is_whole: bool) -> bytes:
    """Return a PNG of a size, or the beginning of it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    packer = zlib.compressobj(9)
    row, rows = (bytes(1 + 4 * width), height) if is_whole else (bytes(1_000), 1)
    pixels = b"".join(packer.compress(row) for _ in range(rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", pixels + packer.flush())
        + chunk(b"IEND", b"")
    )


def _claiming_picture(seeds: Seeds) -> Seeds:
    return {**seeds, "pictures/ant/bomb.png": _picture(2**31 - 1, 2**31 - 1, is_whole=False)}


def _large_pictures(seeds: Seeds) -> Seeds:
    """Return images that are allowed alone, and would fill the memory together."""
    bomb = _picture(6_000, 6_000, is_whole=True)
    return {**seeds, **{f"pictures/bee/z{i}.png": bomb for i in range(3)}}


def _weights(size: int) -> Callable[[Seeds], Seeds]:
    def change(seeds: Seeds) -> Seeds:
        content = seeds["model/weights.safetensors"]
        return {**seeds, "model/weights.safetensors": struct.pack("<Q", size) + content[8:]}

    return change


def _claimed_weights(seeds: Seeds) -> Seeds:
    """Return a model one of whose tensors claims a million million numbers."""
    content = seeds["model/weights.safetensors"]
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    header["member.0.weights"] = {
        "dtype": "F32",
        "shape": [10**12],
        "data_offsets": [0, 4 * 10**12],
    }
    changed = json.dumps(header).encode()
    weights = struct.pack("<Q", len(changed)) + changed + content[8 + size :]
    return {**seeds, "model/weights.safetensors": weights}


def _wide_network(seeds: Seeds) -> Seeds:
    config = json.loads(seeds["model/config.json"])
    config["network"] |= {"width": 10**9, "depth": 10**6}
    return {**seeds, "model/config.json": json.dumps(config).encode()}


def _of_text(file: str, text: str) -> Callable[[Seeds], Seeds]:
    return lambda seeds: {**seeds, file: text.encode()}


_DEEP = 100_000
BOMBS: dict[str, tuple[str, Callable[[Seeds], Seeds]]] = {
    "logits with a false size": ("logits.npz", _claimed("logits.npz", "logits")),
    "logits of compressed zeros": ("logits.npz", _packed("logits.npz", "logits")),
    "images with a false size": ("pictures.npz", _claimed("images.npz", "images")),
    "images of compressed zeros": ("pictures.npz", _packed("images.npz", "images")),
    "a teacher with a false size": ("teacher.npz", _claimed("teacher.npz", "probs")),
    "a teacher of compressed zeros": ("teacher.npz", _packed("teacher.npz", "probs")),
    "a long sheet": ("table.xlsx", _long_workbook),
    "a sheet of nested entities": ("table.xlsx", _workbook(_entities)),
    "a cell in the last row": ("table.xlsx", _workbook(_far_cell)),
    "a row beyond the sheet": ("table.xlsx", _workbook(_impossible_row)),
    "a long compressed table": ("table.csv.gz", _zip_of_text),
    "repeated rows": ("table.parquet", _equal_rows),
    "repeated texts": ("table.parquet", _equal_texts),
    "compressed batches": ("table.feather", _packed_batches),
    "a batch with a false size": ("table.feather", _claiming_batch),
    "an image with a false size": ("pictures", _claiming_picture),
    "large images together": ("pictures", _large_pictures),
    "a header of 100 GB": ("model", _weights(100 * 10**9)),
    "a header of 16 EiB": ("model", _weights(2**64 - 1)),
    "weights with a false size": ("model", _claimed_weights),
    "a wide network": ("model", _wide_network),
    "a deeply nested table": ("table.json", _of_text("table.json", "[" * _DEEP)),
    "a deeply nested row": (
        "table.json",
        _of_text("table.json", '[{"a":' * 900 + "1" + "}]" * 900),
    ),
    "a deeply nested model": ("model", _of_text("model/config.json", '{"a":' * _DEEP)),
    "a deeply nested study": ("study", _of_text("out/study/study.json", "[" * _DEEP)),
    "a deeply nested summary": ("study", _of_text("out/study/summary.json", "[" * _DEEP)),
    "a deeply nested space": ("space", _of_text("space.toml", "a = " + "[" * _DEEP)),
    "a space of deeply nested keys": (
        "space",
        _of_text("space.toml", ".".join("a" * 20_000) + " = 1"),
    ),
    "a space of huge numbers": ("space", _of_text("space.toml", f"trials = {'9' * 100_000}")),
    "a deeply nested loss": ("loss.json", _of_text("loss.json", '{"a":' * 500 + "1" + "}" * 500)),
}
"""Changes of sound files by name, each with the reader that must refuse them."""
READ = ("large images together",)
"""Those that are read, because each file is allowed."""


def reader_of(name: str) -> Reader:
    """Return the reader of a bomb."""
    return READERS[BOMBS[name][0]]


def files_of(name: str) -> Seeds:
    """Return the files of a bomb."""
    reader, change = BOMBS[name]
    return change(dict(READERS[reader].seeds()))
