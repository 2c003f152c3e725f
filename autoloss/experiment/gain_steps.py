"""The steps of the gain, from default cross-entropy to the challenger, on the verdict's rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autoloss.experiment.replication import Selection
from autoloss.readout import Items
from autoloss.records import Gain
from autoloss.verdict.gains import gain_steps, steps_of
from autoloss.verdict.metric_rows import metric_on_rows
from autoloss.verdict.posthoc import fit_posthoc

FloatArray = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class StepPredictions:
    """The log probabilities of the steps of the gain on the rows of the verdict.

    Args:
        default: Default cross-entropy by its softmax.
        tuned: Tuned cross-entropy by its softmax.
        calibrated: Tuned cross-entropy as it ships.
        challenger: The challenger as it ships.

    Shape:
        each (N, C).
    """

    default: FloatArray
    tuned: FloatArray
    calibrated: FloatArray
    challenger: FloatArray


def gains(
    selection: Selection,
    predictions: StepPredictions,
    items: Items,
    *,
    moves_decisions: bool = True,
) -> tuple[Gain, ...]:
    """Return the steps from default cross-entropy to the challenger.

    The held-out rows of the finalists' training runs decide how decisions are moved.

    Args:
        selection: The finalists and the choice among them.
        predictions: The predictions of the steps.
        items: The items of the rows of the verdict.
        moves_decisions: Whether moving the decisions is a step.
    """
    study, choice, replication = selection.snapshot, selection.choice, selection.replication
    challenger, baseline = choice.challenger.number, choice.baseline.number
    metric = metric_on_rows(study.metric, study.facts, items)
    posthoc = own = None
    # A single shift of all labels would be no good decision for any of them.
    if moves_decisions and not study.task.names:
        one, other = replication.held_out[baseline], replication.held_out[challenger]
        costs = None if one.of.row_costs is None else torch.from_numpy(one.of.row_costs)
        held_out = replace(metric, row_costs=costs)
        how: dict[str, Any] = {"metric": held_out, "facts": study.facts}
        posthoc = fit_posthoc(one.log_probs, one.of.targets, **how)
        if posthoc is not None:
            own = fit_posthoc(other.log_probs, other.of.targets, kind=posthoc.kind, **how)
    model = replication.models[baseline]
    temperature = np.mean([1.0 / member.readout.inverse_temperature for member in model.members])
    steps = steps_of(
        predictions.default,
        predictions.tuned,
        predictions.calibrated,
        predictions.challenger if choice.is_opposed else None,
        readout=f"temperature {temperature:.2f}, fitted on held-out rows",
        label=choice.challenger.label,
        posthoc=posthoc,
        challenger_posthoc=own,
    )
    return gain_steps(
        steps,
        items.labels.numpy(),
        metric=metric,
        class_counts=study.class_counts.numpy(),
        clusters=items.cluster_numbers,
        seed=study.seed,
    )
