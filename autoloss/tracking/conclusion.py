"""Writes a finished study to MLflow: verdict, winner, front, views, models and report."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autoloss.records import Summary, TrialState
from autoloss.report.words import metric_words
from autoloss.tracking.content import (
    MAX_KEY,
    MetricPoint,
    clip,
    clipped_tags,
    points,
    ranked,
    ranked_front,
    run_name,
    stranger_figures,
    stranger_points,
    to_ms,
)
from autoloss.tracking.failures import Away, classified
from autoloss.tracking.models import log_models, register
from autoloss.tracking.note import verdict_note
from autoloss.tracking.protocol import SavedModels
from autoloss.tracking.runs import StudyRuns
from autoloss.tracking.studies import (
    KIND,
    ML_KIND,
    NOTE,
    experiment_note,
    primary_metric,
    shipped_metrics,
    studies_page,
    studies_tag,
    study_points,
)
from autoloss.tracking.view import (
    MAX_TAG,
    NAME,
    STUDIES,
    TAG,
    ViewContent,
    params_of,
    view_key,
    view_query,
    view_tag,
)

if TYPE_CHECKING:
    from mlflow.entities import Run

STAR = "★ "
_ARTIFACTS = "report"
_RANKED = 100
_MARKS = frozenset(
    f"autoloss.{mark}"
    for mark in (
        "pareto", "pareto_rank", "rank", "baseline", "challenger", "winner", "choose", "chosen",
    )
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Conclusion:
    """The results of a finished study.

    Args:
        summary: The finished study.
        files: Files and folders to attach to the parent run, if they exist.
        saved: The models with saved weights.
        only_front: Whether only the trials of front, verdict and winner have runs.
    """

    summary: Summary
    files: tuple[Path, ...] = ()
    saved: SavedModels = field(default_factory=SavedModels)
    only_front: bool = False


@dataclass(frozen=True)
class Published:
    """The views and the model that a conclusion wrote.

    Args:
        view: Key of the saved view; empty for none.
        registered: Name of the registered model; empty for none.
        studies: Key of the view that compares studies; empty for none.
    """

    view: str = ""
    registered: str = ""
    studies: str = ""


def write_conclusion(runs: StudyRuns, conclusion: Conclusion) -> Published:
    """Write the results of a study; a second call changes nothing.

    Gaps of the store are noted in `runs`.
    """
    runs.notes.clear()
    runs.refresh()
    summary = conclusion.summary
    for trial in summary.trials:
        is_wanted = not conclusion.only_front or trial.number in _compared(summary)
        if trial.state != "running" and is_wanted:
            runs.write_trial(trial)
    ended = _decided_ms(summary)
    _mark_trials(runs, summary, ended)
    _describe_parent(runs, summary, ended)
    lower = summary.lower_is_better
    content = ViewContent(
        summary.name,
        runs.parent(),
        summary.metric,
        lower,
        **params_of(summary.trials, summary.metric, lower=lower),
        own=tuple(one.name for one in summary.own_metrics),
    )
    view = write_view(runs, content)
    studies = write_studies(runs)
    registered = _write_models(runs, summary, conclusion.saved)
    # Last, because a server may accept runs but no files.
    _write_files(runs, conclusion.files)
    return Published(view, registered, studies)


def view_of(runs: StudyRuns, description: Mapping[str, str]) -> ViewContent:
    """Return the view of a running study.

    Args:
        runs: The runs of the study.
        description: Parameters of the parent run.
    """
    metric = description.get("metric", "error")
    direction = description.get("lower_is_better")
    lower = metric_words(metric).lower_is_better if direction is None else direction == "true"
    return ViewContent(runs.name, runs.parent(), metric, lower)


def write_view(runs: StudyRuns, content: ViewContent) -> str:
    """Write the view "Choose a winner" and return its key; empty for none."""
    experiment = runs.experiment
    if not experiment.capabilities.has_views:
        return ""
    key, value = view_key(runs.study_id), view_tag(content, now_ms=to_ms(time.time()))
    if len(value) > MAX_TAG:
        runs.notes.append("The view 'Choose a winner' is left out: it is too long for MLflow.")
        return ""
    client, experiment_id = experiment.client, experiment.open()
    is_written = _optional(
        runs,
        "The view 'Choose a winner'",
        lambda: client.set_experiment_tag(experiment_id, TAG + key, value),
    )
    return key if is_written else ""


def write_studies(runs: StudyRuns) -> str:
    """Write the view that compares studies, and a link to it on the experiment's page.

    Returns:
        The key of the view; empty for none.
    """
    experiment = runs.experiment
    client, experiment_id, has_views = (
        experiment.client,
        experiment.open(),
        experiment.capabilities.has_views,
    )
    tags = client.get_experiment(experiment_id).tags
    wanted = {TAG + STUDIES: studies_tag(now_ms=to_ms(time.time()))} if has_views else {}
    # The experiment of an adopted run belongs to the owner of the run.
    if not experiment.of_run:
        wanted |= {KIND: ML_KIND, NOTE: experiment_note(experiment_id, has_views=has_views)}

    def write() -> None:
        for key, text in wanted.items():
            # A text of the user stays.
            if not tags.get(key):
                client.set_experiment_tag(experiment_id, key, text)

    is_written = _optional(runs, "The view of all studies", write)
    return STUDIES if is_written and has_views else ""


def _optional(runs: StudyRuns, subject: str, action: Callable[[], object]) -> bool:
    """Do an optional write, and return whether it succeeded; a permanent failure is noted."""
    try:
        action()
    except Exception as error:
        failure = classified(error, runs.experiment.uri, is_general=False)
        if isinstance(failure, Away):
            raise
        runs.notes.append(f"{subject} is missing: {failure}")
        return False
    return True


def _compared(summary: Summary) -> set[int]:
    """Return the trials of the front, of the verdict and the winner."""
    verdict = summary.verdict
    return {*summary.pareto, verdict.baseline, verdict.challenger, summary.recommended}


def _describe_parent(runs: StudyRuns, summary: Summary, ended: int) -> None:
    """Write the verdict and the winner's metrics on the parent run."""
    experiment, parent = runs.experiment, runs.parent()
    shipped = summary.trial(summary.recommended)
    metrics = [*points("val", shipped.metrics, ended), *_test_points(summary, ended)]
    metrics += study_points(summary, ended)
    for name, values in summary.test_metrics.items():
        metrics += points(f"test {name}", values, ended)
    for policy in summary.policies:
        figures = {summary.metric: policy.metric, "log_loss": policy.log_loss}
        metrics += points(f"ship {policy.name}", figures, ended)
    metrics += stranger_points(summary, ended)
    tags = {
        "autoloss.verdict": summary.verdict.decision,
        "autoloss.recommended": f"#{shipped.number:03d} {shipped.label}",
        "autoloss.metric": summary.metric,
        "autoloss.primary": primary_metric(summary),
        "autoloss.version": summary.version,
    }
    if ships := [one.name for one in summary.policies if one.ships]:
        tags["autoloss.ship"] = ships[0]
    if summary.verdict.reason:
        tags["autoloss.reason"] = summary.verdict.reason
    if summary.choices:
        choice = summary.choices[-1]
        before = summary.trial(choice.before)
        tags |= {
            "autoloss.winner_before": f"#{before.number:03d} {before.label}",
            "autoloss.choice_reason": choice.reason,
            "autoloss.choice_by": choice.by,
            "autoloss.choice_time": choice.created,
        }
    experiment.log(parent, points=metrics, tags=tags)
    runs.write_note(verdict_note(summary, links=_links(runs)))
    runs.finish(ended)
    runs.close_doubles()


def _links(runs: StudyRuns) -> str:
    """Return links from the parent run's page to the trials and the other studies."""
    experiment_id, has_views = runs.experiment.open(), runs.experiment.capabilities.has_views
    studies = studies_page(experiment_id, has_views=has_views)
    trials = f"#/experiments/{experiment_id}/runs{view_query(view_key(runs.study_id))}"
    return f"[All studies]({studies})" + (f" · [{NAME}]({trials})" if has_views else "")


def _test_points(summary: Summary, ended: int) -> list[MetricPoint]:
    """Return the test metrics of the winner; NaN if it was never tested."""
    measured = shipped_metrics(summary)
    if measured or not summary.choices:
        return list(points("test", measured, ended))
    names = dict.fromkeys(name for values in summary.test_metrics.values() for name in values)
    # MLflow deletes no metric, and the metrics of the former winner are not the new winner's.
    return [MetricPoint(f"test/{name}", math.nan, ended) for name in names]


def _mark_trials(runs: StudyRuns, summary: Summary, timestamp: int) -> None:
    """Tag ranks, front, challenger, baseline and winner; delete earlier tags."""
    verdict, client = summary.verdict, runs.experiment.client
    wanted: dict[int, dict[str, str]] = {}
    # Tags sort as text, so ranks are padded with zeros.
    for rank, number in enumerate(ranked(summary)[:_RANKED], start=1):
        wanted.setdefault(number, {})["autoloss.rank"] = f"{rank:03d}"
    for rank, number in enumerate(ranked_front(summary), start=1):
        marks = {"autoloss.pareto": "true", "autoloss.pareto_rank": f"{rank:03d}"}
        wanted.setdefault(number, {}).update(marks)
    wanted.setdefault(verdict.baseline, {})["autoloss.baseline"] = "true"
    wanted.setdefault(verdict.challenger, {})["autoloss.challenger"] = "true"
    wanted.setdefault(summary.recommended, {})["autoloss.winner"] = "true"
    if summary.choices:
        wanted[summary.recommended]["autoloss.chosen"] = summary.choices[-1].reason
    tested = {verdict.baseline: "cross-entropy", verdict.challenger: "challenger"}
    states = {trial.number: trial.state for trial in summary.trials}
    for number, run in runs.children_of(runs.parent()):
        if number not in states or runs.is_double(number, run) or _is_stray(run, states[number]):
            runs.close_lost(run)
            continue
        run_id, tags = run.info.run_id, clipped_tags(wanted.get(number, {}))
        # A user's tag `autoloss.choose` stays until the trial is the winner.
        is_chosen = summary.choices and summary.choices[-1].number == number
        obsolete = _MARKS if is_chosen else _MARKS - {"autoloss.choose"}
        for key in obsolete & run.data.tags.keys() - tags.keys():
            client.delete_tag(run_id, key)
        _rename(runs, summary, number, run)
        new = {key: value for key, value in tags.items() if run.data.tags.get(key) != value}
        measured = summary.test_metrics.get(tested.get(number, ""), {})
        strange = stranger_figures(summary).get(number, {})
        told = (*points("test", measured, timestamp), *points("ood", strange, timestamp))
        runs.experiment.log(run_id, tags=new, points=told)


def _is_stray(run: Run, state: TrialState) -> bool:
    """Return whether a run is a second run of its trial, which would have ended otherwise."""
    return run.info.status == "RUNNING" and state != "running"


def _rename(runs: StudyRuns, summary: Summary, number: int, run: Run) -> None:
    """Put a star before the name of the winner's run, for all lists and charts."""
    plain = run_name(summary.trial(number))
    starred = clip(STAR + plain, MAX_KEY)
    wanted = starred if number == summary.recommended else plain
    # A name that the user gave stays.
    if run.info.run_name in {plain, starred} - {wanted}:
        runs.experiment.client.update_run(run.info.run_id, name=wanted)


def _write_models(runs: StudyRuns, summary: Summary, saved: SavedModels) -> str:
    """Log the models, and register the winner if wanted; return the registered name."""
    if not runs.experiment.capabilities.has_models:
        if saved.register:
            runs.notes.append(
                f"Nothing is registered as {saved.register!r}: the store has no logged models."
            )
        return ""
    logged: dict[int, str] = {}
    _optional(
        runs,
        "The shortlist of models",
        lambda: logged.update(log_models(runs, summary, saved)),
    )
    if not saved.register:
        return ""
    if summary.recommended not in saved.folders or summary.recommended not in logged:
        runs.notes.append(
            f"Nothing is registered as {saved.register!r}: the weights of trial "
            f"{summary.recommended} are missing."
        )
        return ""

    def write() -> None:
        version = register(runs, summary, saved.register, logged[summary.recommended])
        tags = {"autoloss.registered": f"{saved.register} version {version}"}
        runs.experiment.log(runs.parent(), tags=tags)

    is_registered = _optional(runs, f"The registered model {saved.register!r}", write)
    return saved.register if is_registered else ""


def _write_files(runs: StudyRuns, files: tuple[Path, ...]) -> None:
    """Attach files and folders to the parent run."""
    client, parent = runs.experiment.client, runs.parent()
    for path in files:
        if path.is_dir():
            client.log_artifacts(parent, str(path), f"{_ARTIFACTS}/{path.name}")
        elif path.exists():
            client.log_artifact(parent, str(path), _ARTIFACTS)


def _decided_ms(summary: Summary) -> int:
    """Return the time of the last choice of a winner, in milliseconds since the epoch."""
    last = summary.choices[-1].created if summary.choices else summary.created
    try:
        # The last of several choices within a second counts.
        return to_ms(datetime.fromisoformat(last).timestamp()) + len(summary.choices)
    except ValueError:
        return to_ms(time.time())
