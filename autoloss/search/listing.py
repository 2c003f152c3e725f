"""The studies of a folder, as they stand on the disk."""

from __future__ import annotations

from pathlib import Path

from optuna.trial import TrialState

from autoloss.errors import InputError
from autoloss.records import StudyListing
from autoloss.report import summary_from_json
from autoloss.search.config import CONFIG, StudyConfig
from autoloss.search.journal import Ledger

SUMMARY = "summary.json"
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def list_studies(out: Path) -> tuple[StudyListing, ...]:
    """Return the studies of a folder, the newest first.

    Args:
        out: The folder of all studies; there are none where it is missing.
    """
    found = [_listing(path.parent) for path in out.glob(f"*/{CONFIG}")]
    return tuple(sorted(found, key=lambda listing: -listing.created))


def _listing(folder: Path) -> StudyListing:
    config = StudyConfig.read(folder)
    listing = StudyListing(
        name=config.name,
        folder=str(folder),
        created=config.created,
        done=0,
        trials=config.trials,
    )
    summary_file = folder / SUMMARY
    if summary_file.is_file():
        summary = summary_from_json(summary_file.read_text(encoding="utf-8"))
        return StudyListing(
            **vars(listing)
            | {
                "done": len(summary.trials),
                "decision": summary.verdict.decision,
                "recommended": summary.trial(summary.recommended).label,
            }
        )
    return StudyListing(**vars(listing) | {"done": _ended(config, folder)})


def _ended(config: StudyConfig, folder: Path) -> int:
    """Return how many trials ended; 0 where the storage is not reached."""
    try:
        ledger = Ledger.open(config.name, folder=folder, url=config.storage)
    except InputError:
        return 0
    ended = sum(trial.state in _ENDED for trial in ledger.trials())
    ledger.close()
    return ended
