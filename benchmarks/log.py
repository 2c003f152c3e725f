"""Logs of benchmarks: a line of JSON for each finished piece, so that it is not made twice."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read(log: Path) -> list[dict[str, Any]]:
    """Return the lines of a log; none if it does not exist."""
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def add(log: Path, piece: Mapping[str, Any]) -> str:
    """Add a line to a log, and return it with its end."""
    line = json.dumps(piece) + "\n"
    # One write to the end, so that lines of several processes do not mix.
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
    return line
