"""The identity of a study in MLflow, stored in the study's folder.

Names are not unique: two users may call their studies ``churn``, and a user may delete a study and
search again.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from autoloss.core.admitted import is_named, note_named
from autoloss.core.documents import parsed_json
from autoloss.core.files import writable, write_whole

TRACKING = "tracking.json"
"""Name of the file in a study's folder."""


@dataclass(frozen=True)
class Identity:
    """The facts by which a study finds its runs again.

    Args:
        study_id: Tag of the parent run.
        uri: The tracking URI, without a password; None before the first session.
        experiment_id: ID of the experiment; None before it is known.
        view: Key of the experiment's saved view; empty for none.
        adopted: The run that was active when the study began: the parent run, or the run above
            it; empty for none.
        registered: Name of the study's model in the model registry; empty for none.
        studies: Key of the view that compares the experiment's studies; empty for none.
    """

    study_id: str
    uri: str | None = None
    experiment_id: str | None = None
    view: str = ""
    adopted: str = ""
    registered: str = ""
    studies: str = ""


def read_identity(folder: Path) -> Identity:
    """Return the identity stored in a study's folder, or a new identity.

    A folder may come from an untrusted source: an address that its user has never tracked to on
    this machine is forgotten, so that nothing is sent there.
    """
    try:
        kept = parsed_json((folder / TRACKING).read_text(encoding="utf-8"))
        known = {field.name: kept[field.name] for field in fields(Identity) if field.name in kept}
        if not all(value is None or isinstance(value, str) for value in known.values()):
            raise TypeError(known)
        if known.get("uri") is None or is_named("tracking", known["uri"]):
            return Identity(**known)
        return Identity(study_id=known["study_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return Identity(study_id=uuid.uuid4().hex)


def write_identity(folder: Path, identity: Identity) -> None:
    """Store the identity in the study's folder, whole or not at all."""
    if identity.uri is not None:
        note_named("tracking", identity.uri)
    content = {"schema_version": 1, **asdict(identity)}
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / TRACKING, json.dumps(content, indent=1) + "\n")


def of_processes(own: Identity, shared: Identity | None) -> Identity:
    """Return the identity of a study whose processes may have their own folders.

    Args:
        own: That of this process's folder.
        shared: The identity that the processes agree on; None for none.
    """
    if shared is None or shared.study_id == own.study_id:
        return own
    is_known = shared.uri is not None and is_named("tracking", shared.uri)
    return shared if is_known else Identity(shared.study_id)
