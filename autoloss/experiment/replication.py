"""The finalists of a study, trained again on fresh seeds and divisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import TrainingError
from autoloss.data import Fold
from autoloss.experiment.assembly import member_of, model_of
from autoloss.experiment.dividing import divisions_of
from autoloss.experiment.familiar import with_familiar
from autoloss.experiment.held_out import HeldOut, HeldOutFinalists, HeldOutRows
from autoloss.experiment.label_decision import with_label_decision
from autoloss.experiment.session import SearchSession
from autoloss.inference.classifier import Classifier
from autoloss.losses import ClassFacts
from autoloss.metrics import Scores
from autoloss.readout import Items
from autoloss.records import Coverage, Finalist, TrialRecord
from autoloss.search import Scorer, Study, StudySnapshot, Trial
from autoloss.training.divisions import Divisions, Trained, joined_costs
from autoloss.verdict.baseline import default_cross_entropy, is_plain_cross_entropy
from autoloss.verdict.finalists import FinalistChoice
from autoloss.verdict.paired import PairedTest
from autoloss.verdict.replicates import Replicates
from autoloss.verdict.select import Choice
from autoloss.verdict.training_runs import paired_test


@dataclass(frozen=True, eq=False)
class Replication:
    """The training runs of the finalists.

    Args:
        figures: Their metric and log loss in every training run.
        models: The model that each would ship, by number; a finalist that diverged has none.
        held_out: Their predictions for held-out rows, by number.
        epochs: The epoch with the best weights of each of their training runs, by number.
        is_cut: Whether the time limit cut off any of their training runs.
        of_trainings: The custom metrics of which whole training runs are compared: by number of
            the finalist and name of the metric the value of each training run.
    """

    figures: Replicates
    models: Mapping[int, Classifier]
    held_out: Mapping[int, HeldOut]
    epochs: Mapping[int, tuple[int, ...]]
    is_cut: bool = False
    of_trainings: Mapping[int, Mapping[str, NDArray[np.floating]]] = field(default_factory=dict)

    def paired(self, study: Study, choice: Choice) -> dict[str, PairedTest]:
        """Return the comparisons of challenger and tuned cross-entropy by their training runs.

        Args:
            study: The study.
            choice: The two.
        """
        ones = self.of_trainings.get(choice.challenger.number, {})
        others = self.of_trainings.get(choice.baseline.number, {})
        return {
            one.name: paired_test(
                one.name,
                ones[one.name],
                others[one.name],
                lower_is_better=one.lower_is_better,
                n_train=self.figures.n_train,
                n_valid=self.figures.n_valid,
            )
            for one in study.own_metrics
            if one.name in ones and one.name in others
        }


@dataclass(frozen=True, eq=False)
class Selection:
    """The finalists, trained again, and the choice among them before the verdict.

    Args:
        snapshot: The study after the search.
        choice: Challenger and tuned cross-entropy.
        finalists: The finalists.
        replication: Their training runs.
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
    records = {record.number: record for record in study.trials}
    numbers = [one.number for one in picked]
    trials = [study.trial(number) for number in numbers]
    divisions = make_divisions(session, folds, trials)
    trained = session.train(
        divisions,
        trials,
        seeds=dict.fromkeys(numbers, fresh_seeds(study.seed, len(folds))),
        epochs={n: epoch for n in numbers if (epoch := _epochs_of(records[n])) is not None},
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
    if study.metrics_of_models:
        every = [by_number[number] for number in whole]
        scores = [_measured(session, folds[f], f, every, one) for f, one in enumerate(scores)]
    figures = np.full((2, len(numbers), len(folds)), np.nan)
    for k, number in enumerate(whole):
        row = numbers.index(number)
        for fold, scored in enumerate(scores):
            figures[:, row, fold] = float(scored.value[k]), float(scored.readouts.refined[k])
    of = _held_out_rows(study.facts, folds)
    held_out = {
        n: _held_out(study.facts, folds, by_number[n], scores, k, of) for k, n in enumerate(whole)
    }
    models = {
        n: model_of(
            study,
            session.opened.data,
            session.opened.model,
            (
                member_of(fold, outcome, scored.readouts.row(k))
                for fold, outcome, scored in zip(folds, by_number[n].outcomes, scores, strict=True)
            ),
        )
        for k, n in enumerate(whole)
    }
    own = {
        one.name: np.array([scored.metrics[one.name].cpu().numpy() for scored in scores]).T
        for one in study.own_metrics
        if one.is_of_trainings
    }
    # Their predictions for the held-out rows are kept now.
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
        of_trainings={n: {name: one[k] for name, one in own.items()} for k, n in enumerate(whole)},
    )


def _measured(
    session: SearchSession, fold: Fold, place: int, trained: Sequence[Trained], scores: Scores
) -> Scores:
    """Return the scores of finalists on a division, with the metrics of their models.

    Args:
        session: The search.
        fold: The division.
        place: Its place among the divisions.
        trained: The finalists.
        scores: Their scores.
    """
    found = [
        session.opened.figures([fold], [one.outcomes[place]], scores.readouts.row(k))
        for k, one in enumerate(trained)
    ]
    names = [one.name for one in session.study.metrics_of_models]
    return scores.with_figures({name: [one[name] for one in found] for name in names})


def is_cut(trained: Iterable[Trained]) -> bool:
    """Return whether a time limit cut off any training run."""
    return any(outcome.report.state == "stopped" for one in trained for outcome in one.outcomes)


def make_divisions(
    session: SearchSession, folds: Sequence[Fold], trials: Sequence[Trial]
) -> Divisions:
    """Make further divisions of a search's rows on its device.

    Args:
        session: The search.
        folds: The divisions.
        trials: The trials that train on them; a teacher learns only if some of them need it.
    """
    study, opened = session.study, session.opened
    is_taught = any(map(needs_teacher, trials))
    return divisions_of(
        folds,
        opened.data,
        study.space,
        device=session.divisions.jobs[0].device,
        seed=study.seed,
        facts=study.facts,
        teacher=opened.teacher if is_taught else None,
        model=opened.model,
    )


def needs_teacher(trial: Trial) -> bool:
    """Return whether a trial learns from a teacher."""
    return "teacher_logits" in trial.spec.needs


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
        trained: The training runs of each trial.
        row_costs: The costs of the held-out rows of each division; None for 1.
    """
    study = session.study
    specs = [study.trial(number).spec for number in trained]
    found = []
    for fold, job in enumerate(divisions.jobs):
        logits = torch.stack([one.outcomes[fold].logits for one in trained.values()])
        scorer = Scorer(job.classes, study.metric, study.seed, study.own_metrics)
        items = Items.of(job.valid.targets, job.classes).costing(row_costs[fold])
        found.append(scorer.score(logits, items, specs, folds=job.folds))
    return found


def _whole(session: SearchSession, model: Classifier, held_out: HeldOut) -> Classifier:
    """Return a model with the temperature of its mean, and its decision on labels or OOD rows.

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


def _held_out(
    facts: ClassFacts,
    folds: Sequence[Fold],
    trained: Trained,
    scores: Sequence[Scores],
    k: int,
    of: HeldOutRows,
) -> HeldOut:
    """Return the predictions of a finalist for the items that its training runs held out."""

    def logits() -> NDArray[Any]:
        every = [facts.over_classes(outcome.logits.cpu()) for outcome in trained.outcomes]
        pairs = zip(folds, every, strict=True)
        return _joined(
            [Items.of(fold.valid.targets, facts).scores(own[None])[0] for fold, own in pairs]
        )

    log_probs = _joined([scored.predictions.log_probs[k] for scored in scores])
    return HeldOut(log_probs, logits, of)


def _held_out_rows(facts: ClassFacts, folds: Sequence[Fold]) -> HeldOutRows:
    """Return the items that the training runs hold out."""
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


def _epochs_of(record: TrialRecord) -> int | None:
    """Return the epoch after which a trial was cut off, or None if it was not."""
    return record.curve[-1].epoch if record.state == "stopped" else None
