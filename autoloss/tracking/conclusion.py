"""A finished study on the dashboard: verdict, winner, front, view, models and report."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autoloss.records import REFINED_LOG_LOSS, Summary, TrialState
from autoloss.report.words import metric_words
from autoloss.tracking.content import (
    MAX_KEY,
    Point,
    clip,
    clipped_tags,
    points,
    run_name,
    to_ms,
)
from autoloss.tracking.failures import Away, classified
from autoloss.tracking.models import register, shelve
from autoloss.tracking.note import ranked_front, verdict_note
from autoloss.tracking.runs import StudyRuns
from autoloss.tracking.shelf import Shelf
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
class Ending:
    """What is known at the end of a study.

    Args:
        summary: The finished study.
        files: Files and folders kept with the parent run, as far as they are there.
        shelf: The models whose weights are kept.
        only_front: Whether trials that nobody would choose have no runs.
    """

    summary: Summary
    files: tuple[Path, ...] = ()
    shelf: Shelf = field(default_factory=Shelf)
    only_front: bool = False


@dataclass(frozen=True)
class Shown:
    """What the dashboard has since.

    Args:
        view: Key of the saved view; empty where there is none.
        registered: Name of the registered model; empty where nothing was registered.
        studies: Key of the view that compares studies; empty where there is none.
    """

    view: str = ""
    registered: str = ""
    studies: str = ""


def write_conclusion(runs: StudyRuns, ending: Ending) -> Shown:
    """Write everything that is known at the end; a second call leaves the same.

    What the store cannot take besides runs is left out and noted in `runs`.
    """
    runs.notes.clear()
    summary = ending.summary
    for trial in summary.trials:
        is_wanted = not ending.only_front or trial.number in _players(summary)
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
    )
    view = write_view(runs, content)
    studies = write_studies(runs)
    registered = _write_models(runs, summary, ending.shelf)
    # Last, because a server may accept runs and still have no place for files.
    _write_files(runs, ending.files)
    return Shown(view, registered, studies)


def view_of(runs: StudyRuns, description: Mapping[str, str]) -> ViewContent:
    """Return the view of a study that is being searched.

    Args:
        runs: The runs of the study.
        description: What the parent run says of it.
    """
    metric = description.get("metric", "error")
    told = description.get("lower_is_better")
    lower = metric_words(metric).lower_is_better if told is None else told == "true"
    return ViewContent(runs.name, runs.parent(), metric, lower)


def write_view(runs: StudyRuns, content: ViewContent) -> str:
    """Write the view "Choose a winner" and return its key, or an empty string if there is none."""
    session = runs.session
    if not session.abilities.has_views:
        return ""
    key, value = view_key(runs.study_id), view_tag(content, now_ms=to_ms(time.time()))
    if len(value) > MAX_TAG:
        runs.notes.append("The view 'Choose a winner' is too long for MLflow, and left out.")
        return ""
    client, experiment = session.client, session.open()
    is_written = _beside(
        runs,
        "The view 'Choose a winner'",
        lambda: client.set_experiment_tag(experiment, TAG + key, value),
    )
    return key if is_written else ""


def write_studies(runs: StudyRuns) -> str:
    """Write the view that compares studies, and lead to it from the experiment's own page.

    Returns:
        The key of the view; empty where there is none.
    """
    session = runs.session
    client, experiment, has_views = session.client, session.open(), session.abilities.has_views
    tags = client.get_experiment(experiment).tags
    wanted = {TAG + STUDIES: studies_tag(now_ms=to_ms(time.time()))} if has_views else {}
    # The experiment of a run that somebody else began is theirs.
    if not session.beside:
        wanted |= {KIND: ML_KIND, NOTE: experiment_note(experiment, has_views=has_views)}

    def write() -> None:
        for key, text in wanted.items():
            # What somebody wrote there stays.
            if not tags.get(key):
                client.set_experiment_tag(experiment, key, text)

    is_written = _beside(runs, "The view of all studies", write)
    return STUDIES if is_written and has_views else ""


def _beside(runs: StudyRuns, what: str, action: Callable[[], object]) -> bool:
    """Do something that the runs can be without; what fails for good is noted."""
    try:
        action()
    except Exception as error:
        failure = classified(error, runs.session.uri, is_general=False)
        if isinstance(failure, Away):
            raise
        runs.notes.append(f"{what} is missing: {failure}")
        return False
    return True


def _players(summary: Summary) -> set[int]:
    """Return the trials that the verdict or a person's choice is about."""
    verdict = summary.verdict
    return {*summary.pareto, verdict.baseline, verdict.challenger, summary.recommended}


def _describe_parent(runs: StudyRuns, summary: Summary, ended: int) -> None:
    """Write the verdict and the winner's metrics on the parent run, so that studies compare."""
    session, parent = runs.session, runs.parent()
    shipped = summary.trial(summary.recommended)
    metrics = [*points("val", shipped.metrics, ended), *_test_points(summary, ended)]
    metrics += study_points(summary, ended)
    for name, values in summary.test_metrics.items():
        metrics += points(f"test {name}", values, ended)
    tags = {
        "autoloss.verdict": summary.verdict.decision,
        "autoloss.recommended": f"#{shipped.number:03d} {shipped.label}",
        "autoloss.metric": summary.metric,
        "autoloss.primary": primary_metric(summary),
        "autoloss.version": summary.version,
    }
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
    session.log(parent, points=metrics, tags=tags)
    runs.write_note(verdict_note(summary, links=_links(runs)))
    runs.finish(ended)
    runs.close_doubles()


def _links(runs: StudyRuns) -> str:
    """Return links from a study's own page to its trials and to the other studies."""
    experiment, has_views = runs.session.open(), runs.session.abilities.has_views
    studies = studies_page(experiment, has_views=has_views)
    trials = f"#/experiments/{experiment}/runs{view_query(view_key(runs.study_id))}"
    return f"[All studies]({studies})" + (f" · [{NAME}]({trials})" if has_views else "")


def _test_points(summary: Summary, ended: int) -> list[Point]:
    """Return the test metrics of what ships; not a number where it was never tested."""
    measured = shipped_metrics(summary)
    if measured or not summary.choices:
        return list(points("test", measured, ended))
    known = dict.fromkeys(name for values in summary.test_metrics.values() for name in values)
    # A metric cannot be taken back, and those of the former winner are not this one's.
    return [Point(f"test/{name}", math.nan, ended) for name in known]


def _mark_trials(runs: StudyRuns, summary: Summary, timestamp: int) -> None:
    """Tag ranks, the front, the challenger and the baseline; take earlier tags away."""
    verdict, client = summary.verdict, runs.session.client
    wanted: dict[int, dict[str, str]] = {}
    # Tags sort as text, so ranks are padded with zeros.
    for rank, number in enumerate(_ranked(summary)[:_RANKED], start=1):
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
        if number not in states or _is_stray(run, states[number]):
            runs.close_lost(run)
            continue
        run_id, tags = run.info.run_id, clipped_tags(wanted.get(number, {}))
        # A wish that somebody has put on a run stays until it is followed.
        is_followed = summary.choices and summary.choices[-1].number == number
        obsolete = _MARKS if is_followed else _MARKS - {"autoloss.choose"}
        for key in obsolete & run.data.tags.keys() - tags.keys():
            client.delete_tag(run_id, key)
        _rename(runs, summary, number, run)
        new = {key: value for key, value in tags.items() if run.data.tags.get(key) != value}
        measured = summary.test_metrics.get(tested.get(number, ""), {})
        runs.session.log(run_id, tags=new, points=points("test", measured, timestamp))


def _is_stray(run: Run, state: TrialState) -> bool:
    """Return whether a run is a second one of its trial: the first is written to its end."""
    return run.info.status == "RUNNING" and state != "running"


def _rename(runs: StudyRuns, summary: Summary, number: int, run: Run) -> None:
    """Give the run of what ships a star, which is seen in every list and chart."""
    plain = run_name(summary.trial(number))
    starred = clip(STAR + plain, MAX_KEY)
    wanted = starred if number == summary.recommended else plain
    # A name that somebody gave it is theirs.
    if run.info.run_name in {plain, starred} - {wanted}:
        runs.session.client.update_run(run.info.run_id, name=wanted)


def _ranked(summary: Summary) -> list[int]:
    """Return the trials that have the study's metric, the best first."""
    sign = 1.0 if summary.lower_is_better else -1.0

    def place(number: int) -> tuple[float, float, int]:
        metrics = summary.trial(number).metrics
        log_loss = metrics.get(REFINED_LOG_LOSS, math.inf)
        return sign * metrics[summary.metric], log_loss, number

    valued = [t for t in summary.trials if math.isfinite(t.metrics.get(summary.metric, math.nan))]
    return sorted((trial.number for trial in valued), key=place)


def _write_models(runs: StudyRuns, summary: Summary, shelf: Shelf) -> str:
    """Show the models, register the one that ships where that is wanted; return under what."""
    if not runs.session.abilities.has_models:
        if shelf.register:
            runs.notes.append(
                f"Nothing is registered as {shelf.register!r}: the store has no logged models."
            )
        return ""
    shown: dict[int, str] = {}
    _beside(
        runs,
        "The shortlist of models",
        lambda: shown.update(shelve(runs, summary, shelf)),
    )
    if not shelf.register:
        return ""
    if summary.recommended not in shelf.models or summary.recommended not in shown:
        runs.notes.append(
            f"Nothing is registered as {shelf.register!r}: the weights of trial "
            f"{summary.recommended} are not there."
        )
        return ""

    def write() -> None:
        version = register(runs, summary, shelf.register, shown[summary.recommended])
        tags = {"autoloss.registered": f"{shelf.register} version {version}"}
        runs.session.log(runs.parent(), tags=tags)

    is_registered = _beside(runs, f"The registered model {shelf.register!r}", write)
    return shelf.register if is_registered else ""


def _write_files(runs: StudyRuns, files: tuple[Path, ...]) -> None:
    """Keep files and folders with the parent run."""
    client, parent = runs.session.client, runs.parent()
    for path in files:
        if path.is_dir():
            client.log_artifacts(parent, str(path), f"{_ARTIFACTS}/{path.name}")
        elif path.exists():
            client.log_artifact(parent, str(path), _ARTIFACTS)


def _decided_ms(summary: Summary) -> int:
    """Return when it was decided what ships, in milliseconds since the epoch."""
    last = summary.choices[-1].created if summary.choices else summary.created
    try:
        # Of several decisions within a second the last one counts.
        return to_ms(datetime.fromisoformat(last).timestamp()) + len(summary.choices)
    except ValueError:
        return to_ms(time.time())
