"""A finished study, read from its folder."""

from __future__ import annotations

from pathlib import Path

from autoloss.core.errors import InputError, StudyNotFoundError
from autoloss.records import Summary
from autoloss.report.document import summary_from_json
from autoloss.search.naming import nearest_study

SUMMARY, STUDY = "summary.json", "study.json"


def read_finished(name_or_folder: str | Path, *, out: Path) -> tuple[Path, Summary]:
    """Return the folder and the summary of a study.

    Args:
        name_or_folder: Its name, or its folder.
        out: The folder of all studies.

    Raises:
        StudyNotFoundError: If there is none.
        InputError: If it is not finished, or its summary cannot be read.
    """
    given = Path(name_or_folder).expanduser()
    places = (given, out / given)
    folder = next((place for place in places if _holds(place, SUMMARY, STUDY)), None)
    if folder is None:
        raise StudyNotFoundError(
            f"STUDY must be a study's name or its folder, but got STUDY={str(name_or_folder)!r}"
            f"{nearest_study(name_or_folder, out)}"
        )
    if not _holds(folder, SUMMARY):
        raise InputError(
            f"STUDY must be finished, but got STUDY={str(name_or_folder)!r} without its summary; "
            f"'autoloss resume {name_or_folder}' goes on with it."
        )
    try:
        text = (folder / SUMMARY).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{folder / SUMMARY} must be readable, but got {error}.") from error
    return folder, summary_from_json(text)


def _holds(folder: Path, *names: str) -> bool:
    return any((folder / name).is_file() for name in names)
