"""A finished study on the dashboard: verdict, winner, front, test metrics and report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from autoloss.records import Summary
from autoloss.tracking.content import points, to_ms
from autoloss.tracking.note import ranked_front, verdict_note
from autoloss.tracking.runs import StudyRuns

_ARTIFACTS = "report"
_MARKS = frozenset(
    f"autoloss.{mark}" for mark in ("pareto", "pareto_rank", "baseline", "challenger", "winner")
)


def write_conclusion(runs: StudyRuns, summary: Summary, report_files: Sequence[Path]) -> None:
    """Write everything that is known at the end; a second call leaves the same.

    Args:
        runs: The runs of the study.
        summary: The finished study.
        report_files: Files and folders kept with the parent run, as far as they are there.
    """
    for trial in summary.trials:
        if trial.state != "running":
            runs.write_trial(trial)
    session, parent, ended = runs.session, runs.parent(), _created_ms(summary)
    _mark_trials(runs, summary, ended)
    shipped = summary.trial(summary.recommended)
    metrics = [*points("val", shipped.metrics, ended)]
    metrics += points("test", summary.test_metrics.get(_shipped_name(summary), {}), ended)
    for name, values in summary.test_metrics.items():
        metrics += points(f"test {name}", values, ended)
    tags = {
        "mlflow.note.content": verdict_note(summary),
        "autoloss.verdict": summary.verdict.decision,
        "autoloss.recommended": f"#{shipped.number:03d} {shipped.label}",
        "autoloss.metric": summary.metric,
        "autoloss.version": summary.version,
    }
    session.log(parent, points=metrics, tags=tags)
    session.client.set_terminated(parent, status="FINISHED", end_time=ended)
    # Last, because a server may accept runs and still have no place for files.
    for path in report_files:
        if path.is_dir():
            session.client.log_artifacts(parent, str(path), f"{_ARTIFACTS}/{path.name}")
        elif path.exists():
            session.client.log_artifact(parent, str(path), _ARTIFACTS)


def _mark_trials(runs: StudyRuns, summary: Summary, timestamp: int) -> None:
    """Tag the front, the challenger and the baseline; take an earlier ending's tags away."""
    verdict, client = summary.verdict, runs.session.client
    wanted: dict[int, dict[str, str]] = {}
    for rank, number in enumerate(ranked_front(summary), start=1):
        # Tags sort as text, so the rank is padded with zeros.
        wanted[number] = {"autoloss.pareto": "true", "autoloss.pareto_rank": f"{rank:03d}"}
    wanted.setdefault(verdict.baseline, {})["autoloss.baseline"] = "true"
    wanted.setdefault(verdict.challenger, {})["autoloss.challenger"] = "true"
    wanted.setdefault(summary.recommended, {})["autoloss.winner"] = "true"
    tested = {verdict.baseline: "cross-entropy", verdict.challenger: "challenger"}
    for number, run in runs.children_of(runs.parent()):
        run_id, tags = run.info.run_id, wanted.get(number, {})
        for key in _MARKS & run.data.tags.keys() - tags.keys():
            client.delete_tag(run_id, key)
        new = {key: value for key, value in tags.items() if run.data.tags.get(key) != value}
        measured = summary.test_metrics.get(tested.get(number, ""), {})
        runs.session.log(run_id, tags=new, points=points("test", measured, timestamp))


def _shipped_name(summary: Summary) -> str:
    """Return under which name the test metrics of what ships stand."""
    is_challenger = summary.recommended == summary.verdict.challenger
    return (
        "challenger"
        if is_challenger and summary.test_metrics.get("challenger")
        else "cross-entropy"
    )


def _created_ms(summary: Summary) -> int:
    """Return when the study finished, in milliseconds since the epoch."""
    try:
        return to_ms(datetime.fromisoformat(summary.created).timestamp())
    except ValueError:
        return to_ms(time.time())
