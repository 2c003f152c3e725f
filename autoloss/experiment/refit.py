"""The last training of the model that ships: its members again, on all rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autoloss.executors import Work
from autoloss.experiment.replication import Selection, fresh_seeds, make_divisions
from autoloss.experiment.session import SearchSession
from autoloss.inference.classifier import Classifier
from autoloss.records import Refit
from autoloss.report.words import duration_text

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

    Args:
        session: The search.
        selection: The finalists with their trainings.
        model: The model that ships.
        numbers: The trials whose trainings it means, in the order of its members.
    """
    asked, figures = session.opened.request.refit, selection.replication.figures
    share = session.opened.data.share_of_whole(figures.n_train)
    epochs = [epoch for _, _, epoch in _trainings(selection, numbers)]
    seconds = session.timetable.refit_seconds(len(epochs), max(epochs), share=share)
    if reason := _against(session, asked, seconds):
        return Refitted(model, Refit(round(share * figures.n_train), False, reason))
    found = trained_again(session, selection, model, numbers)
    if found is None:
        why = "a member diverged on all rows, or the time was up"
        return Refitted(model, Refit(round(share * figures.n_train), False, why))
    why = "it was asked for" if asked else "it took less than a tenth of the time used before"
    return Refitted(found, Refit(int(found.class_counts.sum()), True, why))


def trained_again(
    session: SearchSession, selection: Selection, model: Classifier, numbers: Sequence[int]
) -> Classifier | None:
    """Return a model whose members have been trained on all rows; None if one has no weights.

    Each member trains with its own seed and for its own best epochs, on the schedule that it was
    chosen with, and keeps its read-out; the mean keeps its temperature.

    Args:
        session: The search.
        selection: The finalists with their trainings.
        model: The model.
        numbers: The trials whose trainings it means, in the order of its members.
    """
    fold, trainings = session.opened.data.whole(), _trainings(selection, numbers)
    seeds = fresh_seeds(session.study.seed, 1 + max(place for _, place, _ in trainings))
    divisions = make_divisions(session, [fold])
    candidates = tuple(
        replace(own, seed=seeds[place], epochs=epochs)
        for number, place, epochs in trainings
        for own in session.candidates(divisions, [session.study.trial(number)])
    )
    started = time.monotonic()
    session.timetable.begin()
    work = Work(divisions.jobs, candidates, seconds=session.clock.left, at_once=True)
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


def _trainings(selection: Selection, numbers: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return the trial, the place of the training and its best epoch of each member."""
    epochs = selection.replication.epochs
    return [(n, place, epoch) for n in numbers for place, epoch in enumerate(epochs[n])]


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
