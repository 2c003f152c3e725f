"""The runs of one study: the parent and its children; a repeated write changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloss.core.secrets import redacted
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
from autoloss.tracking.experiment import MlflowExperiment
from autoloss.tracking.failures import Away
from autoloss.tracking.note import opening_note

if TYPE_CHECKING:
    from mlflow.entities import Run

LOST = "lost"
"""The state of a trial whose process died; another trial has retried its settings."""
_TERMINATED = ("FINISHED", "FAILED", "KILLED")
# Markdown hides it: our text follows; text before it belongs to the owner of the run.
_MARK = "<!-- autoloss -->"


@dataclass(frozen=True)
class Child:
    """The run of a trial, and whether it is complete."""

    run_id: str
    is_written: bool


class StudyRuns:
    """The parent run of a study and the runs of its trials. For one thread.

    Args:
        experiment: The experiment of the runs.
        study_name: Name of the parent run.
        study_id: Tag of the parent run.
        active: ID of the run that was active when the study began, which becomes the parent run,
            or the run above it if another study has taken it; empty for none.
        is_guest: Whether another process creates the parent run.
    """

    def __init__(
        self,
        experiment: MlflowExperiment,
        *,
        study_name: str,
        study_id: str,
        active: str = "",
        is_guest: bool = False,
    ) -> None:
        self.experiment = experiment
        self.study_id = study_id
        self.notes: list[str] = []
        # Number of trials' runs that this process wrote or completed.
        self.written = 0
        self.name = study_name
        self._active = active
        # Until this process concludes the study.
        self.is_guest = is_guest
        self._parent: str | None = None
        self._is_adopted = False
        self._children: dict[int, Child] = {}
        # A failed request may have created the run: search for it before another attempt.
        self._is_unsure = False

    @property
    def is_open(self) -> bool:
        """Return whether the parent run is known."""
        return self._parent is not None

    def forget(self) -> None:
        """Search for all runs again at the next write, because some were deleted."""
        self._parent = self.experiment.experiment_id = None

    def parent(self) -> str:
        """Return the ID of the parent run, which is found by its tag or created.

        Raises:
            Away: Another process creates it, and has not done so yet.
        """
        if self._parent is not None:
            return self._parent
        condition = f"tags.`autoloss.study_id` = '{self.study_id}'"
        found = next(self.experiment.search(condition), None)
        if found is None and self.is_guest:
            raise Away(f"MLflow at {redacted(self.experiment.uri)} has no run of the study yet.")
        if found is None:
            self._children = {}
            self._parent = self._adopted() or self.experiment.create(self._parent_content())
            return self._parent
        run_id = str(found.info.run_id)
        self._is_adopted = "autoloss.adopted" in found.data.tags
        # The owner of an adopted run ends it.
        if found.info.status in _TERMINATED and not self._is_adopted:
            self.experiment.client.update_run(run_id, status="RUNNING")
        self._parent = run_id
        self.refresh()
        return run_id

    def refresh(self) -> None:
        """Read which trials have runs, because other processes of the study write some too."""
        found = self.children_of(self.parent())
        self._children = {
            number: _child(run)
            for number, run in found
            if run.data.tags.get("autoloss.state") != LOST
        }

    def is_double(self, number: int, run: Run) -> bool:
        """Return whether a run is not the run of its trial, because two processes wrote one."""
        return number in self._children and self._children[number].run_id != run.info.run_id

    def children_of(self, parent: str) -> Iterator[tuple[int, Run]]:
        """Yield the trials' numbers and runs below a parent run, finished runs last."""
        runs = list(self.experiment.search(f"tags.`mlflow.parentRunId` = '{parent}'"))
        for run in sorted(runs, key=lambda run: run.info.status in _TERMINATED):
            number = run.data.tags.get("autoloss.trial", "")
            if number.isdigit():
                yield int(number), run

    def describe(self, description: Mapping[str, str]) -> None:
        """Write the request on the parent run; the text of an earlier session stays."""
        run = self.experiment.client.get_run(self.parent())
        params = clipped_params(description)
        missing = {key: value for key, value in params.items() if key not in run.data.params}
        self.experiment.log(run.info.run_id, params=missing)
        if "autoloss.verdict" not in run.data.tags:
            self.write_note(opening_note(self.name, description))

    def write_note(self, text: str) -> None:
        """Write the note of the parent run, below the text of the run's owner."""
        if self._is_adopted:
            run = self.experiment.client.get_run(self.parent())
            own = run.data.tags.get("mlflow.note.content", "").partition(_MARK)[0].rstrip()
            text = f"{own}\n\n{_MARK}\n\n{text}" if own else f"{_MARK}\n\n{text}"
        self.experiment.log(self.parent(), tags={"mlflow.note.content": text})

    def finish(self, ended: int) -> None:
        """End the parent run of a finished study.

        Args:
            ended: Time of the end, in milliseconds since the epoch.
        """
        if not self._is_adopted:
            self.experiment.client.set_terminated(self.parent(), status="FINISHED", end_time=ended)

    def write_trial(self, record: TrialRecord) -> None:
        """Write the run of a trial, or complete it."""
        number, parent = record.number, self.parent()
        if self._is_unsure and number not in self._children:
            self._find(number, parent)
        child = self._children.get(number)
        if child is not None and child.is_written:
            return
        content = trial_content(record, parent=parent)
        self._is_unsure = True
        run_id = child.run_id if child else self.experiment.create(content)
        self._children[number] = Child(run_id, is_written=False)
        self.experiment.log(run_id, params=content.params, points=content.points)
        self.experiment.client.set_terminated(
            run_id, status=content.status, end_time=content.ended
        )
        self._children[number] = Child(run_id, is_written=True)
        self._is_unsure = False
        self.written += 1

    def close_lost(self, run: Run) -> None:
        """End a lost run, whose process died.

        Args:
            run: A run of a trial that is not in the study, or a second run of a trial.
        """
        if run.data.tags.get("autoloss.state") != LOST:
            self.experiment.log(run.info.run_id, tags={"autoloss.state": LOST})
        if run.info.status != "KILLED":
            self.experiment.client.set_terminated(run.info.run_id, status="KILLED")

    def close_doubles(self) -> None:
        """End other parent runs of the study, created by requests that seemed to fail."""
        for run in self.experiment.search(f"tags.`autoloss.study_id` = '{self.study_id}'"):
            is_other = run.info.run_id != self.parent() and "autoloss.adopted" not in run.data.tags
            if is_other and run.info.status not in _TERMINATED:
                self.experiment.client.set_terminated(run.info.run_id, status="KILLED")

    def stop(self) -> None:
        """End the parent run of an interrupted search."""
        if self.parent() and not self._is_adopted:
            self.experiment.client.set_terminated(self.parent(), status="KILLED")

    def _find(self, number: int, parent: str) -> None:
        """Search for the run of a trial."""
        condition = (
            f"tags.`mlflow.parentRunId` = '{parent}' "
            f"and tags.`autoloss.trial` = '{trial_tag(number)}'"
        )
        for run in self.experiment.search(condition):
            self._children[number] = _child(run)

    def _adopted(self) -> str | None:
        """Make the active run the parent and return its ID; None if impossible."""
        if not self._active:
            return None
        run = self.experiment.client.get_run(self._active)
        # The second search in one run gets its own parent run below it.
        if "autoloss.study_id" in run.data.tags or run.info.lifecycle_stage == "deleted":
            return None
        self.experiment.log(self._active, tags={**self._parent_tags(), "autoloss.adopted": "true"})
        self._is_adopted = True
        return self._active

    def _parent_tags(self) -> dict[str, str]:
        """Return the tags that identify the parent run."""
        return {
            "autoloss.role": "study",
            "autoloss.study": self.name,
            "autoloss.study_id": self.study_id,
        }

    def _parent_content(self) -> RunContent:
        """Return the content of a new parent run."""
        parent = {"mlflow.parentRunId": self._active} if self._active else {}
        tags = self._parent_tags() | parent
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
    """Return the state of a trial's run."""
    return Child(str(run.info.run_id), is_written=run.info.status in _TERMINATED)
