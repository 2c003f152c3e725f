"""The finalists of a study, trained again on fresh seeds and divisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import TrainingError
from autoloss.data import Fold
from autoloss.experiment.dividing import divisions_of
from autoloss.experiment.familiar import with_familiar
from autoloss.experiment.held_out import HeldOut, HeldOutFinalists, HeldOutRows
from autoloss.experiment.label_decision import with_label_decision
from autoloss.experiment.session import SearchSession, epochs_of
from autoloss.inference.classifier import Classifier, Decision
from autoloss.inference.member import Member
from autoloss.losses import ClassFacts
from autoloss.metrics import Scores
from autoloss.models.custom.shipped import shipped
from autoloss.readout import Items
from autoloss.records import Coverage, Finalist
from autoloss.search import Scorer, Study, StudySnapshot
from autoloss.training.divisions import Divisions, Trained, joined_costs
from autoloss.verdict.baseline import default_cross_entropy, is_plain_cross_entropy
from autoloss.verdict.finalists import FinalistChoice
from autoloss.verdict.replicates import Replicates
from autoloss.verdict.select import Choice


@dataclass(frozen=True, eq=False)
class Replication:
    """The trainings of the finalists.

    Args:
        figures: Their metric and log loss in every training.
        models: The model that each would ship, by number; a finalist that diverged has none.
        held_out: Their predictions for held-out rows, by number.
        epochs: The epoch with the best weights of each of their trainings, by number.
        is_cut: Whether the time limit cut off any of their trainings.
    """

    figures: Replicates
    models: Mapping[int, Classifier]
    held_out: Mapping[int, HeldOut]
    epochs: Mapping[int, tuple[int, ...]]
    is_cut: bool = False


@dataclass(frozen=True, eq=False)
class Selection:
    """The finalists, trained again, and the choice among them before the verdict.

    Args:
        snapshot: The study after the search.
        choice: Challenger and tuned cross-entropy.
        finalists: The finalists.
        replication: Their trainings.
        coverage: The share of the planned training that ran so far.
    """

    snapshot: StudySnapshot
    choice: Choice
    finalists: tuple[Finalist, ...]
    replication: Replication
    coverage: Coverage

    @property
    def default(self) -> int:
        """Return the number of default cross-entropy, of the tuned one if it did not end."""
        study = self.snapshot
        found = default_cross_entropy(study.trials, metric=study.metric.name)
        return self.choice.baseline.number if found is None else found.number


def replicate(
    session: SearchSession, picked: Sequence[FinalistChoice], *, baseline: int
) -> Replication:
    """Train the finalists again in the same populations, and fit their read-outs.

    Args:
        session: The search.
        picked: The finalists.
        baseline: Number of tuned cross-entropy in the search.

    Raises:
        TrainingError: Every finalist of cross-entropy diverges on fresh seeds.
    """
    study = session.study
    folds = session.final_folds()
    divisions = make_divisions(session, folds)
    records = {record.number: record for record in study.trials}
    numbers = [one.number for one in picked]
    trained = session.train(
        divisions,
        [study.trial(number) for number in numbers],
        seeds=fresh_seeds(study.seed, len(folds)),
        epochs={n: epoch for n in numbers if (epoch := epochs_of(records[n])) is not None},
        at_once=True,
    )
    by_number = dict(zip(numbers, trained, strict=True))
    whole = [number for number, found in by_number.items() if found.report.state != "diverged"]
    plain = [n for n in numbers if is_plain_cross_entropy(records[n].loss)]
    if not {baseline, *plain} & set(whole):
        raise TrainingError(
            f"Trial {baseline} (tuned cross-entropy) must train on fresh seeds as it did in the "
            "search, but it diverged: set a lower lr in the space."
        )
    scores = score_divisions(
        session, divisions, {n: by_number[n] for n in whole}, [fold.valid.costs for fold in folds]
    )
    figures = np.full((2, len(numbers), len(folds)), np.nan)
    for k, number in enumerate(whole):
        row = numbers.index(number)
        for fold, scored in enumerate(scores):
            figures[:, row, fold] = float(scored.value[k]), float(scored.readouts.refined[k])
    of = _held_out_rows(study.facts, folds)
    held_out = {
        n: _held_out(study.facts, folds, by_number[n], scores, k, of) for k, n in enumerate(whole)
    }
    models = {n: _model(session, folds, by_number[n], scores, k) for k, n in enumerate(whole)}
    # Their predictions are those of the held-out rows now.
    del scores
    return Replication(
        Replicates(
            tuple(numbers),
            figures[0],
            figures[1],
            n_train=float(np.mean([len(fold.train) for fold in folds])),
            n_valid=float(np.mean([len(fold.valid) for fold in folds])),
        ),
        {n: _whole(session, model, held_out[n]) for n, model in models.items()},
        held_out,
        {n: tuple(one.report.best_epoch for one in by_number[n].outcomes) for n in whole},
        is_cut=is_cut(trained),
    )


def is_cut(trained: Iterable[Trained]) -> bool:
    """Return whether a time limit cut off any training."""
    return any(outcome.report.state == "stopped" for one in trained for outcome in one.outcomes)


def make_divisions(session: SearchSession, folds: Sequence[Fold]) -> Divisions:
    """Make further divisions of a search's rows on its device."""
    study, opened = session.study, session.opened
    return divisions_of(
        folds,
        opened.data,
        study.space,
        device=session.divisions.jobs[0].device,
        seed=study.seed,
        facts=study.facts,
        teacher=opened.teacher,
        model=opened.model,
    )


def fresh_seeds(seed: int, count: int) -> list[int]:
    """Return seeds that the search did not use, the same for all finalists."""
    return [int(word) for word in np.random.SeedSequence([seed, 1]).generate_state(count)]


def score_divisions(
    session: SearchSession,
    divisions: Divisions,
    trained: Mapping[int, Trained],
    row_costs: Sequence[Tensor | None],
) -> list[Scores]:
    """Fit read-outs and compute metrics on the held-out rows of each division, in order.

    Args:
        session: The search.
        divisions: The divisions.
        trained: The trainings of each trial.
        row_costs: The costs of the held-out rows of each division; None for 1.
    """
    study = session.study
    specs = [study.trial(number).spec for number in trained]
    found = []
    for fold, job in enumerate(divisions.jobs):
        logits = torch.stack([one.outcomes[fold].logits for one in trained.values()])
        scorer = Scorer(job.classes, study.metric, study.seed)
        items = Items.of(job.valid.targets, job.classes).costing(row_costs[fold])
        found.append(scorer.score(logits, items, specs, folds=job.folds))
    return found


def _model(
    session: SearchSession,
    folds: Sequence[Fold],
    trained: Trained,
    scores: Sequence[Scores],
    k: int,
) -> Classifier:
    """Return the model that a finalist would ship: the mean of all its trainings."""
    study = session.study
    task = session.opened.data.task
    # Labels have thresholds of their own in place of a cost matrix.
    costs = None if task.names else study.metric.costs
    members = tuple(
        Member(fold.encoding, outcome.weights.cpu(), scored.readouts.row(k), fold.class_counts)
        for fold, outcome, scored in zip(folds, trained.outcomes, scores, strict=True)
    )
    return Classifier(
        task=task,
        config=study.space.network.sized(session.opened.data.n_rows, task.n_outputs),
        members=members,
        decision=_decision(study, has_costs=costs is not None),
        cost_matrix=None if costs is None else torch.tensor(costs, dtype=torch.float64),
        class_weights=study.facts.weights,
        class_similarity=study.facts.similarity,
        model=shipped(session.opened.model),
    )


def _whole(session: SearchSession, model: Classifier, held_out: HeldOut) -> Classifier:
    """Return a model with the temperature of its mean, and its decision on labels or strangers.

    The temperature is fitted to the rows that two or more members held out; without such rows it
    is that of most tables.
    """
    study, pool = session.study, HeldOutFinalists({0: held_out})
    found = pool.temperature({0: 1.0}, pool.every)
    whole = replace(model, temperature=found.of(len(model.members)))
    if not model.task.names:
        return with_familiar(whole, pool, {0: 1.0})
    return with_label_decision(
        whole,
        session.opened.request.label_decision,
        study.metric,
        pool.crossfitted(lambda _, rows: {0: 1.0}, study.seed),
        held_out.items(study.facts),
        study.facts,
    )


def _decision(study: Study, *, has_costs: bool) -> Decision:
    """Return the quantity that the model's decisions minimise: the cost if there is a matrix."""
    if has_costs:
        return "expected_cost"
    declared = study.metric.declared
    return "error" if declared is None or declared.needs_costs else declared.decision


def _held_out(
    facts: ClassFacts,
    folds: Sequence[Fold],
    trained: Trained,
    scores: Sequence[Scores],
    k: int,
    of: HeldOutRows,
) -> HeldOut:
    """Return the predictions of a finalist for the items that its trainings held out."""

    def logits() -> NDArray[Any]:
        every = [facts.over_classes(outcome.logits.cpu()) for outcome in trained.outcomes]
        pairs = zip(folds, every, strict=True)
        return _joined(
            [Items.of(fold.valid.targets, facts).scores(own[None])[0] for fold, own in pairs]
        )

    log_probs = _joined([scored.predictions.log_probs[k] for scored in scores])
    return HeldOut(log_probs, logits, of)


def _held_out_rows(facts: ClassFacts, folds: Sequence[Fold]) -> HeldOutRows:
    """Return the items that the trainings hold out."""
    pairs = [(Items.of(fold.valid.targets, facts), fold.valid) for fold in folds]
    costs = joined_costs([fold.valid for fold in folds])
    return HeldOutRows(
        _joined([items.labels for items, _ in pairs]),
        _joined([items.of_rows(part.rows) for items, part in pairs]),
        _joined([items.of_rows(part.clusters) for items, part in pairs]),
        _joined([items.keys(part.rows) for items, part in pairs]),
        tuple(len(items) for items, _ in pairs),
        None if costs is None else costs.cpu().numpy(),
    )


def _joined(parts: Sequence[Tensor]) -> NDArray[Any]:
    found: NDArray[Any] = torch.cat([part.cpu() for part in parts]).numpy()
    return found
