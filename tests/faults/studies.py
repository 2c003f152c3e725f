"""The findings of a study, read from its folder without changing it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from autoloss.search.journal import Ledger
from autoloss.search.naming import CONFIG, JOURNAL, SUMMARY

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
# Keys that depend on the moment, and on the numbers of trials that were asked again.
_PASSING = {"ended", "seconds"}
# Files of MLflow, and of Optuna's lock of a killed program.
_BESIDE = ("tracking.json", f"{JOURNAL}.lock")


@dataclass(frozen=True)
class Found:
    """The trials that ended and the conclusion of a study.

    Args:
        trials: By slot, all that is known of a trial but times.
        conclusion: Verdict, figures and models of a finished study; None before.
    """

    trials: Mapping[int, Any]
    conclusion: Any = None


def found_in(folder: Path) -> Found:
    """Return the findings of a study so far.

    Raises:
        AssertionError: A slot has ended twice.
    """
    if not (folder / JOURNAL).is_file() or not (folder / CONFIG).is_file():
        return Found({})
    ledger = Ledger.open(folder.name, folder=folder, url=None)
    trials = ledger.trials()
    ledger.close()
    ended = [trial for trial in trials if trial.state in ENDED]
    slots = Counter(trial.user_attrs["slot"] for trial in ended)
    assert not slots or max(slots.values()) == 1, slots
    by_slot = {trial.user_attrs["slot"]: _facts(trial) for trial in ended}
    if not (folder / SUMMARY).is_file():
        return Found(by_slot)
    numbers = {trial.number: trial.user_attrs["slot"] for trial in ended}
    return Found(by_slot, _conclusion(folder, numbers))


def _facts(trial: FrozenTrial) -> Any:
    facts = {k: v for k, v in trial.user_attrs["facts"].items() if k not in _PASSING}
    asked = {key: trial.user_attrs[key] for key in ("loss", "nuisance", "origin")}
    return {**asked, **facts, "values": trial.values, "params": trial.params}


def _conclusion(folder: Path, slots: Mapping[int, int]) -> Any:
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    verdict = dict(summary["verdict"])
    for side in ("challenger", "baseline"):
        verdict[side] = slots[verdict[side]]
    return {
        "verdict": verdict,
        "recommended": slots[summary["recommended"]],
        "test_metrics": summary["test_metrics"],
        "trials": sorted(slots[one["number"]] for one in summary["trials"]),
        "policies": [
            {**one, "numbers": [slots[number] for number in one["numbers"]]}
            for one in summary["policies"]
        ],
        "loss": (folder / "loss.py").read_text(encoding="utf-8"),
        "model": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((folder / "model").iterdir())
        },
        # Half-written files of a killed program are removed once they are a minute old.
        "files": sorted(
            path.name
            for path in folder.iterdir()
            if not path.name.startswith(_BESIDE) and path.suffix != ".part"
        ),
        # A part that a kill left is younger than a minute here, and stays until a later command.
        "finalists": sorted(
            slots[int(path.name)] for path in (folder / "finalists").glob("[0-9]*")
        ),
    }


def check_nothing_is_lost(before: Found, after: Found) -> None:
    """Check that the trials that had ended before a kill have ended as before."""
    for slot, facts in before.trials.items():
        assert after.trials[slot] == facts


def check_same(found: Found, whole: Found) -> None:
    """Check that two studies found the same: the same trials and the same conclusion."""
    assert found.trials.keys() == whole.trials.keys()
    for slot, facts in whole.trials.items():
        assert found.trials[slot] == facts, slot
    for key, value in whole.conclusion.items():
        assert found.conclusion[key] == value, key
