"""The models that could ship, compared on the rows of the verdict, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from autoloss.experiment.confirmation import LockedPredictions
from autoloss.experiment.familiar import with_familiar
from autoloss.experiment.held_out import HeldOutFinalists, Weights
from autoloss.experiment.label_decision import with_label_decision
from autoloss.experiment.replication import Replication, Selection
from autoloss.experiment.session import SearchSession
from autoloss.inference.classifier import Classifier
from autoloss.readout import Items
from autoloss.records import PersonalChoice, ShippingPolicy, Summary
from autoloss.report.shipped import SHIP_BEST
from autoloss.search import StudySnapshot
from autoloss.verdict.comparisons import compare
from autoloss.verdict.metric_rows import metric_on_rows

FloatArray = NDArray[np.floating]
_RESAMPLES = 500


@dataclass(frozen=True, eq=False)
class Policies:
    """The models that could ship.

    Args:
        records: Their figures, in the order verdict, best, blend.
        models: The models by the name of the policy.
    """

    records: tuple[ShippingPolicy, ...]
    models: Mapping[str, Classifier]

    def shipping(self, name: str) -> Policies:
        """Return the policies with the policy that ships."""
        marked = tuple(replace(one, ships=one.name == name) for one in self.records)
        return replace(self, records=marked)


def compare_policies(
    session: SearchSession,
    selection: Selection,
    recommended: int,
    on_locked: LockedPredictions | None = None,
) -> Policies:
    """Make the model of each policy, and compare them on the rows of the verdict.

    Args:
        session: The search.
        selection: The finalists.
        recommended: Number of the trial that the verdict recommends.
        on_locked: The predictions for the locked rows, if there are any.
    """
    study = selection.snapshot
    replication = selection.replication
    pool = HeldOutFinalists(replication.held_out)
    choices = _choices(selection, recommended)
    weights = {name: chosen(pool, pool.every) for name, chosen in choices.items()}
    models = {name: blended(session, replication, pool, one) for name, one in weights.items()}
    if on_locked is None:
        predicted = {
            name: pool.crossfitted(chosen, study.seed) for name, chosen in choices.items()
        }
        items = pool.items(study.facts)
    else:
        items = on_locked.items(study.facts)
        predicted = {name: on_locked.of(model, items).numpy() for name, model in models.items()}
    records: list[ShippingPolicy] = []
    for name, own in weights.items():
        if records and np.array_equal(predicted[name], predicted["verdict"]):
            # Equal predictions have the figures of the first policy; a bootstrap takes a while.
            named = replace(records[0], name=name, temperature=models[name].temperature)
            records.append(replace(named, numbers=tuple(own), weights=tuple(own.values())))
        else:
            records.append(_record(name, own, models[name], predicted, items, study))
    return Policies(tuple(records), models)


def _choices(
    selection: Selection, recommended: int
) -> dict[str, Callable[[HeldOutFinalists, NDArray[np.integer]], Weights]]:
    """Return the choice of each policy: from the rows that decide to the weights of finalists."""
    known = selection.replication.models
    admissible = [one.number for one in selection.finalists if one.is_admissible]
    among = [number for number in admissible if number in known] or [recommended]
    return {
        "verdict": lambda pool, rows: {recommended: 1.0},
        "best": lambda pool, rows: pool.lowest(rows, among),
        "blend": lambda pool, rows: pool.blend(rows),
    }


def blended(
    session: SearchSession, replication: Replication, pool: HeldOutFinalists, weights: Weights
) -> Classifier:
    """Return the weighted mean of finalists, calibrated as a whole.

    Args:
        session: The search.
        replication: The training runs of the finalists.
        pool: Their predictions for held-out rows.
        weights: The weight of each finalist.
    """
    models = [replication.models[number] for number in weights]
    if len(models) == 1:
        return models[0]
    members = tuple(
        replace(member, weight=weight / len(model.members))
        for model, weight in zip(models, weights.values(), strict=True)
        for member in model.members
    )
    found = pool.temperature(weights, pool.every)
    whole = replace(models[0], members=members, temperature=found.of(len(models[0].members)))
    if not whole.task.names:
        return with_familiar(whole, pool, weights)
    study = session.study
    return with_label_decision(
        whole,
        session.opened.request.label_decision,
        study.metric,
        pool.crossfitted(lambda _, rows: weights, study.seed),
        pool.items(study.facts),
        study.facts,
    )


def _record(
    name: str,
    weights: Weights,
    model: Classifier,
    predicted: Mapping[str, FloatArray],
    items: Items,
    study: StudySnapshot,
) -> ShippingPolicy:
    """Return the figures of a policy and their changes from the policy "verdict"."""
    metric = metric_on_rows(study.metric, study.facts, items)
    tested = compare(
        predicted[name],
        predicted["verdict"],
        items.labels.numpy(),
        metric=metric,
        class_counts=study.class_counts.numpy(),
        clusters=items.cluster_numbers,
        resamples=_RESAMPLES,
        seed=study.seed,
    )
    own, log_loss = tested[metric.name].comparison, tested["log_loss"].comparison
    if study.metric.is_of_models:
        own = replace(own, challenger=study.metric.of_model(model))
    is_same = np.array_equal(predicted[name], predicted["verdict"])
    changes = (own.difference, own.low, own.high)
    log_changes = (log_loss.difference, log_loss.low, log_loss.high)
    return ShippingPolicy(
        name,
        tuple(weights),
        tuple(weights.values()),
        own.challenger,
        log_loss.challenger,
        *((0.0,) * 6 if is_same else (*changes, *log_changes)),
        temperature=model.temperature,
    )


def with_policies(summary: Summary, policies: Policies, *, ship: str) -> Summary:
    """Return the summary with the policies, and with the finalist that ships in their place.

    A blend leaves the recommended loss as it is, because it is several losses.

    Args:
        summary: The study, whose recommended trial is that of the verdict.
        policies: The models that could ship.
        ship: The requested policy.
    """
    summary = replace(summary, policies=policies.records)
    own = next(one for one in policies.records if one.name == ship)
    if ship != "best" or own.numbers == (summary.recommended,):
        return summary
    chosen = PersonalChoice(
        number=own.numbers[0],
        before=summary.recommended,
        reason="The lowest expected log loss of the admissible finalists.",
        by=SHIP_BEST,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return replace(summary, recommended=own.numbers[0], choices=(*summary.choices, chosen))
