"""Reads the studies of a folder from disk, without torch and mostly without Optuna."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from autoloss.core.admitted import is_named
from autoloss.core.documents import parsed_json
from autoloss.core.errors import InputError, StudyNotFoundError
from autoloss.core.files import check_inside, settle
from autoloss.records import StudyListing, Summary, loss_label
from autoloss.search.naming import CONFIG, JOURNAL, SUMMARY, nearest_study

# Optuna's codes in a journal for a new trial and for a new state.
_CREATED, _SET = 4, 6
_LINES = tuple(f'{{"op_code":{code},' for code in (_CREATED, _SET))
# The states of trials that ended with a result or left a race, and of all ended trials.
_ENDED = (1, 2)
_OVER = (1, 2, 3)
_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""The exceptions of values of other types than a study's."""
# Earlier studies that a sentence names.
_NAMED = 5


def list_studies(out: str | Path = "reports") -> tuple[StudyListing, ...]:
    """Return the studies of a folder, the newest first.

    Args:
        out: The folder of all studies; a missing folder has none.
    """
    found = [_listing(path.parent) for path in Path(out).glob(f"*/{CONFIG}")]
    return tuple(sorted(found, key=lambda listing: -listing.created))


def read_finished(name_or_folder: str | Path, *, out: Path) -> tuple[Path, Summary]:
    """Return the folder and the summary of a study.

    Args:
        name_or_folder: The name of the study, or its folder.
        out: The folder of all studies.

    Raises:
        StudyNotFoundError: If there is no such study.
        InputError: If the study is not finished, or its summary cannot be read.
    """
    from autoloss.report.document import summary_from_json

    path = Path(name_or_folder).expanduser()
    places = (path, out / path)
    folder = next((place for place in places if _holds(place, SUMMARY, CONFIG)), None)
    if folder is None:
        raise StudyNotFoundError(
            f"STUDY must be a study's name or its folder, but got STUDY={str(name_or_folder)!r}"
            f"{nearest_study(name_or_folder, out)}"
        )
    settle(folder)
    if not _holds(folder, SUMMARY):
        raise InputError(
            f"STUDY must be finished, but got STUDY={str(name_or_folder)!r} without its summary; "
            f"'autoloss resume {name_or_folder}' continues it."
        )
    check_inside(folder)
    try:
        text = (folder / SUMMARY).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{folder / SUMMARY} must be readable, but got {error}.") from error
    try:
        return folder, summary_from_json(text)
    except InputError as error:
        raise InputError(f"{folder / SUMMARY}: {error}") from error


def earlier_looks(out: Path, sha256: str, own: str) -> tuple[str, ...]:
    """Return the names of finished studies with the same test rows, in order of time.

    Files that are not a readable summary of a study are ignored.

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


def _listing(folder: Path) -> StudyListing:
    """Return a line on a study.

    Raises:
        InputError: Its files are not a study's.
    """
    settle(folder)
    check_inside(folder)
    try:
        return _listed(folder)
    except InputError:
        raise
    except _ODD as error:
        raise InputError(
            f"{folder} must hold the {CONFIG} and {SUMMARY} of a study, but got "
            f"{type(error).__name__} {error!s:.80}."
        ) from error


def _listed(folder: Path) -> StudyListing:
    config = _read(folder / CONFIG)
    known: dict[str, Any] = {
        "name": str(config["name"]),
        "folder": str(folder),
        "created": float(config["created"]),
        "trials": int(config["trials"]),
    }
    if not (folder / SUMMARY).is_file():
        return StudyListing(**known, done=_ended(config, folder))
    summary = _read(folder / SUMMARY)
    ships = next(
        (one for one in summary["trials"] if one["number"] == summary["recommended"]), None
    )
    return StudyListing(
        **known,
        done=len(summary["trials"]),
        decision=summary["verdict"]["decision"],
        recommended="" if ships is None else loss_label(ships["loss"]),
    )


def _read(file: Path) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        InputError: The file holds no JSON object.
    """
    try:
        found = parsed_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} must be readable JSON, but got {error}.") from error
    if not isinstance(found, dict):
        raise InputError(f"{file} must be a JSON object, but got {type(found).__name__}.")
    return found


def _ended(config: dict[str, Any], folder: Path) -> int:
    """Return the number of ended trials; 0 if the storage cannot be reached."""
    if (url := config.get("storage")) is None:
        journal = folder / JOURNAL
        return sum(1 for _ in _ended_in(journal)) if journal.is_file() else 0
    if not is_named("storage", str(url)):
        return 0
    from optuna.trial import TrialState

    from autoloss.search.journal import Ledger

    try:
        ledger = Ledger.open(config["name"], folder=folder, url=url)
    except InputError:
        return 0
    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    count = sum(trial.state in ended for trial in ledger.trials())
    ledger.close()
    return count


def _ended_in(journal: Path) -> Iterator[int]:
    """Yield the ended trials of a journal, without incomplete lines."""
    created, finished = 0, set()
    with journal.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith(_LINES):
                continue
            try:
                entry = parsed_json(line)
            except ValueError:
                continue
            number = created if entry["op_code"] == _CREATED else entry["trial_id"]
            created += entry["op_code"] == _CREATED
            # The first end state counts.
            if entry["state"] in _OVER and number not in finished:
                finished.add(number)
                if entry["state"] in _ENDED:
                    yield number


def has_trials(journal: Path) -> bool:
    """Return whether a journal has a trial; a missing journal has none."""
    if not journal.is_file():
        return False
    with journal.open(encoding="utf-8", errors="replace") as lines:
        return any(line.startswith(_LINES) for line in lines)


def _look(path: Path, sha256: str) -> tuple[str, str] | None:
    """Return the time of a study's look at these rows and its name; None if it has not looked."""
    try:
        text = path.read_bytes()
        # A quick check, because a summary with many trials takes long to parse.
        if sha256.encode() not in text:
            return None
        summary: Any = parsed_json(text)
        if summary["settings"]["test_sha256"] != sha256 or not summary["verdict"]:
            return None
        return str(summary["created"]), str(summary["name"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _holds(folder: Path, *names: str) -> bool:
    return any((folder / name).is_file() for name in names)
