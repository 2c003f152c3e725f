"""Lists the studies of a folder from disk, without torch and mostly without Optuna."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autoloss.core.errors import InputError
from autoloss.records import StudyListing, loss_label

CONFIG, JOURNAL, SUMMARY = "study.json", "study.journal", "summary.json"
# Optuna's codes in a journal for a new trial and for a new state.
_CREATED, _SET = 4, 6
_LINES = tuple(f'{{"op_code":{code},' for code in (_CREATED, _SET))
# The states of trials that ended with a result or left a race, and of all ended trials.
_ENDED = (1, 2)
_OVER = (1, 2, 3)


def list_studies(out: str | Path = "reports") -> tuple[StudyListing, ...]:
    """Return the studies of a folder, the newest first.

    Args:
        out: The folder of all studies; a missing folder has none.
    """
    found = [_listing(path.parent) for path in Path(out).glob(f"*/{CONFIG}")]
    return tuple(sorted(found, key=lambda listing: -listing.created))


def _listing(folder: Path) -> StudyListing:
    config = _read(folder / CONFIG)
    known = {
        "name": config["name"],
        "folder": str(folder),
        "created": config["created"],
        "trials": config["trials"],
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
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} must be readable JSON, but got {error}.") from error
    if not isinstance(found, dict):
        raise InputError(f"{file} must be a JSON object, but got {type(found).__name__}.")
    return found


def _ended(config: dict[str, Any], folder: Path) -> int:
    """Return how many trials ended; 0 if the storage cannot be reached."""
    if config.get("storage") is None:
        journal = folder / JOURNAL
        return sum(1 for _ in _ended_in(journal)) if journal.is_file() else 0
    from optuna.trial import TrialState

    from autoloss.search.journal import Ledger

    try:
        ledger = Ledger.open(config["name"], folder=folder, url=config["storage"])
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
                entry = json.loads(line)
            except ValueError:
                continue
            number = created if entry["op_code"] == _CREATED else entry["trial_id"]
            created += entry["op_code"] == _CREATED
            # The first end state counts.
            if entry["state"] in _OVER and number not in finished:
                finished.add(number)
                if entry["state"] in _ENDED:
                    yield number
