"""The runs of one study, the parent and its children: whatever is done twice is written once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloss.records import TrialRecord
from autoloss.tracking.content import (
    MAX_KEY,
    RunContent,
    clip,
    clipped_params,
    clipped_tags,
    to_ms,
    trial_content,
    trial_tag,
)
from autoloss.tracking.note import opening_note
from autoloss.tracking.session import Session

if TYPE_CHECKING:
    from mlflow.entities import Run

_TERMINATED = ("FINISHED", "FAILED", "KILLED")


@dataclass(frozen=True)
class Child:
    """The run of a trial, and whether all of it is written."""

    run_id: str
    is_written: bool


class StudyRuns:
    """The parent run of a study and the runs of its trials. Used by one thread.

    Args:
        session: The experiment that they live in.
        study_name: The name of the parent run.
        study_id: The tag by which the parent run is found again.
    """

    def __init__(self, session: Session, *, study_name: str, study_id: str) -> None:
        self.session = session
        self._name = study_name
        self._study_id = study_id
        self._parent: str | None = None
        self._children: dict[int, Child] = {}
        # A request that failed may have been done all the same: look before doing it again.
        self._unsure = False

    @property
    def is_open(self) -> bool:
        """Return whether the parent run was found or made."""
        return self._parent is not None

    def forget(self) -> None:
        """Look for everything again the next time: someone deleted part of it."""
        self._parent = self.session.experiment_id = None

    def parent(self) -> str:
        """Return the id of the parent run, which is found by its tag or made."""
        if self._parent is not None:
            return self._parent
        condition = f"tags.`autoloss.study_id` = '{self._study_id}'"
        found = next(self.session.search(condition), None)
        if found is None:
            self._children = {}
            self._parent = self.session.create(self._parent_content())
            return self._parent
        run_id = str(found.info.run_id)
        if found.info.status in _TERMINATED:
            self.session.client.update_run(run_id, status="RUNNING")
        self._children = {n: _child(run) for n, run in self.children_of(run_id)}
        self._parent = run_id
        return run_id

    def children_of(self, parent: str) -> Iterator[tuple[int, Run]]:
        """Yield the number of every trial that has a run, and the run; finished runs last."""
        runs = list(self.session.search(f"tags.`mlflow.parentRunId` = '{parent}'"))
        for run in sorted(runs, key=lambda run: run.info.status in _TERMINATED):
            number = run.data.tags.get("autoloss.trial", "")
            if number.isdigit():
                yield int(number), run

    def describe(self, description: Mapping[str, str]) -> None:
        """Show on the parent run what is searched; what an earlier session wrote there stays."""
        run = self.session.client.get_run(self.parent())
        params = clipped_params(description)
        missing = {key: value for key, value in params.items() if key not in run.data.params}
        self.session.log(run.info.run_id, params=missing)
        if "autoloss.verdict" not in run.data.tags:
            note = opening_note(self._name, description)
            self.session.log(run.info.run_id, tags={"mlflow.note.content": note})

    def write_trial(self, record: TrialRecord) -> None:
        """Write the run of a trial, unless it is there; one that is half written is completed."""
        number, parent = record.number, self.parent()
        if self._unsure and number not in self._children:
            self._find(number, parent)
        child = self._children.get(number)
        if child is not None and child.is_written:
            return
        content = trial_content(record, parent=parent)
        self._unsure = True
        run_id = child.run_id if child else self.session.create(content)
        self._children[number] = Child(run_id, is_written=False)
        self.session.log(run_id, params=content.params, points=content.points)
        self.session.client.set_terminated(run_id, status=content.status, end_time=content.ended)
        self._children[number] = Child(run_id, is_written=True)
        self._unsure = False

    def stop(self) -> None:
        """Show on the parent run that the search was interrupted."""
        self.session.client.set_terminated(self.parent(), status="KILLED")

    def _find(self, number: int, parent: str) -> None:
        """Look whether a trial has a run after all."""
        condition = (
            f"tags.`mlflow.parentRunId` = '{parent}' "
            f"and tags.`autoloss.trial` = '{trial_tag(number)}'"
        )
        for run in self.session.search(condition):
            self._children[number] = _child(run)

    def _parent_content(self) -> RunContent:
        """Return what the parent run shows at its start."""
        tags = {
            "autoloss.role": "study",
            "autoloss.study": self._name,
            "autoloss.study_id": self._study_id,
        }
        now = to_ms(time.time())
        return RunContent(
            clip(self._name, MAX_KEY),
            "RUNNING",
            now,
            now,
            clipped_tags(tags),
            params={},
            points=(),
        )


def _child(run: Run) -> Child:
    """Return what is known of the run of a trial."""
    return Child(str(run.info.run_id), is_written=run.info.status in _TERMINATED)
