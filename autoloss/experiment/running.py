"""Runs a study to its end: search, conclusion and tracking, also after interruptions."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from autoloss.core.errors import InputError
from autoloss.core.settings import ProtocolConfig
from autoloss.data import Fold, StudyData
from autoloss.experiment.agreeing import one_verdict, read_verdict
from autoloss.experiment.closing import closing
from autoloss.experiment.conclusion import conclude
from autoloss.experiment.dividing import divisions_of
from autoloss.experiment.fewer_rows import rows_text
from autoloss.experiment.notes import study_notes
from autoloss.experiment.numbers import choose_numbers
from autoloss.experiment.open_search import OpenSearch
from autoloss.experiment.out_of_fold import boosting_of_folds
from autoloss.experiment.own_network import notes_of
from autoloss.experiment.progress import Progress
from autoloss.experiment.racing import can_race, race
from autoloss.experiment.refit import wants_refit
from autoloss.experiment.rounds import search_in_rounds
from autoloss.experiment.session import SearchSession
from autoloss.experiment.teaching import let_teach
from autoloss.experiment.timing import make_timetable
from autoloss.metrics import Metric
from autoloss.models import Network, OwnModel
from autoloss.records import Plan
from autoloss.search import FamilyPlan, SearchResult, Space, Study
from autoloss.search.conclusion_claim import Concluded
from autoloss.tracking import Tracking
from autoloss.training.divisions import Divisions
from autoloss.verdict.confirm import detectable_difference
from autoloss.verdict.corrected import detectable_nested


def run(opened: OpenSearch, *, judge_now: bool = False) -> SearchResult:
    """Run an open study until it is finished, and close it in any case.

    Args:
        opened: The study with everything that its search needs.
        judge_now: Whether to conclude with the trials that have ended, without new trials.

    Raises:
        SearchInterrupted: The user interrupted it.
        InputError: The folder lacks the results of other machines.
    """
    result = take_part(opened, judge_now=judge_now, waits=True)
    assert not isinstance(result, Concluded)
    return result


def take_part(
    opened: OpenSearch, *, judge_now: bool = False, waits: bool = False
) -> SearchResult | Concluded:
    """Train trials of an open study; return its result, and close it in any case.

    Args:
        opened: The study with everything that its search needs.
        judge_now: As for `run`.
        waits: Whether to wait for the result if another process reaches the verdict; if not, that
            process is returned.

    Raises:
        SearchInterrupted: As for `run`.
        InputError: As for `run`.
    """
    study, tracker, progress = opened.study, opened.tracker, opened.progress
    study.hear(progress.noted)
    with closing(study, tracker):
        if judge_now and not any(trial.metrics for trial in study.trials):
            raise InputError(
                f"A verdict now must have a trial that ended with a model, but {study.name} has "
                "none: continue without --judge-now."
            )
        study.check_examples()
        session = make_session(opened)
        tracker.start(_description(study, opened.data))
        tracker.sync(study.trials)
        if judge_now:
            session.timetable.expect(trials=0, finals=session.finals)
        progress.planned(_plan_of(session))
        shown = f"MLflow at {tracker.shown_uri}" if tracker.shown_uri else "no MLflow"
        kept = study.config.storage or study.folder
        progress.detailed(f"Trials are kept in {kept} and shown in {shown}.")
        boosting = boosting_of_folds(session)
        if opened.data.resampling.verdict == "out_of_fold":
            session.waiting.append(boosting.begin)
        strategy = race if can_race(session) else search_in_rounds
        if not judge_now:
            session.search(strategy)

        def reach() -> SearchResult:
            if not judge_now:
                if study.left or study.elsewhere:
                    # A process that died while it concluded has left trials.
                    session.search(strategy)
                session.end_search()
            study.check_examples()
            return conclude(session, boosting)

        def read() -> SearchResult:
            register = opened.request.register
            return read_verdict(study, tracker, opened.model, progress=progress, register=register)

        return one_verdict(study, reach, read, progress=progress, waits=waits)


def make_session(opened: OpenSearch) -> SearchSession:
    """Return the session that trains the trials of a study."""
    study, data, clock = opened.study, opened.data, opened.clock
    # Before this process waits for its workers.
    crowding = clock.crowding
    if study.space.network.numbers == "auto":
        choice = choose_numbers(opened)
        study.embed_numbers(choice.numbers)
        opened.progress.detailed(choice.text)
    space = study.space

    def divide(folds: Sequence[Fold]) -> Divisions:
        return divisions_of(
            folds,
            data,
            space,
            device=opened.device,
            seed=study.seed,
            facts=study.facts,
            teacher=opened.teacher,
            negatives=space.protocol.negatives,
            model=opened.model,
        )

    timed = make_timetable(
        data,
        divide,
        clock,
        space=space,
        budget=study.plan,
        trials=study.budget,
        seed=study.seed,
        epochs=study.asked_epochs,
        before=study.limited,
        workers=opened.workers,
        crew=opened.crew,
        crowding=crowding,
        refit=wants_refit(opened.request.refit, data),
        teacher=opened.teacher,
        code_length=opened.request.code_length,
        strangers=opened.strangers,
    )
    opened.progress.detailed(timed.together.text)
    divisions, plan = timed.divisions, timed.timetable.plan
    if space.protocol.rows == "auto":
        study.compare_on(timed.rows)
    is_new = study.limited is None and study.left == study.budget and not study.trials
    if clock.limit is not None and is_new:
        study.limit(trials=plan.trials, epochs=plan.epochs)
        divisions = divisions.trained(study.space.training)
    together = timed.together.candidates
    session = SearchSession(
        opened,
        divisions,
        timed.timetable,
        together=together,
        divide=lambda: divide(timed.folds).trained(study.space.training),
    )
    let_teach(session)
    if text := rows_text(data, timed.rows):
        session.note(text)
    if opened.teacher is not None and opened.teacher.note:
        session.note(opened.teacher.note)
    return session


def finished(
    study: Study,
    tracker: Tracking,
    model: OwnModel | None = None,
    *,
    progress: Progress,
    register: str | None = None,
) -> SearchResult | None:
    """Return the result of a study if it is finished already, here or elsewhere, else None.

    It also writes the runs that MLflow lacks.

    Args:
        study: The study.
        tracker: Shows the trials.
        model: The custom network; None for the built-in one.
        progress: Receives the progress.
        register: Name in the model registry, None for none.
    """
    if not study.conclusion.fetch():
        return None
    with closing(study, tracker):
        tracker.start({})
        return read_verdict(study, tracker, model, progress=progress, register=register)


def _description(study: Study, data: StudyData) -> dict[str, str]:
    """Return the description of the study for its parent run."""
    summary = data.summary
    return {
        "data": summary.source,
        "target": summary.target,
        "task": summary.task,
        "metric": study.metric.name,
        "lower_is_better": str(study.metric.lower_is_better).lower(),
        "space": study.config.space_name,
        "trials": str(study.budget),
        "seed": str(study.seed),
        "families": ", ".join(study.families),
        **({} if data.locked is None else {"test_sha256": data.locked.sha256}),
    }


def _plan_of(session: SearchSession) -> Plan:
    """Return the plan of a search that begins."""
    study, space, timetable = session.study, session.study.space, session.timetable
    return make_plan(
        session.opened.data,
        study.plan,
        trials=study.budget,
        space=space,
        together=space.together,
        device=session.divisions.jobs[0].device,
        network=session.divisions.jobs[0].network,
        metric=study.metric,
        name=study.name,
        has_weights=study.facts.weights is not None,
        notes=notes_of(study.config.origin),
        expected_seconds=session.clock.elapsed + timetable.left,
        allowed=timetable.allowed(study.dropped),
        race=timetable.race,
    )


def make_plan(
    data: StudyData,
    budget: FamilyPlan,
    *,
    trials: int,
    space: Space,
    together: int,
    device: torch.device,
    network: Network,
    metric: Metric,
    has_weights: bool = False,
    expected_seconds: float | None = None,
    allowed: str = "",
    race: str = "",
    name: str = "",
    notes: Sequence[str] = (),
) -> Plan:
    """Return the plan of a search: its data, budget and device."""
    return Plan(
        data=data.summary,
        families=budget.families,
        dropped=budget.dropped,
        trials=trials,
        quota=budget.quota,
        together=together,
        expected_seconds=expected_seconds,
        allowed=allowed,
        detectable=_detectable(data, space.protocol),
        device=device.type,
        network=network.text,
        race=race,
        notes=(
            *data.notes,
            *notes,
            *study_notes(data, space, metric, has_weights=has_weights),
        ),
        name=name,
        metric=metric.name,
        resampling=data.resampling.text,
        verdict=data.resampling.verdict,
    )


def _detectable(data: StudyData, protocol: ProtocolConfig) -> float:
    """Return the smallest difference in error that the verdict can detect."""
    if data.locked is not None:
        return detectable_difference(data.locked.n_rows)
    repeats = protocol.outer_repeats
    n_rows = data.summary.n_rows
    if data.resampling.verdict == "out_of_fold":
        return detectable_difference(n_rows)
    return detectable_nested(n_rows, data.resampling.outer // repeats, repeats)
