"""Names of studies, safe as names of folders on every system, and of the files in a folder."""

from __future__ import annotations

import difflib
import itertools
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

from autoloss.core.errors import InputError

CONFIG, JOURNAL, SUMMARY = "study.json", "study.journal", "summary.json"
"""The files of a study in its folder."""
_LONGEST = 80
_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Devices that Windows does not allow as file names, whatever their ending.
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10)}


def check_name(name: str) -> str:
    """Return `name` if it can be the name of a study and of its folder.

    Raises:
        InputError: If it cannot.

    Examples:
        >>> check_name("churn-2024.v2")
        'churn-2024.v2'
    """
    if not _is_safe(name):
        raise InputError(
            "A study's name must be letters, digits, '.', '_' or '-', begin with a letter or "
            f"digit, not end with '.', be at most {_LONGEST} long and no device of Windows, "
            f"but got name={name!r}; {safe_name(name)!r} would do."
        )
    return name


def safe_name(text: str, *, otherwise: str = "study") -> str:
    """Return the nearest name of a study to any text, such as the name of a file.

    Args:
        text: The text.
        otherwise: The name if no character of `text` can be kept.

    Examples:
        >>> safe_name("Überweisungen März.csv"), safe_name("???")
        ('Uberweisungen-Marz.csv', 'study')
    """
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in apart if not unicodedata.combining(letter))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", bare).strip("-._")[:_LONGEST].rstrip("-._")
    name = name or otherwise
    return name if _is_safe(name) else f"study-{name}"[:_LONGEST]


def _is_safe(name: str) -> bool:
    return (
        _ALLOWED.fullmatch(name) is not None
        and len(name) <= _LONGEST
        and not name.endswith(".")
        and name.partition(".")[0].lower() not in _DEVICES
    )


def free_name(source: str | None, out: Path, refused: Collection[str] = ()) -> str:
    """Return a free name for a study, after the data.

    Args:
        source: Path of the data or ``sklearn:NAME``; None for a DataFrame.
        out: The folder of all studies.
        refused: Names that another program took meanwhile.
    """
    stem = safe_name(Path(source.removeprefix("sklearn:")).stem if source else "study")
    taken = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in taken if name not in refused and not (out / name).exists())


def study_names(out: Path) -> list[str]:
    """Return the names of the studies in a folder, the newest first; a missing folder has none."""
    marks = [mark for name in (CONFIG, SUMMARY) for mark in out.glob(f"*/{name}")]
    # A shell would read signs of its own language in the names of other folders.
    marks = [mark for mark in marks if _is_safe(mark.parent.name) and mark.is_file()]
    found = {mark.parent.name: mark.stat().st_mtime for mark in marks}
    return sorted(found, key=lambda name: (-found[name], name))


def nearest_study(name: str | Path, out: Path) -> str:
    """Return the end of a message on a missing study: the nearest name, or how to list all."""
    near = difflib.get_close_matches(Path(name).name, study_names(out), n=1)
    return f", did you mean {near[0]!r}?" if near else f"; 'autoloss list --out {out}' shows all."
