"""The verdict for few rows: a search in every outer fold of a nested cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import AutolossError
from autoloss.data import Fold
from autoloss.data.protocol import carried_out
from autoloss.experiment.gain_steps import StepPredictions, gains
from autoloss.experiment.held_out import pooled_items
from autoloss.experiment.reference import boost_folds, compared
from autoloss.experiment.replication import Selection, is_cut
from autoloss.experiment.session import SearchSession
from autoloss.experiment.teaching import train_outer
from autoloss.losses import ClassFacts, LossSpec
from autoloss.metrics import Scores
from autoloss.readout import Items
from autoloss.records import Coverage, TrialRecord, Verdict
from autoloss.search import Evidence, Scorer, Study, StudySnapshot, trusted
from autoloss.training import Job, Outcome
from autoloss.training.rows import logits_of
from autoloss.verdict.confirm import unopposed
from autoloss.verdict.metric_rows import example_losses, metric_on_rows
from autoloss.verdict.nested import OuterResult, nested_verdict, pooled_rows
from autoloss.verdict.select import Choice, choose

FloatArray = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class _FoldTrial:
    """A trial that an outer fold trained to a model.

    Args:
        record: The trial in the search.
        spec: Its loss.
        outcome: The result of its training in the fold.
    """

    record: TrialRecord
    spec: LossSpec
    outcome: Outcome


@dataclass(frozen=True, eq=False)
class _Outer:
    """The choice of the search of one outer fold, and its predictions for the test rows.

    Args:
        result: The choice and its predictions as it would ship.
        default: Default cross-entropy by its softmax.
        tuned: Tuned cross-entropy of this fold by its softmax.
        challenger: The challenger of this fold by its softmax.

    Shape:
        default, tuned and challenger ``(n, C)``.
    """

    result: OuterResult
    default: FloatArray
    tuned: FloatArray
    challenger: FloatArray


def nested_trials(study: Study) -> list[TrialRecord]:
    """Return the trials that every outer fold trains, in the order of their slots.

    The sampler's proposals are left out, because they depend on results on rows that are test rows
    here. Trials that left the race are kept, for the same reason.
    """
    return [
        record
        for record in study.trials
        if record.origin != "sampler" and (record.metrics or record.state == "pruned")
    ]


def first_of(study: Study, records: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
    """Return the `count` trials that were asked first, in order of number.

    The choice is fixed before any training, so no test row of a fold influences it.
    """
    slots = sorted((study.trial(record.number).slot, record.number) for record in records)
    chosen = {number for _, number in slots[:count]}
    return [record for record in records if record.number in chosen]


def judge_by_nesting(session: SearchSession, selection: Selection) -> Evidence:
    """Search in every outer fold, and compare its choice with its tuned cross-entropy.

    Args:
        session: The search.
        selection: Challenger and tuned cross-entropy of all rows.
    """
    study, data, choice = session.study, session.opened.data, selection.choice
    records = nested_trials(study)
    size = session.begin_outer(len(records))
    records, folds = first_of(study, records, size.outer_trials), data.outer(size.repeats)
    found, coverage = _searched(session, selection, records, folds)
    results = [one.result for one in found]
    pooled = pooled_rows(results)
    steps = StepPredictions(
        default=pooled.mean([one.default for one in found]),
        tuned=pooled.mean([one.tuned for one in found]),
        calibrated=pooled.mean([one.baseline_log_probs for one in results]),
        challenger=pooled.mean([one.challenger_log_probs for one in results]),
    )
    raw = pooled.mean([one.challenger for one in found])
    log_probs = (torch.from_numpy(steps.challenger), torch.from_numpy(steps.calibrated))
    rows = pooled.once(np.concatenate([one.rows for one in results]))
    items = pooled_items(pooled, _clusters(folds, rows), study.facts)
    verdict = trusted(
        _verdict(selection.snapshot, choice, results, repeats=size.repeats),
        selection.snapshot,
        choice,
        log_probs[1],
        items,
        coverage,
    )
    once = folds[: len(folds) // size.repeats]
    boosted = boost_folds(
        session, [((one.train, one.valid), one.test) for one in once if one.test is not None]
    )
    ships = log_probs[choice.place_of_shipped(verdict.decision)]
    return Evidence(
        choice=choice,
        verdict=verdict,
        log_probs=log_probs,
        items=items,
        resampling=carried_out(
            data.resampling,
            replicates=selection.replication.figures.count,
            repeats=(study.space.protocol.outer_repeats, size.repeats),
        ),
        finalists=selection.finalists,
        # Here the held-out rows of the finalists are also rows of the verdict.
        gains=gains(selection, steps, items, moves_decisions=False),
        reference=compared(boosted, selection.snapshot, ships, items),
        raw=(torch.from_numpy(raw), torch.from_numpy(steps.tuned)),
        rows=torch.from_numpy(rows),
        coverage=coverage,
    )


def _searched(
    session: SearchSession,
    selection: Selection,
    records: Sequence[TrialRecord],
    folds: Sequence[Fold],
) -> tuple[list[_Outer], Coverage]:
    """Train trials in every outer fold; return the choice of each fold, and the coverage."""
    study, coverage = session.study, selection.coverage
    rows = study.space.protocol.rows
    if rows != "auto":
        folds = session.opened.data.with_fewer_rows(folds, rows, seed=study.seed)
    trials = [study.trial(record.number) for record in records]
    divisions, trained = train_outer(session, folds, trials)
    found = []
    for i, (job, fold) in enumerate(zip(divisions.jobs, folds, strict=True)):
        every = [
            _FoldTrial(record, trial.spec, one.outcomes[i])
            for record, trial, one in zip(records, trials, trained, strict=True)
        ]
        whole = [one for one in every if one.outcome.report.state != "diverged"]
        found.append(_chosen(study, job, fold, whole, default=selection.default))
    is_final_cut = coverage.is_final_cut or is_cut(trained)
    return found, replace(coverage, is_final_cut=is_final_cut)


def _verdict(
    study: StudySnapshot, choice: Choice, results: Sequence[OuterResult], *, repeats: int
) -> Verdict:
    """Return the verdict of the outer folds by the tests alone."""
    primary = study.config.verdict_metric
    if not choice.is_opposed:
        n_rows = len(np.unique(np.concatenate([one.rows for one in results])))
        return unopposed(choice.baseline.number, n_rows, primary=primary)
    return nested_verdict(
        results,
        challenger=choice.challenger.number,
        baseline=choice.baseline.number,
        label=choice.challenger.label,
        repeats=repeats,
        metric=metric_on_rows(study.metric, study.facts, _outer_items(results, study.facts)),
        primary=primary,
        class_counts=study.class_counts.numpy(),
    )


def _outer_items(results: Sequence[OuterResult], facts: ClassFacts) -> Items:
    """Return the items of all outer folds, one fold after another."""
    keys, labels = (
        torch.from_numpy(np.concatenate(every))
        for every in ([one.keys for one in results], [one.targets for one in results])
    )
    return Items.of(labels, facts) if facts.item_axes == 1 else Items.pooled(keys, labels)


def _chosen(
    study: Study, job: Job, fold: Fold, trials: Sequence[_FoldTrial], *, default: int
) -> _Outer:
    """Choose on the held-out rows of an outer fold and predict its test rows.

    Args:
        study: The study.
        job: The division of the fold.
        fold: The fold.
        trials: Its trials that did not diverge.
        default: Number of default cross-entropy.
    """
    if not trials:
        raise AutolossError("An outer fold must have a trial that trains, but all diverged.")
    assert fold.test is not None
    scorer = Scorer(job.classes, study.metric, study.seed)
    logits = torch.stack([one.outcome.logits for one in trials])
    specs = [one.spec for one in trials]
    scores = scorer.score(logits, job.valid.targets, specs, folds=job.folds)
    choice = _choice(study, job, fold, trials, scores)
    places = {one.record.number: i for i, one in enumerate(trials)}
    challenger, tuned = places[choice.challenger.number], places[choice.baseline.number]
    picked = (challenger, tuned, places.get(default, tuned))
    test_logits = logits_of(
        job.network,
        torch.stack([trials[i].outcome.weights for i in picked]),
        [specs[i] for i in picked],
        job.encoded(fold.test),
    )
    items = Items.of(fold.test.targets, job.classes)
    shipped = [
        items.scores(scores.readouts.row(i).log_probs(own.cpu(), job.classes)[None])[0]
        for i, own in zip(picked[:2], test_logits[:2], strict=True)
    ]
    of_items = items.scores(job.classes.over_classes(test_logits.cpu()))
    of_challenger, of_tuned, of_default = map(_normalised, of_items)
    return _Outer(
        OuterResult(
            _normalised(shipped[0]),
            _normalised(shipped[1]),
            items.labels.numpy(),
            items.of_rows(fold.test.rows).numpy(),
            items.keys(fold.test.rows).numpy(),
            n_train=len(fold.train) + len(fold.valid),
            challenger=choice.challenger.number,
            baseline=choice.baseline.number,
            label=choice.challenger.label,
        ),
        default=of_default,
        tuned=of_tuned,
        challenger=of_challenger,
    )


def _choice(
    study: Study, job: Job, fold: Fold, trials: Sequence[_FoldTrial], scores: Scores
) -> Choice:
    """Return the challenger and tuned cross-entropy of one outer fold."""
    items = Items.of(job.valid.targets, job.classes).clustered(fold.valid.clusters)
    examples = example_losses(scores, items, facts=job.classes, seed=study.seed)
    numbers = [one.record.number for one in trials]
    complexity = {one.record.number: one.spec.complexity for one in trials}
    reports = [one.outcome.report for one in trials]
    return choose(
        [
            replace(one.record, metrics=scores.row(i), state=report.state, curve=report.curve)
            for i, (one, report) in enumerate(zip(trials, reports, strict=True))
        ],
        dict(zip(numbers, examples, strict=True)),
        simplicity=lambda record: complexity[record.number],
        metric=study.metric.name,
        lower_is_better=study.metric.lower_is_better,
        targets=items.labels.cpu().numpy(),
        clusters=items.cluster_numbers,
    )


def _clusters(folds: Sequence[Fold], rows: NDArray[np.integer]) -> Tensor:
    """Return the cluster of each row of the pooled predictions."""
    of_row: dict[int, int] = {}
    for fold in folds:
        assert fold.test is not None
        of_row |= dict(zip(fold.test.rows.tolist(), fold.test.clusters.tolist(), strict=True))
    return torch.tensor([of_row[int(row)] for row in rows])


def _normalised(logits: Tensor) -> FloatArray:
    """Return logits as log probabilities."""
    found: FloatArray = logits.double().log_softmax(-1).cpu().numpy()
    return found
