"""The last training of the model that ships: its members again, on all rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autoloss.data import Fold
from autoloss.executors import Work
from autoloss.experiment.replication import Selection, fresh_seeds, make_divisions
from autoloss.experiment.session import SearchSession
from autoloss.inference.classifier import Classifier
from autoloss.records import Refit
from autoloss.report.words import duration_text
from autoloss.training import Candidate
from autoloss.training.divisions import Divisions

SHARE = 0.1
"""The share of the time used so far that a refit may take without being asked for."""


@dataclass(frozen=True, eq=False)
class Refitted:
    """A model after the last training.

    Args:
        model: The model that ships.
        record: The training as plain data.
    """

    model: Classifier
    record: Refit


def refit(
    session: SearchSession, selection: Selection, model: Classifier, numbers: Sequence[int]
) -> Refitted:
    """Train the members of a model again on all rows, if it was asked for or is cheap.

    Each member trains with its own seed and for its own best epochs, on the schedule that it was
    chosen with, and keeps its read-out; the mean keeps its temperature. The model stays as it was
    if a member diverges or the time is up.

    Args:
        session: The search.
        selection: The finalists with their trainings.
        model: The model that ships.
        numbers: The trials whose trainings it means, in the order of its members.
    """
    asked, replication = session.opened.request.refit, selection.replication
    share = session.opened.data.share_of_whole(replication.figures.n_train)
    n_rows = round(share * replication.figures.n_train)
    members = [(n, training) for n in numbers for training in range(len(replication.epochs[n]))]
    epochs = [replication.epochs[number][training] for number, training in members]
    seconds = session.timetable.refit_seconds(len(members), max(epochs), share=share)
    if reason := _against(session, asked, seconds):
        return Refitted(model, Refit(n_rows, is_done=False, reason=reason))
    fold = session.opened.data.whole()
    seeds = fresh_seeds(session.study.seed, 1 + max(training for _, training in members))
    candidates = [
        _candidate(session, number, seeds[training], epoch)
        for (number, training), epoch in zip(members, epochs, strict=True)
    ]
    found = trained_on(session, make_divisions(session, [fold]), candidates, fold, model)
    if found is None:
        why = "a member diverged on all rows, or the time was up"
        return Refitted(model, Refit(len(fold.train), is_done=False, reason=why))
    why = "it was asked for" if asked else "it took less than a tenth of the time used before"
    return Refitted(found, Refit(len(fold.train), is_done=True, reason=why))


def _against(session: SearchSession, asked: bool | None, seconds: float) -> str:
    """Return why there is no refit, or an empty string."""
    left = session.clock.left
    if asked is False:
        return "it was not wanted"
    if left is not None and seconds > left:
        return "the time limit had no room for it"
    if asked is None and seconds > SHARE * session.clock.elapsed:
        return f"it would take about {duration_text(max(round(seconds), 1))} (--refit does it)"
    if session.opened.teacher is not None and session.opened.data.has_given_file:
        return "the teacher does not know the validation file"
    return ""


def _candidate(session: SearchSession, number: int, seed: int, epochs: int) -> Candidate:
    trial = session.study.trial(number)
    return Candidate(
        trial.spec,
        lr=trial.lr,
        weight_decay=trial.weight_decay,
        dropout=trial.dropout,
        seed=seed,
        epochs=epochs,
    )


def trained_on(
    session: SearchSession,
    divisions: Divisions,
    candidates: Sequence[Candidate],
    fold: Fold,
    model: Classifier,
) -> Classifier | None:
    """Return a model whose members have been trained on a fold; None if one has no weights.

    Args:
        session: The search.
        divisions: The fold on the device.
        candidates: The training of each member.
        fold: The rows.
        model: The model before.
    """
    started = time.monotonic()
    session.timetable.begin()
    work = Work(divisions.jobs, tuple(candidates), seconds=session.clock.left, at_once=True)
    outcomes = {one.place: one.outcome for one in session.executor.submit(work)}
    session.clock.training += time.monotonic() - started
    if any(outcome.report.state != "complete" for outcome in outcomes.values()):
        return None
    members = tuple(
        replace(
            member,
            encoding=fold.encoding,
            weights=outcomes[place].weights.cpu(),
            class_counts=fold.class_counts,
        )
        for place, member in enumerate(model.members)
    )
    return replace(model, members=members)
