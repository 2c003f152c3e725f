"""The code and the addresses that the user has named on this machine.

A study keeps paths of code and addresses of databases. It may come from an untrusted source, so it
uses only those that its user has named before.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from autoloss.core.cache import cache_folder


def note_named(*parts: str) -> None:
    """Note that the user names something; without a cache folder it must be named each time."""
    with suppress(OSError):
        mark = _mark(parts)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def is_named(*parts: str) -> bool:
    """Return whether the user has named something before."""
    return _mark(parts).is_file()


def _mark(parts: tuple[str, ...]) -> Path:
    digest = hashlib.sha256("\0".join(parts).encode(errors="surrogatepass"))
    return cache_folder("named") / digest.hexdigest()
