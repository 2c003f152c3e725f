"""The behaviour of a study's two models on the rows of the verdict, for the report."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autoloss.losses import LossSpec
from autoloss.metrics import positive_reliability, reliability
from autoloss.metrics.label_places import LabelPlaces
from autoloss.metrics.token_places import TokenPlaces
from autoloss.records import CodeLengths, LabelInsights, Reliability, TagInsights
from autoloss.records.insights import CostCurve, RuleCost, Signals
from autoloss.search.class_curves import class_scores, cost_curve, ranking
from autoloss.search.decision_rules import RuledModel, prior_undone, rule_costs
from autoloss.search.decisions import as_codes, confusion, decide, disagreements, threshold
from autoloss.search.evidence import Evidence, StudySnapshot
from autoloss.search.label_insights import label_insights
from autoloss.search.signals import gradient_signals
from autoloss.search.tag_insights import tag_insights
from autoloss.verdict.code_lengths import bits
from autoloss.verdict.learnt import learnt

Matrix = tuple[tuple[float, ...], ...]
_UNIT = ((0.0, 1.0), (1.0, 0.0))
ROLES = ("challenger", "cross-entropy")
BEFORE = "{} before the read-out"


def diagrams(evidence: Evidence) -> tuple[Reliability, ...]:
    """Return reliability diagrams of both models, each before its read-out and after it."""
    models = []
    for place, role in enumerate(ROLES):
        if evidence.raw is not None:
            models.append((BEFORE.format(role), evidence.raw[place]))
        models.append((role, evidence.log_probs[place]))
    targets, clusters = evidence.targets, evidence.items.clusters
    return tuple(
        reliability(log_probs, targets, name=name, clusters=clusters) for name, log_probs in models
    )


def insights(study: StudySnapshot, evidence: Evidence, shipped: int) -> dict[str, Any]:
    """Return the decisions of both models and the signals of the finalists' losses, by field."""
    costs = None if study.task.kind == "multilabel" else study.metric.costs
    price = None if costs is None else tuple(tuple(map(float, row)) for row in costs)
    options: dict[str, Any] = {
        # Several labels are shown at a probability of a half; their thresholds are beside them.
        "metric": "error" if study.task.kind == "multilabel" else study.metric.name,
        "facts": study.facts,
        "costs": price,
    }
    targets = as_codes(evidence.targets)
    (kind, ours), (_, theirs) = (decide(one, **options) for one in evidence.log_probs)
    rows = torch.arange(len(targets)) if evidence.rows is None else evidence.rows
    own, other = evidence.log_probs
    is_yes_or_no = study.task.is_yes_or_no
    return {
        "cost_matrix": price,
        "class_scores": class_scores(ours, theirs, targets, own.shape[-1]),
        "ranking": ranking(own, other, targets) if is_yes_or_no else None,
        "positive_reliability": _of_positives(evidence) if is_yes_or_no else (),
        "cost_curve": _cost_curve(study, evidence, targets, price),
        "rule_costs": () if price is None else _rule_costs(study, evidence, price),
        "confusion": confusion(
            kind,
            *(ours, theirs, targets),
            own.shape[-1],
            own.shape[-1] if price is None else len(price[0]),
        ),
        "disagreements": disagreements(
            (ours, own),
            (theirs, other),
            targets,
            as_codes(rows),
            table=evidence.table,
            labels=_name_of(study, evidence),
        ),
        "threshold": threshold(
            evidence.log_probs[shipped], targets, row_costs=_row_costs(evidence), **options
        ),
        "labels": _labels(study, evidence, shipped),
        "tags": _tags(study, evidence),
        "signals": _signals(study, evidence, shipped),
        "code_lengths": _code_lengths(study, evidence),
    }


def _cost_curve(
    study: StudySnapshot, evidence: Evidence, targets: NDArray[np.int64], price: Matrix | None
) -> CostCurve | None:
    """Return the cost of rows under other costs; of two classes also where none were given."""
    if price is None and study.task.kind != "binary":
        return None
    given = _UNIT if price is None else price
    found = cost_curve(
        *evidence.log_probs,
        targets,
        given,
        is_yes_or_no=study.task.is_yes_or_no and len(given[0]) == 2,
        row_costs=_row_costs(evidence),
    )
    return found if price is not None or found is None else replace(found, given=math.nan)


def _rule_costs(study: StudySnapshot, evidence: Evidence, price: Matrix) -> tuple[RuleCost, ...]:
    """Return the cost of each decision rule by each model; one model if no other opposed it."""
    models = []
    sides = zip(ROLES, (evidence.choice.challenger, evidence.choice.baseline), strict=True)
    for place, (role, record) in enumerate(sides):
        if role == ROLES[0] and not evidence.choice.is_opposed:
            continue
        raw = None if evidence.raw is None else evidence.raw[place]
        spec = LossSpec.from_dict(record.loss)
        models.append(
            RuledModel(
                role,
                calibrated=evidence.log_probs[place],
                raw=raw,
                corrected=None if raw is None else prior_undone(raw, spec, study.facts),
            )
        )
    clusters = evidence.items.cluster_numbers
    return rule_costs(
        models,
        as_codes(evidence.targets),
        price,
        clusters,
        row_costs=_row_costs(evidence),
        seed=study.seed,
    )


def _row_costs(evidence: Evidence) -> NDArray[np.float64] | None:
    costs = evidence.items.costs
    return None if costs is None else np.asarray(costs.cpu(), dtype=np.float64)


def _code_lengths(study: StudySnapshot, evidence: Evidence) -> CodeLengths:
    """Return the bits of a label of the rows of the verdict by both models."""
    labels, counts = as_codes(evidence.targets), evidence.items.counts(study.facts).numpy()
    ours, theirs = (learnt(own.numpy(), labels, counts) for own in evidence.log_probs)
    return CodeLengths(
        labels=len(labels),
        prior=bits(theirs.of_shares),
        challenger=bits(ours.log_loss),
        baseline=bits(theirs.log_loss),
    )


def _tags(study: StudySnapshot, evidence: Evidence) -> TagInsights | None:
    """Return the models on the tags of sequences; None for labels of rows."""
    places = TokenPlaces.of(evidence.items, study.facts)
    return None if places is None else tag_insights(evidence.log_probs, evidence.targets, places)


def _labels(study: StudySnapshot, evidence: Evidence, shipped: int) -> LabelInsights | None:
    """Return the models on each of several labels; None for one label a row."""
    places = LabelPlaces.of(evidence.items, study.facts)
    if places is None:
        return None
    names = _names(study)
    return label_insights(evidence.log_probs, evidence.targets, places, names, shipped=shipped)


def _names(study: StudySnapshot) -> tuple[str, ...]:
    """Return the names of several labels, by default their numbers."""
    return study.task.names or tuple(map(str, range(len(study.facts.counts))))


def _name_of(study: StudySnapshot, evidence: Evidence) -> Callable[[int], str]:
    """Return the function from an item to its label; the label of a row alone has no name."""
    if study.task.kind != "multilabel":
        return lambda item: ""
    names, numbers = _names(study), evidence.items.numbers
    return lambda item: names[int(numbers[item])]


def _of_positives(evidence: Evidence) -> tuple[Reliability, ...]:
    """Return the reliability diagram of the positive class's probability for each model."""
    return tuple(
        positive_reliability(
            log_probs, evidence.targets, name=role, clusters=evidence.items.clusters
        )
        for role, log_probs in zip(ROLES, evidence.log_probs, strict=True)
    )


def _signals(study: StudySnapshot, evidence: Evidence, shipped: int) -> Signals | None:
    """Return the signals of the finalists over the p of the shipped model before its read-out."""
    if evidence.raw is None:
        return None
    choice = evidence.choice
    two = (choice.challenger.number, choice.baseline.number)
    numbers = dict.fromkeys((*two, *(one.number for one in evidence.finalists)))
    of_truth = evidence.raw[shipped].gather(-1, evidence.targets[:, None].long())[:, 0]
    # The learning rate does not change the signal of a loss.
    specs: dict[LossSpec, int] = {}
    losses = {record.number: record.loss for record in study.trials if record.number in numbers}
    for number in numbers:
        specs.setdefault(LossSpec.from_dict(losses[number]), number)
    return gradient_signals(
        [(number, spec) for spec, number in specs.items()],
        of_truth.exp().cpu().numpy(),
        study.facts,
        number=two[shipped],
    )
