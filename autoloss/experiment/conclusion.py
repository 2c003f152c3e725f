"""The end of a search: trains the finalists again, reaches the verdict and ships the winner."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from autoloss.core.errors import InputError
from autoloss.core.files import replacing_folder, writable, write_whole
from autoloss.core.interrupts import finishing
from autoloss.core.task import TaskKind
from autoloss.experiment.ahead import Ahead
from autoloss.experiment.boosted_parts import why_not_boosted
from autoloss.experiment.boosting import Boosted
from autoloss.experiment.code_lengths import with_training_code
from autoloss.experiment.confirmation import LockedPredictions, confirm_on_locked
from autoloss.experiment.label_decision import as_decided
from autoloss.experiment.limit_text import done_text
from autoloss.experiment.nesting import judge_by_nesting
from autoloss.experiment.notes import study_notes
from autoloss.experiment.ood import judge_strangers, with_locked
from autoloss.experiment.out_of_fold import judge_out_of_fold
from autoloss.experiment.own_network import network_argument, notes_of
from autoloss.experiment.policies import compare_policies, with_policies
from autoloss.experiment.progress import Progress
from autoloss.experiment.refit import refit
from autoloss.experiment.replication import Selection, replicate
from autoloss.experiment.session import SearchSession
from autoloss.experiment.teaching import spare_teacher
from autoloss.records import Coverage, Disagreements, Summary
from autoloss.report.write import report_texts
from autoloss.search import SearchResult, summarise
from autoloss.tracking import SavedModels, Tracking
from autoloss.verdict.coverage import coverage_of, shortfall

MODEL, FINALISTS = "model", "finalists"
LOSS = "loss.py"
PENDING_SECONDS = 30.0


def conclude(session: SearchSession, boosting: Ahead[Boosted | None]) -> SearchResult:
    """Train the finalists again, choose the challenger, judge it, and ship the winner.

    Args:
        session: The search, which has ended.
        boosting: The reference of a verdict out of fold.
    """
    study, data = session.study, session.opened.data
    spare_teacher(session)
    session.begin_final()
    selection = _selected(session)
    if session.clock.limit is not None:
        figures = selection.replication.figures
        plan, trials = session.timetable.plan, study.trials
        finalists, each = len(figures.numbers), figures.count
        session.note(done_text(plan, trials, finalists=finalists, each=each))
    on_locked = None if data.locked is None else LockedPredictions(data.locked)
    if on_locked is not None:
        evidence = confirm_on_locked(session, selection, on_locked)
    elif data.resampling.verdict == "out_of_fold":
        evidence = judge_out_of_fold(session, selection, boosting)
    else:
        evidence = judge_by_nesting(session, selection)
    if evidence.reference is None:
        _note_no_reference(session)
    if scope := data.kind.scope(data.encoding):
        words = f"{evidence.verdict.text} {scope}"
        evidence = replace(evidence, verdict=replace(evidence.verdict, text=words))
    has_weights = study.facts.weights is not None
    notes = study_notes(data, study.space, study.metric, has_weights=has_weights)
    notes = (*notes_of(study.config.origin), *session.notes, *notes)
    result = summarise(
        selection.snapshot,
        evidence,
        data=replace(data.summary, notes=(*data.summary.notes, *notes)),
        settings=_settings(session),
        seconds=_seconds(session),
    )
    policies = compare_policies(session, selection, result.summary.recommended, on_locked)
    ship = session.opened.request.ship
    policies = policies.shipping(ship)
    summary = with_policies(result.summary, policies, ship=ship)
    if session.opened.request.examples:
        summary = replace(summary, disagreements=_shown(session, summary.disagreements))
    shipping = next(one for one in policies.records if one.ships)
    model, models = policies.models[ship], dict(selection.replication.models)
    if session.opened.strangers is not None:
        weights = dict(zip(shipping.numbers, shipping.weights, strict=True))
        found, models, model = judge_strangers(session, selection, model, weights, on_locked)
        summary = replace(summary, strangers=found)
    if on_locked is not None:
        model = with_locked(model, on_locked)
    refitted = refit(session, selection, model, shipping.numbers)
    labels = as_decided(summary.labels, refitted.model)
    if session.opened.request.code_length and summary.code_lengths is not None:
        codes = with_training_code(summary.code_lengths, session, selection)
        summary = replace(summary, code_lengths=codes)
    summary = replace(summary, refit=refitted.record, seconds=_seconds(session), labels=labels)
    result = replace(result, summary=summary, model=refitted.model)
    if len(shipping.numbers) == 1:
        models[shipping.numbers[0]] = refitted.model
    with writable(study.folder):
        for number, model in models.items():
            model.save(finalist_folder(study.folder, number))
    return replace(result, unwritten=_write(result, session))


def _shown(session: SearchSession, found: Disagreements | None) -> Disagreements | None:
    """Return the examples of a report with the words or images of their rows."""
    if found is None:
        return None
    seen = session.opened.data.glimpses(found.table, [one.row for one in found.examples])
    pairs = zip(found.examples, seen, strict=True)
    examples = tuple(replace(one, words=own.words, picture=own.picture) for one, own in pairs)
    return replace(found, examples=examples)


def _selected(session: SearchSession) -> Selection:
    """Train the finalists again and choose among them."""
    study = session.study
    picked = study.pick_finalists()
    replication = replicate(session, picked, baseline=study.finalists().baseline.number)
    coverage = _coverage(session, is_final_cut=replication.is_cut)
    choice, finalists = study.choose(
        picked, replication.figures, by_log_loss=bool(shortfall(coverage))
    )
    return Selection(study.snapshot(), choice, finalists, replication, coverage)


def _note_no_reference(session: SearchSession) -> None:
    """Report why gradient boosting was left out."""
    reason = why_not_boosted(session.opened.data)
    if not reason and session.clock.limit is not None:
        reason = "the time limit had no room for it"
    if reason:
        session.note(f"Gradient boosting was left out: {reason}.")


def _coverage(session: SearchSession, *, is_final_cut: bool) -> Coverage:
    """Return how much of the plan was trained, and the time for the rest if time was short."""
    found = coverage_of(
        session.study.trials,
        planned_trials=session.study.budget,
        planned_epochs=session.timetable.asked.epochs,
        max_epochs=session.study.space.training.max_epochs,
        is_final_cut=is_final_cut,
    )
    if not shortfall(found):
        return found
    return replace(found, seconds_for_all=session.timetable.seconds_for_all)


def _settings(session: SearchSession) -> dict[str, Any]:
    """Return the settings of network, training and machine, which the report shows."""
    locked, space = session.opened.data.locked, session.study.space
    own = network_argument(session.study.config.origin)
    settings = {
        **session.divisions.jobs[0].network.settings,
        **asdict(space.training),
        "device": str(session.divisions.jobs[0].device),
        "together": session.executor.together,
        **own,
        **({} if locked is None else {"test_sha256": locked.sha256}),
    }
    uri = session.opened.tracker.shown_uri
    return {**settings, "tracking_uri": uri} if uri else settings


def _seconds(session: SearchSession) -> dict[str, float]:
    total, training = session.clock.elapsed, session.clock.training
    return {"total": total, "training": training, "outside": total - training}


def report_files(folder: Path) -> list[Path]:
    """Return the files of a study's folder for people: report, loss and model."""
    names = ("report.html", "report.md", "summary.json", "trials.csv", LOSS, MODEL)
    return [folder / name for name in names if (folder / name).exists()]


def finalist_folder(folder: Path, number: int) -> Path:
    """Return the folder in which a study keeps the model of a trial that was trained again."""
    return folder / FINALISTS / f"{number:05d}"


def saved_models(
    folder: Path, summary: Summary, register: str | None = None, *, is_own: bool = False
) -> SavedModels:
    """Return the models of a study whose weights its folder has.

    Args:
        folder: The folder.
        summary: The study.
        register: Name in the model registry; None for none.
        is_own: Whether the network is custom; its models are left out because MLflow
            cannot load them without its code.
    """
    if is_own:
        return SavedModels({}, register or "")
    kept = {one.number: finalist_folder(folder, one.number) for one in summary.trials}
    models = {number: path for number, path in kept.items() if path.is_dir()}
    if (folder / MODEL).is_dir():
        models[summary.recommended] = folder / MODEL
    return SavedModels(models, register or "")


def _write(result: SearchResult, session: SearchSession) -> str:
    """Write report and model, write the conclusion to MLflow, and report missing runs."""
    folder = session.study.folder
    write_result(result, folder)
    left = session.clock.left
    return show_result(
        result.summary,
        folder,
        session.opened.tracker,
        session.opened.progress,
        session.opened.request.register,
        is_own=result.model is not None and bool(result.model.own_code),
        seconds=PENDING_SECONDS if left is None else min(max(left, 1.0), PENDING_SECONDS),
    )


def write_result(result: SearchResult, folder: Path) -> None:
    """Write report, loss and model into a study's folder, all of them or none."""
    with finishing(), writable(folder), replacing_folder(folder) as part:
        if result.model is not None:
            result.model.save(part / MODEL)
        _write_loss(result, part / LOSS)
        for name, text in report_texts(result.summary).items():
            write_whole(part / name, text)


def show_result(
    summary: Summary,
    folder: Path,
    tracker: Tracking,
    progress: Progress,
    register: str | None = None,
    *,
    is_own: bool,
    seconds: float = PENDING_SECONDS,
) -> str:
    """Show a finished study in MLflow, and report missing runs.

    Args:
        summary: The study.
        folder: Its folder.
        tracker: Shows the trials.
        progress: Receives the progress.
        register: Name in the model registry; None for none.
        is_own: Whether the network is custom.
        seconds: How long to wait for MLflow.

    Returns:
        One line on missing runs, empty if there are none.
    """
    tracker.finish(
        summary, report_files(folder), saved_models(folder, summary, register, is_own=is_own)
    )
    pending = tracker.close(seconds)
    for note in tracker.notes:
        progress.noted(note)
    if not pending.count:
        return ""
    runs = "run is" if pending.count == 1 else "runs are"
    missing = (
        f"{pending.count} {runs} not in MLflow yet: {pending.reason.rstrip('.')}. The study keeps "
        f"them, and `autoloss resume {summary.name}` writes them."
    )
    progress.noted(missing)
    return missing


def tell_written(result: SearchResult, tracker: Tracking, progress: Progress) -> None:
    """Report that MLflow has all runs of a resumed study, unless some are missing."""
    if tracker.shown_uri and not result.unwritten:
        n = tracker.written
        now = "" if n == 0 else f", {n} of them written now"
        progress.noted(f"MLflow at {tracker.shown_uri} has all runs of the study{now}.")


def _write_loss(result: SearchResult, path: Path) -> None:
    """Write the recommended loss as code, with its tuned parameters."""
    kind = cast("TaskKind", result.summary.data.task)
    try:
        code = result.recommended.source(task=kind)
    except InputError:
        # A custom loss may need more than torch; its code is in the user's file. An empty
        # file removes the code of the loss that shipped before.
        path.touch()
    else:
        write_whole(path, code)
