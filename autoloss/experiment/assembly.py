"""Models of trained members."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from autoloss.data import Fold, StudyData
from autoloss.inference.classifier import Classifier, Decision
from autoloss.inference.member import Member
from autoloss.models import OwnModel
from autoloss.models.custom.shipped import shipped
from autoloss.readout import Readout
from autoloss.search import Study
from autoloss.training import Outcome


def member_of(fold: Fold, outcome: Outcome, readout: Readout) -> Member:
    """Return a training run as a member of a model."""
    return Member(fold.encoding, outcome.weights.cpu(), readout, fold.class_counts)


def model_of(
    study: Study, data: StudyData, network: OwnModel | None, members: Iterable[Member]
) -> Classifier:
    """Return the mean of members as a model of a study.

    Args:
        study: The study.
        data: Its data.
        network: The custom network; None for the built-in one.
        members: The members.
    """
    task = data.task
    # Labels have their own thresholds in place of a cost matrix.
    costs = None if task.names else study.metric.costs
    return Classifier(
        task=task,
        config=study.space.network.sized(data.n_rows, task.n_outputs),
        members=tuple(members),
        decision=_decision(study, has_costs=costs is not None),
        cost_matrix=None if costs is None else torch.tensor(costs, dtype=torch.float64),
        class_weights=study.facts.weights,
        class_similarity=study.facts.similarity,
        model=shipped(network),
    )


def _decision(study: Study, *, has_costs: bool) -> Decision:
    """Return the quantity that the model's decisions minimise: the cost if there is a matrix."""
    if has_costs:
        return "expected_cost"
    declared = study.metric.declared
    return "error" if declared is None or declared.needs_costs else declared.decision
