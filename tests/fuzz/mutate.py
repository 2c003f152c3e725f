"""Changes of a file: of bytes, of text, of a member of an archive, of a value of its JSON."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

Change = Callable[[bytes, random.Random], bytes]

ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "\x1b[2J",
    "\r",
    "\n",
    "\n\n",
    "\t",
    '"',
    "'",
    ",",
    ";",
    "{",
    "}",
    "[" * 100_000,
    "{" * 5_000,
    '{"a":' * 20_000,
    "-",
    "-1",
    "0",
    "1e999",
    "NaN",
    "inf",
    "9" * 25,
    "9" * 5_000,
    "0x",
    "\\ud800",
    "\ud800",
    "\u202e",
    "é",
    "\ufeff",
    "x" * 70_000,
    "</script>",
    "=1+1",
    "../../etc/passwd",
    "/dev/zero",
    "__class__",
    "null",
    "true",
    "[]",
    "{}",
    "%s%n",
    "@data",
    "\\",
    "0" * 400,
    "1" + "0" * 400,
)
ODD_VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    10**9,
    10**12,
    2**31,
    2**63,
    10**30,
    -(10**30),
    "@HUGE@",
    "@DEEP@",
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\x1b[2J",
    "\ud800",
    "../../x",
    "/etc/passwd",
    "x" * 5_000,
    [],
    {},
    [[]],
    [None],
    {"a": None},
    [0] * 1_000,
    [[0]] * 50,
    ["x", 1, None],
)
_NUMBERS = (
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0xFFFF_FFFF,
    2**40,
    2**63 - 1,
    2**64 - 1,
)


def flip(content: bytes, chance: random.Random) -> bytes:
    """Change single bits."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def number(content: bytes, chance: random.Random) -> bytes:
    """Put a large or small binary number somewhere, mostly near the start or the end."""
    size = chance.choice((1, 2, 4, 8))
    at = _place(content, chance)
    value = chance.choice(_NUMBERS) % 256**size
    packed = value.to_bytes(size, chance.choice(("little", "big")))
    return content[:at] + packed + content[at + size :]


def truncate(content: bytes, chance: random.Random) -> bytes:
    """Cut off the end, or the start."""
    at = _place(content, chance)
    return content[:at] if chance.random() < 0.8 else content[at:]


def insert(content: bytes, chance: random.Random) -> bytes:
    """Put in random bytes, or a piece of the file again."""
    at, start = _place(content, chance), _place(content, chance)
    piece = content[start : start + chance.choice((1, 7, 64, 500))]
    if chance.random() < 0.5:
        piece = chance.randbytes(chance.choice((1, 2, 8, 100)))
    return content[:at] + piece * chance.choice((1, 1, 1, 3, 200)) + content[at:]


def remove(content: bytes, chance: random.Random) -> bytes:
    """Take out a piece."""
    at = _place(content, chance)
    return content[:at] + content[at + chance.choice((1, 1, 4, 30, 300)) :]


def swap(content: bytes, chance: random.Random) -> bytes:
    """Exchange two pieces."""
    first, second = sorted((_place(content, chance), _place(content, chance)))
    size = min(chance.choice((1, 8, 64)), second - first)
    one, other = content[first : first + size], content[second : second + size]
    return (
        content[:first] + other + content[first + size : second] + one + content[second + size :]
    )


def word(content: bytes, chance: random.Random) -> bytes:
    """Replace a word, a number or a mark by an odd text."""
    text = content.decode("utf-8", "surrogateescape")
    tokens = list(re.finditer(r"[\w.]+|[^\w\s]|\s", text))
    if not tokens:
        return chance.choice(ODD_TEXTS).encode("utf-8", "surrogatepass")
    token, odd = chance.choice(tokens), chance.choice(ODD_TEXTS)
    changed = text[: token.start()] + odd + text[token.end() :]
    return changed.encode("utf-8", "surrogateescape" if "\ud800" not in odd else "replace")


def line(content: bytes, chance: random.Random) -> bytes:
    """Repeat, remove or exchange lines."""
    lines = content.splitlines(keepends=True)
    if len(lines) < 2:
        return insert(content, chance)
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    kind = chance.randrange(4)
    if kind == 0:
        lines[at:at] = [lines[other]] * chance.choice((1, 50))
    elif kind == 1:
        del lines[at : at + chance.choice((1, 10))]
    elif kind == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = lines[at].rstrip(b"\n")
    return b"".join(lines)


def value(content: bytes, chance: random.Random) -> bytes:
    """Replace, remove or move a value of a JSON document, or of one of its lines."""
    try:
        return _json(content, chance)
    except ValueError:
        lines = content.splitlines()
        at = chance.randrange(len(lines)) if lines else 0
        try:
            lines[at] = _json(lines[at], chance)
        except (ValueError, IndexError):
            return word(content, chance)
        return b"\n".join(lines) + b"\n"


def member(content: bytes, chance: random.Random) -> bytes:
    """Change a member of a zip archive, whose checksums stay right."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [(name, archive.read(name)) for name in archive.namelist()]
        at = chance.randrange(len(parts))
        name, inner = parts[at]
        is_text = name.endswith((".xml", ".rels", ".json", ".txt"))
        kind = chance.random()
        if kind < 0.85:
            change = chance.choice(TEXT if is_text else BINARY)
            parts[at] = (name, change(inner, chance))
        elif kind < 0.9:
            parts.append(parts[at])
        elif kind < 0.95:
            del parts[at]
        else:
            parts[at] = (chance.choice(("../x.npy", "/x", "", "x" * 300, "logits")), inner)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as changed:
            for one, data in parts:
                changed.writestr(zipfile.ZipInfo(one), data)
        return stream.getvalue()


def unpacked(content: bytes, chance: random.Random) -> bytes:
    """Change the content of a gzip file."""
    return gzip.compress(chance.choice(TEXT)(gzip.decompress(content), chance), 1)


def header(content: bytes, chance: random.Random) -> bytes:
    """Change the JSON header of safetensors, whose length stays right."""
    size = struct.unpack("<Q", content[:8])[0]
    changed = value(content[8 : 8 + size], chance)
    return struct.pack("<Q", len(changed)) + changed + content[8 + size :]


_BROKEN = (struct.error, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
BINARY: tuple[Change, ...] = (flip, number, truncate, insert, remove, swap)
TEXT: tuple[Change, ...] = (*BINARY, word, word, word, line)
JSON: tuple[Change, ...] = (*TEXT, value, value, value, value, value, value)
ZIP: tuple[Change, ...] = (*BINARY, member, member, member, member, member, member)
GZIP: tuple[Change, ...] = (*BINARY, unpacked, unpacked, unpacked)
SAFETENSORS: tuple[Change, ...] = (*BINARY, header, header, header)


def changed(content: bytes, changes: tuple[Change, ...], chance: random.Random) -> bytes:
    """Return a file after a few changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        try:
            content = chance.choice(changes)(content, chance)
        except (ValueError, OSError, EOFError, KeyError, IndexError, *_BROKEN):
            # An earlier change left no archive, or no header.
            content = flip(content, chance)
    return content


def _place(content: bytes, chance: random.Random) -> int:
    """Return a place, often near one of the ends, where formats have their headers."""
    kind, size = chance.random(), len(content)
    if kind < 0.3:
        return chance.randrange(min(size, 64) + 1)
    if kind < 0.5:
        return size - chance.randrange(min(size, 64) + 1)
    return chance.randrange(size + 1)


def _json(content: bytes, chance: random.Random) -> bytes:
    """Change a value of a JSON document."""
    document: Any = json.loads(content)
    holder: Any = {"": document}
    key: Any = ""
    while isinstance(inner := holder[key], dict | list) and inner and chance.random() < 0.85:
        holder = inner
        key = chance.choice([*inner] if isinstance(inner, dict) else range(len(inner)))
    top = holder is not document and "" in holder and holder[""] is document
    kind = chance.random()
    if kind < 0.7 or top:
        odd = chance.choice(ODD_VALUES)
        if top:
            document = odd
        else:
            holder[key] = odd
    elif kind < 0.85:
        del holder[key]
    elif isinstance(holder, dict):
        holder[chance.choice(("", "x", "__class__", "\x1b", key))] = holder.pop(key)
    else:
        holder.insert(0, holder[key])
    return _dumped(document)


def _dumped(document: Any) -> bytes:
    """Return a document as JSON, in which two marks stand for values that Python cannot write."""
    text = json.dumps(document, default=str, separators=(",", ":"))
    text = text.replace('"@HUGE@"', "9" * 5_000)
    text = text.replace('"@DEEP@"', "[" * 100_000 + "]" * 100_000)
    return text.encode("utf-8", "surrogatepass")
