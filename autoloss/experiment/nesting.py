"""The verdict for few rows: a search in every outer fold of a nested cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import AutolossError
from autoloss.data import Fold, StudyData
from autoloss.data.protocol import carried_out
from autoloss.experiment.beside import boost, default_number, gains
from autoloss.experiment.reference import Boosted, reference_record
from autoloss.experiment.replication import Replication, is_cut, make_divisions
from autoloss.experiment.session import SearchSession
from autoloss.losses import LossSpec
from autoloss.metrics import Scores
from autoloss.records import Coverage, Finalist, Reference, TrialRecord, Verdict
from autoloss.search import Evidence, Scorer, Study, StudySnapshot, trusted
from autoloss.training import Job
from autoloss.training.divisions import Trained
from autoloss.training.evaluate import logits_of
from autoloss.verdict.confirm import unopposed
from autoloss.verdict.metric_rows import example_losses, metric_on_rows
from autoloss.verdict.nested import OuterResult, nested_verdict, pooled_rows
from autoloss.verdict.select import Choice, choose

FloatArray = NDArray[np.floating]


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


def judge_by_nesting(
    session: SearchSession,
    choice: Choice,
    finalists: tuple[Finalist, ...],
    replication: Replication,
    *,
    snapshot: StudySnapshot,
    coverage: Coverage,
) -> Evidence:
    """Search in every outer fold, and compare its choice with its tuned cross-entropy.

    Args:
        session: The search.
        choice: Challenger and tuned cross-entropy of all rows.
        finalists: The finalists.
        replication: Their trainings.
        snapshot: The study after the search.
        coverage: The share of the planned training that ran before the outer folds.
    """
    study, data = session.study, session.opened.data
    records = nested_trials(study)
    size = session.begin_outer(len(records))
    records, folds = first_of(study, records, size.outer_trials), data.outer(size.repeats)
    divisions = make_divisions(session, folds)
    trained = session.train(divisions, [study.trial(record.number) for record in records])
    number = default_number(finalists, otherwise=choice.baseline.number)
    found = [
        _one(study, divisions.jobs[i], fold, i, records, trained, default=number)
        for i, fold in enumerate(folds)
    ]
    results = [one.result for one in found]
    pooled = pooled_rows(results)
    challenger = pooled.mean([one.challenger_log_probs for one in results])
    baseline = pooled.mean([one.baseline_log_probs for one in results])
    default = pooled.mean([one.default for one in found])
    tuned = pooled.mean([one.tuned for one in found])
    raw = pooled.mean([one.challenger for one in found])
    log_probs = (torch.from_numpy(challenger), torch.from_numpy(baseline))
    targets = torch.from_numpy(np.asarray(pooled.targets))
    clusters = _clusters(folds, pooled.rows)
    coverage = replace(coverage, is_final_cut=coverage.is_final_cut or is_cut(trained))
    verdict = trusted(
        _verdict(snapshot, choice, results, repeats=size.repeats),
        snapshot,
        choice,
        log_probs[1],
        targets,
        coverage,
        clusters=clusters,
    )
    return Evidence(
        choice=choice,
        verdict=verdict,
        log_probs=log_probs,
        targets=targets,
        resampling=carried_out(
            data.resampling,
            replicates=replication.figures.count,
            repeats=(study.space.protocol.outer_repeats, size.repeats),
        ),
        finalists=finalists,
        gains=gains(
            study,
            choice,
            replication,
            (default, tuned, baseline, challenger),
            targets,
            clusters,
            # Here the held-out rows of the finalists are also rows of the verdict.
            moves_decisions=False,
        ),
        reference=_reference(
            study,
            data,
            folds[: len(folds) // size.repeats],
            log_probs[choice.place_of_shipped(verdict.decision)],
            targets,
            clusters,
            session.timetable.begin_by,
        ),
        raw=(torch.from_numpy(raw), torch.from_numpy(tuned)),
        rows=torch.from_numpy(np.asarray(pooled.rows)),
        coverage=coverage,
    )


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
        metric=metric_on_rows(study.metric, study.class_counts),
        primary=primary,
        class_counts=study.class_counts.numpy(),
    )


def _one(
    study: Study,
    job: Job,
    fold: Fold,
    number: int,
    records: Sequence[TrialRecord],
    trained: Sequence[Trained],
    *,
    default: int,
) -> _Outer:
    """Choose on the held-out rows of an outer fold and predict its test rows."""
    assert fold.test is not None
    whole = [k for k, one in enumerate(trained) if one.outcomes[number].report.state != "diverged"]
    outcomes = [trained[k].outcomes[number] for k in whole]
    specs = [LossSpec.from_dict(records[k].loss) for k in whole]
    scorer = Scorer(job.classes, study.metric, study.seed)
    logits = torch.stack([outcome.logits for outcome in outcomes])
    scores = scorer.score(logits, job.valid.targets, specs, folds=job.folds)
    known = [
        replace(records[k], metrics=scores.row(i), state="complete") for i, k in enumerate(whole)
    ]
    choice = _choice(study, job, fold, known, scores)
    places = {record.number: i for i, record in enumerate(known)}
    picked = [places[n] for n in (choice.challenger.number, choice.baseline.number)]
    picked.append(places.get(default, picked[1]))
    test_logits = logits_of(
        job.network,
        torch.stack([outcomes[i].weights for i in picked]),
        [specs[i] for i in picked],
        job.encoded(fold.test),
    )

    def shipped(place: int) -> FloatArray:
        readout = scores.readouts.row(picked[place])
        own: Tensor = readout.log_probs(test_logits[place].cpu(), job.classes)
        return _array(own.double().log_softmax(-1))

    return _Outer(
        OuterResult(
            shipped(0),
            shipped(1),
            fold.test.targets.cpu().numpy(),
            fold.test.rows.cpu().numpy(),
            n_train=len(fold.train) + len(fold.valid),
            challenger=choice.challenger.number,
            baseline=choice.baseline.number,
            label=choice.challenger.label,
        ),
        default=_array(test_logits[2].double().log_softmax(-1)),
        tuned=_array(test_logits[1].double().log_softmax(-1)),
        challenger=_array(test_logits[0].double().log_softmax(-1)),
    )


def _choice(
    study: Study, job: Job, fold: Fold, known: Sequence[TrialRecord], scores: Scores
) -> Choice:
    """Return the challenger and tuned cross-entropy of one outer fold."""
    clusters = fold.valid.clusters.numpy()
    examples = example_losses(
        scores,
        job.valid.targets,
        class_counts=job.class_counts,
        seed=study.seed,
        clusters=clusters,
    )
    if not known:
        raise AutolossError("An outer fold must have a trial that trains, but all diverged.")
    return choose(
        known,
        {record.number: one for record, one in zip(known, examples, strict=True)},
        simplicity=lambda record: LossSpec.from_dict(record.loss).complexity,
        metric=study.metric.name,
        lower_is_better=study.metric.lower_is_better,
        targets=job.valid.targets.cpu().numpy(),
        clusters=clusters,
    )


def _clusters(folds: Sequence[Fold], rows: NDArray[np.integer]) -> Tensor:
    """Return the cluster of each row of the pooled predictions."""
    of_row: dict[int, int] = {}
    for fold in folds:
        assert fold.test is not None
        of_row |= dict(zip(fold.test.rows.tolist(), fold.test.clusters.tolist(), strict=True))
    return torch.tensor([of_row[int(row)] for row in rows])


def _reference(
    study: Study,
    data: StudyData,
    folds: Sequence[Fold],
    shipped: Tensor,
    targets: Tensor,
    clusters: Tensor,
    deadline: float | None,
) -> Reference | None:
    """Return gradient boosting by the outer folds of the first repeat."""
    found, rows = [], []
    notes: tuple[str, ...] = ()
    for fold in folds:
        assert fold.test is not None
        boosted = boost(study, data, (fold.train, fold.valid), fold.test, deadline=deadline)
        if boosted is None:
            return None
        found.append(boosted.log_probs)
        rows.append(fold.test.rows.cpu().numpy())
        notes = boosted.notes
    order = np.argsort(np.concatenate(rows), kind="stable")
    return reference_record(
        Boosted(np.concatenate(found)[order], notes),
        shipped.numpy(),
        targets.numpy(),
        metric=metric_on_rows(study.metric, study.class_counts),
        class_counts=study.class_counts.numpy(),
        clusters=clusters.numpy(),
        seed=study.seed,
    )


def _array(values: Tensor) -> FloatArray:
    found: FloatArray = values.cpu().numpy()
    return found
