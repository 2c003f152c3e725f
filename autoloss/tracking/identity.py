"""Who a study is on the dashboard: a number of its own, kept in its folder.

A name is not enough: two people may call their studies ``churn``, and one may delete a study and
search again.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

_FILE = "tracking.json"


@dataclass(frozen=True)
class Identity:
    """What a study must remember to find its runs again.

    Args:
        study_id: The tag by which the parent run is found.
        uri: The tracking URI, without a password; None before the first session.
    """

    study_id: str
    uri: str | None = None


def read_identity(folder: Path) -> Identity:
    """Return the identity kept in a study's folder, or a new one."""
    try:
        kept = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return Identity(study_id=str(kept["study_id"]), uri=kept["uri"])
    except (OSError, ValueError, KeyError, TypeError):
        return Identity(study_id=uuid.uuid4().hex)


def write_identity(folder: Path, identity: Identity) -> None:
    """Keep the identity in the study's folder; a killed process leaves a whole file or none."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{_FILE}.{os.getpid()}.new"
    kept = {"schema_version": 1, "study_id": identity.study_id, "uri": identity.uri}
    draft.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    draft.replace(folder / _FILE)
