"""Who a study is on the dashboard: a number of its own, kept in its folder.

A name is not enough: two people may call their studies ``churn``, and one may delete a study and
search again.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, dataclass, fields
from pathlib import Path

TRACKING = "tracking.json"
"""The file in a study's folder."""


@dataclass(frozen=True)
class Identity:
    """What a study must remember to find its runs again.

    Args:
        study_id: The tag by which the parent run is found.
        uri: The tracking URI, without a password; None before the first session.
        experiment_id: MLflow's number of the experiment; None before it is known.
        view: Key of the experiment's saved view; empty where there is none.
        adopted: A run that was active when the study began, and became its parent or has it below
            itself; empty for none.
        registered: Name in the model registry under which the study's model was registered.
        studies: Key of the view that compares the experiment's studies; empty where there is none.
    """

    study_id: str
    uri: str | None = None
    experiment_id: str | None = None
    view: str = ""
    adopted: str = ""
    registered: str = ""
    studies: str = ""


def read_identity(folder: Path) -> Identity:
    """Return the identity kept in a study's folder, or a new one."""
    try:
        kept = json.loads((folder / TRACKING).read_text(encoding="utf-8"))
        known = {field.name: kept[field.name] for field in fields(Identity) if field.name in kept}
        return Identity(**known)
    except (OSError, ValueError, KeyError, TypeError):
        return Identity(study_id=uuid.uuid4().hex)


def write_identity(folder: Path, identity: Identity) -> None:
    """Keep the identity in the study's folder; a killed process leaves a whole file or none."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{TRACKING}.{os.getpid()}.new"
    kept = {"schema_version": 1, **asdict(identity)}
    draft.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    draft.replace(folder / TRACKING)
