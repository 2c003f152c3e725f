"""Codes of the training labels: two-part, and prequential by networks of growing parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autoloss.core.errors import InputError
from autoloss.data import Fold
from autoloss.experiment.replication import Selection, fresh_seeds, make_divisions
from autoloss.experiment.session import SearchSession
from autoloss.inference.classifier import Classifier
from autoloss.losses import ClassFacts
from autoloss.readout import Items
from autoloss.records import CodeBlock, CodeLengths, TrainingCode
from autoloss.search import Scorer, Trial
from autoloss.training import Job, Outcome
from autoloss.training.batch import STEPS
from autoloss.training.rows import logits_of
from autoloss.verdict.code_lengths import (
    adaptive_bits,
    adaptive_shares,
    block_bits,
    two_part_bits,
)

CLOSING_SECONDS = 2.0
"""Seconds of a time limit that the report keeps."""


class _TimeUp(Exception):
    """The time limit ended a training run before its schedule."""


def with_training_code(
    found: CodeLengths, session: SearchSession, selection: Selection
) -> CodeLengths:
    """Return code lengths with the codes of the training labels, or why there are none.

    Args:
        found: The code lengths on the rows of the verdict.
        session: The search.
        selection: Challenger and tuned cross-entropy with their training runs.
    """
    if session.opened.teacher is not None:
        return replace(found, reason="the teacher may know labels of later blocks")
    left = session.clock.left
    if not session.finals.growing or (left is not None and left <= CLOSING_SECONDS):
        return replace(found, reason="the time limit had no room for it")
    try:
        folds = session.opened.data.growing(seed=session.study.seed)
    except InputError as error:
        return replace(found, reason=f"a block cannot be learnt from: {error}".rstrip("."))
    if not folds:
        return replace(found, reason="the training rows are too few to learn from a part of them")
    try:
        return replace(found, training=_coded(session, selection, folds))
    except _TimeUp:
        return replace(found, reason="the time limit ended the training run of a block")


def _coded(session: SearchSession, selection: Selection, folds: Sequence[Fold]) -> TrainingCode:
    """Return the codes of the labels of the training rows."""
    study, data, choice = session.study, session.opened.data, selection.choice
    models = selection.replication.models
    sides = (choice.challenger.number, choice.baseline.number)
    member = models[sides[1]].members[0]
    items = Items.of(data.training_part(member.encoding).targets, study.facts)
    counts = items.tally(study.facts).numpy()
    blocks = _blocks(session, sides, folds, counts)
    two_part = [_two_part(session, models[number], len(items)) for number in sides]

    def total(bits: Sequence[float]) -> float:
        pairs = zip(blocks, bits, strict=True)
        return sum(block.labels * one for block, one in pairs) / len(items)

    return TrainingCode(
        order="time" if data.is_in_time else "random",
        rows=items.n_rows,
        labels=len(items),
        prior=adaptive_bits(counts) / len(items),
        two_part=(two_part[0], two_part[1]),
        weights=len(member.weights),
        prequential=(
            total([one.challenger for one in blocks]),
            total([one.baseline for one in blocks]),
        ),
        blocks=tuple(blocks),
    )


def _two_part(session: SearchSession, model: Classifier, labels: int) -> float:
    """Return the bits a label of the first network of a model and of the labels given it."""
    first = model.members[0]
    part = session.opened.data.training_part(first.encoding)
    # The weights have the shape of the networks of all members, whose encodings differ.
    log_probs = next(model.read([model.member_logits(0, part.inputs)]))
    items = Items.of(part.targets, session.study.facts)
    of_items = items.scores(log_probs[None])[0]
    nats = -of_items.gather(-1, items.labels[:, None]).sum()
    weights = len(first.weights)
    return two_part_bits(float(nats), weights=weights, rows=len(part)) / labels


def _blocks(
    session: SearchSession, sides: tuple[int, int], folds: Sequence[Fold], counts: np.ndarray
) -> list[CodeBlock]:
    """Train both losses on the rows before each block, and code the block.

    Args:
        session: The search.
        sides: Numbers of challenger and tuned cross-entropy.
        folds: The blocks as test rows, each with the rows before it.
        counts: The labels of each class of all training rows.
    """
    study = session.study
    numbers = list(dict.fromkeys(sides))
    trials = [study.trial(number) for number in numbers]
    seeds = fresh_seeds(study.seed, len(folds))
    tested = [_items(fold, study.facts) for fold in folds]
    # The labels of the first block.
    before = counts - sum(items.tally(study.facts).numpy() for items in tested)
    first = adaptive_bits(before) / before.sum()
    rows = len(folds[0].train) + len(folds[0].valid)
    blocks = [CodeBlock(0, int(before.sum()), first, first, first)]
    for seed, fold, items in zip(seeds, folds, tested, strict=True):
        job, outcomes = _trained(session, fold, trials, seed)
        own = dict(zip(numbers, _bits(session, job, fold, trials, outcomes, before), strict=True))
        after = before + items.tally(study.facts).numpy()
        prior = (adaptive_bits(after) - adaptive_bits(before)) / len(items)
        blocks.append(CodeBlock(rows, len(items), prior, own[sides[0]], own[sides[1]]))
        before, rows = after, rows + items.n_rows
    return blocks


def _trained(
    session: SearchSession, fold: Fold, trials: Sequence[Trial], seed: int
) -> tuple[Job, list[Outcome]]:
    """Train both losses on the rows before a block; few rows get more epochs."""
    ends, training = session.clock.ends, session.study.space.training
    times = max(1.0, STEPS * training.smallest_batch / len(fold.train))
    divisions = make_divisions(session, [fold], trials).trained(
        replace(
            training,
            max_epochs=round(times * training.max_epochs),
            patience=round(times * training.patience),
        )
    )
    trained = session.train(
        divisions,
        trials,
        seeds={trial.number: [seed] for trial in trials},
        deadline=None if ends is None else ends - CLOSING_SECONDS,
        at_once=True,
    )
    outcomes = [one.outcomes[0] for one in trained]
    if any(one.report.state == "stopped" for one in outcomes):
        raise _TimeUp
    return divisions.jobs[0], outcomes


def _bits(
    session: SearchSession,
    job: Job,
    fold: Fold,
    trials: Sequence[Trial],
    outcomes: Sequence[Outcome],
    before: np.ndarray,
) -> list[float]:
    """Return the bits a label of a block by each trial; class shares code it if it diverged."""
    study = session.study
    assert fold.test is not None
    items = _items(fold, study.facts)
    labels = items.labels.numpy()
    of_labels = adaptive_shares(before)
    shares = of_labels[items.numbers.numpy()] if len(of_labels) > 1 else of_labels
    encoded = job.encoded(fold.test)
    found = []
    for trial, outcome in zip(trials, outcomes, strict=True):
        if not outcome.report.has_model:
            log_probs = np.log(np.broadcast_to(shares, (len(items), shares.shape[-1])))
        else:
            scorer = Scorer(job.classes, study.metric, study.seed)
            targets = job.valid.targets
            scores = scorer.score(outcome.logits[None], targets, [trial.spec], folds=job.folds)
            logits = logits_of(job.network, outcome.weights[None], [trial.spec], encoded)[0].cpu()
            read = scores.readouts.row(0).log_probs(logits, job.classes).double().log_softmax(-1)
            log_probs = items.scores(read[None])[0].numpy()
        found.append(block_bits(log_probs, labels, shares, int(before.sum())) / len(items))
    return found


def _items(fold: Fold, facts: ClassFacts) -> Items:
    """Return the items of a block."""
    assert fold.test is not None
    return Items.of(fold.test.targets, facts)
