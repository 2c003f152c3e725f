"""The last training run of the shipped model: its members again, on all rows.

On about the same rows it seldom helps, because members that see different rows differ more and
their mean gains more. Members that saw 60 % of the rows gain from all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from autoloss.data import Fold, StudyData
from autoloss.experiment.finals import refit_members
from autoloss.experiment.held_out import HeldOutFinalists
from autoloss.experiment.replication import (
    Selection,
    fresh_seeds,
    make_divisions,
    needs_teacher,
)
from autoloss.experiment.session import SearchSession
from autoloss.inference.classifier import Classifier
from autoloss.models import networks_for
from autoloss.records import Refit
from autoloss.training.divisions import Trained

MORE_ROWS = 1.5
"""All rows relative to the rows of a training run, above which all rows train by default."""
STOPPED = "a member diverged on all rows, or the time was up"
WORK_SHARE = 0.2
"""The most rows of the last training run by default, as a share of the rows of all earlier runs,
each counted once an epoch. Seconds would depend on other programs."""


@dataclass(frozen=True, eq=False)
class Refitted:
    """A model after the last training run.

    Args:
        model: The shipped model.
        record: The training run as plain data; None if it was not wanted.
    """

    model: Classifier
    record: Refit | None = None


def wants_refit(asked: bool | None, data: StudyData) -> bool:
    """Return whether the shipped model is to be trained again on all rows.

    Args:
        asked: The user's wish; None to decide by the rows.
        data: The data of the search.
    """
    if asked is not None:
        return asked
    return data.share_of_whole(len(data.train)) >= MORE_ROWS


def refit(
    session: SearchSession, selection: Selection, model: Classifier, numbers: Sequence[int]
) -> Refitted:
    """Train the members of a model again on all rows, if it is wanted and there is time.

    Args:
        session: The search.
        selection: The finalists with their training runs.
        model: The shipped model.
        numbers: The trials whose training runs it means, in the order of its members.
    """
    asked, data = session.opened.request.refit, session.opened.data
    if not wants_refit(asked, data):
        return Refitted(model)
    figures, best = selection.replication.figures, selection.replication.epochs
    share = data.share_of_whole(figures.n_train)

    lasting = [lasting_epochs(best[numbers[i]]) for i in _by_weight(model, len(numbers))]

    def seconds(count: int, trials: int) -> float:
        epochs = lasting[:trials]
        taught = session.timetable.teaching_seconds(share)
        return taught + sum(
            session.timetable.refit_seconds(count, one, share=share) for one in epochs
        )

    every, n_trials = len(model.members) // len(numbers), len(numbers)
    least = refit_members(n_trials, every)
    n_rows = round(data.share_of_whole(1.0))
    sizes = [(count, n_trials) for count in range(every, least - 1, -1)]
    # In a short time the trials of the largest weight learn from all rows; the others stay.
    some = [(every, trials) for trials in range(n_trials - 1, 0, -1)]
    is_limited = session.clock.limit is not None
    before = _rows_before(session, selection)
    for count, trials in [*sizes, *some] if is_limited else sizes:
        reason = _against(session, seconds(count, trials)) or _untaught(session, numbers)
        if not reason and not is_limited and asked is None:
            reason = _too_much(count * sum(lasting) * n_rows, before)
        if not reason:
            break
    if reason:
        return Refitted(model, Refit(n_rows, False, reason))
    fewer = _fewer(selection, model, numbers, count)
    folds = [data.whole()] * count
    if is_limited and not _can_mix(folds[0], model):
        # So that a model of members of both kinds is left when the time ends.
        folds = [data.whole(one.encoding) for one in fewer.members[:count]]
    found, trained = trained_again(session, selection, fewer, numbers, folds, trials=trials)
    if not trained:
        return Refitted(model, Refit(n_rows, False, STOPPED))
    members = len(found.members)
    seen = f"the training runs had seen {1.0 / share:.0%} of the rows"
    why = "it was asked for" if asked else seen
    if trained < members:
        why = STOPPED if trained < count * trials else "the time limit left no room for more"
    return Refitted(found, Refit(n_rows, True, why, trained=trained, members=members))


def trained_again(
    session: SearchSession,
    selection: Selection,
    model: Classifier,
    numbers: Sequence[int],
    folds: Sequence[Fold],
    *,
    trials: int | None = None,
) -> tuple[Classifier, int]:
    """Train the members of a model again on all rows, the trial of the largest weight first.

    Each member trains with its own seed and keeps its read-out; the mean keeps its temperature.
    No row is held out to choose among epochs, so the schedule ends: see `lasting_epochs`. If a
    training diverges or the time is up, the members of its trial and of later trials stay as they
    are, if the weights of all rows have their shapes; else all members do.

    Args:
        session: The search.
        selection: The finalists with their training runs.
        model: The model.
        numbers: The trials whose training runs it means, in the order of its members.
        folds: All rows, for each member of a trial.
        trials: How many of these are trained again; None for all.

    Returns:
        The model, and the number of its members that were trained again.
    """
    count = len(folds)
    places = _by_weight(model, len(numbers))[:trials]
    members, trained = list(model.members), 0
    for place, found in zip(
        places, _trained(session, selection, folds, [numbers[i] for i in places]), strict=False
    ):
        if found.report.state != "complete":
            break
        for i, (fold, outcome) in enumerate(zip(folds, found.outcomes, strict=True)):
            members[place * count + i] = replace(
                members[place * count + i],
                encoding=fold.encoding,
                weights=outcome.weights.cpu(),
                class_counts=fold.class_counts,
            )
        trained += count
    mixed = replace(model, members=tuple(members))
    sizes = [network.layout.size for network in mixed.networks]
    if sizes != [len(member.weights) for member in members]:
        # Columns of all rows have other bins or levels, which need weights of other shapes.
        return model, 0
    return mixed, trained


def _trained(
    session: SearchSession, selection: Selection, folds: Sequence[Fold], numbers: Sequence[int]
) -> Iterator[Trained]:
    """Train trials on all rows, and yield them in order.

    Without a time limit they train together. With one they train in turn, so that the trials that
    it cuts off are the last. No two members share a seed: nothing is compared any more, and the
    mean of networks that differ more is better.
    """
    trials = [session.study.trial(number) for number in numbers]
    divisions = make_divisions(session, folds, trials)
    best, count = selection.replication.epochs, len(folds)
    fresh = fresh_seeds(session.study.seed, count * len(numbers))
    seeds = {number: fresh[k * count : (k + 1) * count] for k, number in enumerate(numbers)}
    for some in [trials] if session.clock.limit is None else [[one] for one in trials]:
        yield from session.train(
            divisions,
            some,
            seeds=seeds,
            schedules={number: lasting_epochs(best[number]) for number in numbers},
            deadline=session.clock.ends,
            at_once=True,
        )


def _can_mix(fold: Fold, model: Classifier) -> bool:
    """Return whether weights of a fold have the shapes of a model's weights.

    They have others where columns of all rows have more bins or levels.
    """
    schemas = [fold.encoding.schema, *(one.schema for one in model.encodings)]
    networks = networks_for(schemas, model.task.n_outputs, model.config, model.model)
    alone = networks_for(schemas[:1], model.task.n_outputs, model.config, model.model)
    sizes = {one.layout.size for one in (*alone, *networks, *model.networks)}
    return len(sizes) == 1


def _by_weight(model: Classifier, trials: int) -> list[int]:
    """Return the places of a model's trials, that of the largest weight first."""
    count = len(model.members) // trials
    weights = [
        sum(member.weight for member in model.members[place * count : (place + 1) * count])
        for place in range(trials)
    ]
    return sorted(range(trials), key=lambda place: -weights[place])


def _fewer(
    selection: Selection, model: Classifier, numbers: Sequence[int], count: int
) -> Classifier:
    """Return a model of the first members of each trial, with the temperature of their mean.

    Args:
        selection: The finalists with their training runs.
        model: The model.
        numbers: The trials whose training runs it means, in the order of its members.
        count: How many members of each trial stay.
    """
    every = len(model.members) // len(numbers)
    if count == every:
        return model
    kept = [model.members[i * every : i * every + count] for i in range(len(numbers))]
    total = sum(member.weight for own in kept for member in own)
    weights = {
        number: sum(member.weight for member in own) / total
        for number, own in zip(numbers, kept, strict=True)
    }
    pool = HeldOutFinalists(selection.replication.held_out)
    temperature = pool.temperature(weights, pool.every).of(count)
    return replace(model, members=tuple(itertools.chain(*kept)), temperature=temperature)


def lasting_epochs(best: Sequence[int]) -> int:
    """Return the epochs of a schedule that ends and goes about as far as some training runs did.

    Early stopping takes the best of many epochs at a high learning rate. Without held-out rows to
    choose it, an epoch in the middle of the schedule would be like any other. So the schedule is
    shortened to the mean of the best epochs, and its learning rate falls to zero.

    Args:
        best: The best epoch of each training run, from 1.
    """
    return max(1, round(sum(best) / len(best)))


def _against(session: SearchSession, seconds: float) -> str:
    """Return a note that there is no time, or an empty string."""
    left = session.clock.left
    return "the time limit had no room for it" if left is not None and seconds > left else ""


def _untaught(session: SearchSession, numbers: Sequence[int]) -> str:
    """Return the reason why a teacher cannot teach all rows, or an empty string."""
    teacher, data = session.opened.teacher, session.opened.data
    taught = (needs_teacher(session.study.trial(number)) for number in numbers)
    if teacher is None or not any(taught):
        return ""
    if data.has_given_file:
        return "the teacher does not know the validation file"
    if not teacher.knows(torch.from_numpy(data.whole_rows)):
        return "the teacher does not know all rows"
    return ""


def _too_much(rows: int, before: int) -> str:
    """Return a note that the last training run is too long without a limit, or an empty string."""
    if rows <= WORK_SHARE * before:
        return ""
    return f"it would take more than {WORK_SHARE:.0%} of the training before it"


def _rows_before(session: SearchSession, selection: Selection) -> int:
    """Return the rows of the training runs of the search and of the finalists, once an epoch."""
    each = sum(len(job.train) for job in session.divisions.jobs)
    trials = sum(one.curve[-1].epoch for one in session.study.trials if one.curve)
    again = sum(map(sum, selection.replication.epochs.values()))
    return trials * each + round(again * selection.replication.figures.n_train)
