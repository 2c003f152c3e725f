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

LOST = "lost"
"""The state of a trial whose process ended; its settings were tried again under another number."""
_TERMINATED = ("FINISHED", "FAILED", "KILLED")
# Not shown by markdown: what follows is ours, what stands before belongs to the run's owner.
_MARK = "<!-- autoloss -->"


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
        active: A run that was active when the study began: it becomes the parent, or, where it
            is that of another study, has the parent below itself.
    """

    def __init__(
        self, session: Session, *, study_name: str, study_id: str, active: str = ""
    ) -> None:
        self.session = session
        self.study_id = study_id
        self.notes: list[str] = []
        # Runs of trials that were written or completed here.
        self.written = 0
        self.name = study_name
        self._active = active
        self._parent: str | None = None
        self._is_adopted = False
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
        condition = f"tags.`autoloss.study_id` = '{self.study_id}'"
        found = next(self.session.search(condition), None)
        if found is None:
            self._children = {}
            self._parent = self._adopted() or self.session.create(self._parent_content())
            return self._parent
        run_id = str(found.info.run_id)
        self._is_adopted = "autoloss.adopted" in found.data.tags
        # A run that somebody else began is ended by them.
        if found.info.status in _TERMINATED and not self._is_adopted:
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
            self.write_note(opening_note(self.name, description))

    def write_note(self, text: str) -> None:
        """Write the text on the parent's page, below what the owner of the run wrote there."""
        if self._is_adopted:
            run = self.session.client.get_run(self.parent())
            own = run.data.tags.get("mlflow.note.content", "").partition(_MARK)[0].rstrip()
            text = f"{own}\n\n{_MARK}\n\n{text}" if own else f"{_MARK}\n\n{text}"
        self.session.log(self.parent(), tags={"mlflow.note.content": text})

    def finish(self, ended: int) -> None:
        """Show on the parent run that the study is finished.

        Args:
            ended: When, in milliseconds since the epoch.
        """
        if not self._is_adopted:
            self.session.client.set_terminated(self.parent(), status="FINISHED", end_time=ended)

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
        self.written += 1

    def close_lost(self, run: Run) -> None:
        """Show that a trial's run will not go on: its process ended and its settings were retried.

        Args:
            run: A run of a trial that is not part of the study, or a second run of one that is.
        """
        if run.data.tags.get("autoloss.state") != LOST:
            self.session.log(run.info.run_id, tags={"autoloss.state": LOST})
        if run.info.status != "KILLED":
            self.session.client.set_terminated(run.info.run_id, status="KILLED")

    def close_doubles(self) -> None:
        """End other parent runs of the study, which a request that seemed to fail has made."""
        for run in self.session.search(f"tags.`autoloss.study_id` = '{self.study_id}'"):
            is_other = run.info.run_id != self.parent() and "autoloss.adopted" not in run.data.tags
            if is_other and run.info.status not in _TERMINATED:
                self.session.client.set_terminated(run.info.run_id, status="KILLED")

    def stop(self) -> None:
        """Show on the parent run that the search was interrupted."""
        if self.parent() and not self._is_adopted:
            self.session.client.set_terminated(self.parent(), status="KILLED")

    def _find(self, number: int, parent: str) -> None:
        """Look whether a trial has a run after all."""
        condition = (
            f"tags.`mlflow.parentRunId` = '{parent}' "
            f"and tags.`autoloss.trial` = '{trial_tag(number)}'"
        )
        for run in self.session.search(condition):
            self._children[number] = _child(run)

    def _adopted(self) -> str | None:
        """Make the active run the parent and return its id; None if it cannot be."""
        if not self._active:
            return None
        run = self.session.client.get_run(self._active)
        # Two searches in one run: the second has a parent of its own below it.
        if "autoloss.study_id" in run.data.tags or run.info.lifecycle_stage == "deleted":
            return None
        self.session.log(self._active, tags={**self._parent_tags(), "autoloss.adopted": "true"})
        self._is_adopted = True
        return self._active

    def _parent_tags(self) -> dict[str, str]:
        """Return the tags by which the parent run is known."""
        return {
            "autoloss.role": "study",
            "autoloss.study": self.name,
            "autoloss.study_id": self.study_id,
        }

    def _parent_content(self) -> RunContent:
        """Return what the parent run shows at its start."""
        above = {"mlflow.parentRunId": self._active} if self._active else {}
        tags = self._parent_tags() | above
        now = to_ms(time.time())
        return RunContent(
            clip(self.name, MAX_KEY),
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
