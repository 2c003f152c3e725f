"""Earlier studies that opened the same locked test rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoloss.search.listing import SUMMARY

_NAMED = 5


def earlier_looks(out: Path, sha256: str, own: str) -> tuple[str, ...]:
    """Return the names of the finished studies with the same test rows, in order of time.

    Files that cannot be read as the summary of a study are passed over.

    Args:
        out: The folder of all studies.
        sha256: Digest of the test rows, as in ``settings.test_sha256`` of a summary.
        own: Name of the study that asks.
    """
    if not sha256:
        return ()
    found = []
    for path in sorted(out.glob(f"*/{SUMMARY}")):
        if path.parent.name == own:
            continue
        looked = _look(path, sha256)
        if looked is not None and looked[1] != own:
            found.append(looked)
    return tuple(name for _, name in sorted(found))


def look_sentence(names: Sequence[str]) -> str:
    """Return a sentence on earlier looks; empty if there are none.

    Examples:
        >>> look_sentence(["churn"])
        '1 earlier study looked at the same test rows (churn): its verdict and this one are not \
independent.'
    """
    if not names:
        return ""
    left = len(names) - _NAMED
    listed = ", ".join(names[:_NAMED]) + (f" and {left} more" if left > 0 else "")
    who, whose = ("study", "its verdict") if len(names) == 1 else ("studies", "their verdicts")
    return (
        f"{len(names)} earlier {who} looked at the same test rows ({listed}): {whose} and this "
        "one are not independent."
    )


def _look(path: Path, sha256: str) -> tuple[str, str] | None:
    """Return the time of a study's look at these rows and its name; None if it has not looked."""
    try:
        text = path.read_bytes()
        # A quick check, because a summary with many trials takes long to parse.
        if sha256.encode() not in text:
            return None
        summary: Any = json.loads(text)
        if summary["settings"]["test_sha256"] != sha256 or not summary["verdict"]:
            return None
        return str(summary["created"]), str(summary["name"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
